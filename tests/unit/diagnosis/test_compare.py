"""What may be compared, how long it takes, and what is said of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.compare_plan import compare_plan
from ansible_collections.privatespace.gateway.plugins.filter.compare_report import compare_report
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.compare_servers import (
    Server,
    holding_command,
    openvpn_command,
    parse_servers,
    render_rules,
    traffic_command,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_plan import (
    Schedule,
    needed_megabytes,
    needed_seconds,
    parse_overrides,
    plan_order,
    plan_schedule,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain

PROCESSES = [
    {"name": "udp", "listener": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20", "address": None},
    {
        "name": "tcp",
        "listener": "tcp",
        "protocol": "tcp",
        "port": 443,
        "network": "10.91.16.0/20",
        "address": "192.0.2.1",
    },
]
PRESENT: dict[str, Any] = {
    "version": "2.6",
    "processes": PROCESSES,
    "settings": {"service_user": "openvpn", "service_group": "openvpn", "second_factor": "totp", "mssfix": 1300},
}
WITHOUT_DELAY = {"openvpn_tcp_nodelay": False}


def planned(a: Any = None, b: Any = None, **more: Any) -> dict[str, Any]:
    options = {"ports": [21194, 21195], "networks": ["198.18.255.240/29", "198.18.255.248/29"], **more}
    return compare_plan(PRESENT, a={} if a is None else a, b={} if b is None else b, **options)


def test_the_servers_differ_in_what_is_compared_and_in_nothing_else() -> None:
    plan = planned(b=WITHOUT_DELAY)
    assert plan["differences"] == ["Only A: tcp-nodelay"]
    # The first listener for which it makes a difference.
    assert (plan["listener"], plan["protocol"]) == ("tcp", "tcp")
    first, second = plan["servers"]
    assert (first["device"], second["device"]) == ("tun-compare-a", "tun-compare-b")
    assert (first["address"], second["address"]) == ("198.18.255.241", "198.18.255.249")
    assert plan["tunnels"]["b"] == {
        "listener": "compare-b", "transport": "tcp", "port": 21195, "tunnel_address": "198.18.255.249",
        "iperf_port": 5201,
    }  # fmt: skip


def test_what_the_gateway_is_set_to_holds_for_both() -> None:
    for config in planned(b=WITHOUT_DELAY)["configs"].values():
        assert "mssfix 1300" in config
        assert "user openvpn" in config
        assert "local 192.0.2.1" in config
        # The keys are links there; no hook, no second factor, no socket of the listeners that run.
        assert "key /run/privatespace-compare/server.key" in config
        assert "/run/openvpn-server" not in config
        assert "client-connect" not in config
        assert "auth" not in config


def test_the_same_against_itself_is_a_question_too() -> None:
    assert planned()["differences"] == []
    assert planned()["listener"] == "udp"


def test_realtime_is_a_property_of_the_unit() -> None:
    plan = planned(b={"openvpn_realtime_scheduling": True})
    assert [one["realtime"] for one in plan["servers"]] == [False, True]
    first, second = parse_servers(plan["servers"])
    assert "--property=CPUSchedulingPolicy=rr" not in openvpn_command(first, 100)
    assert "--property=CPUSchedulingPolicy=rr" in openvpn_command(second, 100)


@pytest.mark.parametrize(
    ("b", "more", "message"),
    [
        ({"openvpn_sysctl": {}}, {}, "openvpn_sysctl is a setting of the whole host"),
        ({"openvpn_congestion_control": "bbr"}, {}, "whole host.* Run diagnose"),
        ({"openvpn_masquerade": False}, {}, "openvpn_masquerade cannot be compared. What can be: openvpn_socket"),
        ({"mssfix": 1200}, {}, "mssfix cannot be compared"),
        ("openvpn_mssfix", {}, "compare_b is not a dictionary"),
        ({"openvpn_mssfix": "many"}, {}, "mssfix"),
        ({"openvpn_mssfix": 1300}, {}, "A and B have the same configuration"),
        (WITHOUT_DELAY, {"listener": "udp"}, "On the listener 'udp' .* choose another listener"),
        ({}, {"listener": "web"}, "no listener 'web'. Those it has: udp, tcp"),
        ({}, {"ports": [1]}, "two ports and two networks"),
        ({"openvpn_realtime_scheduling": "yes"}, {}, "not true or false"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(b: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        planned(b=b, **more)


def test_check_mode_says_what_would_be_done() -> None:
    about = {"gateway": "g1", "probe": "p1", "pairs": 10, "seconds": 60, "megabytes": 200}
    lines = planned(b=WITHOUT_DELAY, about=about)["lines"]
    assert lines[0].startswith("Two OpenVPN servers over TCP would run on g1")
    assert "Only A: tcp-nodelay" in lines
    assert "60 s and 200 MB at most" in lines[2]
    assert "p = 0.002" in lines[3]


def test_a_configuration_text_is_refused_where_it_is_none() -> None:
    with pytest.raises(InputError):
        parse_overrides(["openvpn_mssfix"], what="compare_a")
    with pytest.raises(StateError, match="two servers"):
        parse_servers([])


def test_the_default_limits_are_enough_for_ten_pairs_on_a_slow_line() -> None:
    schedule = plan_schedule({"down": 50e6, "up": 50e6}, pairs=10, seconds=60, megabytes=200, alpha=0.025)
    assert schedule == Schedule(10, 1)
    assert needed_seconds(schedule, 0.15) <= 60
    assert needed_megabytes(schedule, 50e6) <= 200


def test_more_time_makes_longer_segments_and_fewer_bytes_fewer_pairs() -> None:
    rates = {"down": 20e6, "up": 20e6}
    assert plan_schedule(rates, pairs=10, seconds=300, megabytes=2000, alpha=0.025) == Schedule(10, 5)
    assert plan_schedule(rates, pairs=10, seconds=300, megabytes=55, alpha=0.025) == Schedule(8, 1)


def test_limits_that_allow_too_little_are_refused_with_what_would_do() -> None:
    with pytest.raises(StateError) as refused:
        plan_schedule({"down": 900e6}, pairs=10, seconds=60, megabytes=200, alpha=0.025)
    assert "7 pairs, the fewest that show anything" in str(refused.value)
    assert "diagnosis_compare_megabytes to 2970" in str(refused.value)
    plan_schedule({"down": 900e6}, pairs=10, seconds=60, megabytes=2970, alpha=0.025)
    with pytest.raises(InputError, match="from 7 to 100"):
        plan_schedule({}, pairs=6, seconds=60, megabytes=200, alpha=0.025)


@pytest.mark.parametrize("direction", ["down", "up"])
def test_sides_take_turns_in_being_first(direction: str) -> None:
    orders = ["".join(sides) for _pair, way, sides in plan_order(10) if way == direction]
    assert orders.count("ab") == orders.count("ba") == 5
    assert all(one != other for one, other in pairwise(orders))


def test_units_end_with_the_one_that_holds_them_and_by_themselves() -> None:
    server = Server("a", "text", "tun-compare-a", "198.18.255.241", 5201)
    for argv in (openvpn_command(server, 180), traffic_command(server, 180)):
        assert "--property=BindsTo=privatespace-compare.service" in argv
        assert "--property=RuntimeMaxSec=180" in argv
    holding = " ".join(holding_command(180))
    assert "ExecStopPost=-" in holding
    assert "rm -rf /run/privatespace-compare" in holding
    assert "delete table inet privatespace-compare" in holding
    assert "--unit=privatespace-compare-a.service" in openvpn_command(server, 180)


def test_the_rules_let_nothing_through_but_the_measuring_port() -> None:
    rules = render_rules([Server("a", "", "tun-compare-a", "198.18.255.241", 5201)])
    assert 'iifname "tun-compare-a" ip daddr 198.18.255.241 tcp dport 5201 accept' in rules
    assert 'oifname { "tun-compare-a" } counter drop' in rules


def segment(number: int, direction: str, rate: float, error: str = "") -> dict[str, Any]:
    return to_plain(Segment(number, "tunnel_tcp", "tcp", direction, "full", 0.0, 1.0, rate, error=error))


def measured(factor: float, *, broken: int = 0) -> dict[str, Any]:
    a, b = [], []
    for number in range(1, 11):
        for direction in ("down", "up"):
            rate = 50e6 + 1e6 * number
            a.append(segment(number, direction, rate))
            is_broken = direction == "up" and number <= broken
            b.append(segment(number, direction, rate * factor, "iperf3: no." if is_broken else ""))
    return {"segments": {"a": a, "b": b}, "sent_bytes": {"a": 2e9, "b": 2e9}, "notes": ["A note."]}


def reported(given: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {"gateway": "g1", "probe": "p1", "overrides": {"a": {}, "b": WITHOUT_DELAY}}
    return compare_report(given, plan=planned(b=WITHOUT_DELAY), cpu_seconds={"a": 20.0, "b": 25.0}, **about)


def test_the_report_says_who_is_faster_and_by_which_test() -> None:
    found = reported(measured(0.8))
    text = "\n".join(found["lines"])
    assert found["verdicts"]["down"]["verdict"] == "a_better"
    assert "down (from the gateway): A is 25 % faster" in text
    assert "medians: A 55.5 Mbit/s, B 44.4 Mbit/s" in text
    assert "Test: Wilcoxon signed-rank, two-sided" in text
    assert "each direction at 2.5 %, both together at 5 %" in text
    assert "B: openvpn_tcp_nodelay: False" in text
    assert "A 10, B 12.5" in text
    assert "A note." in text


def test_pairs_of_which_one_half_is_broken_are_left_out_and_told() -> None:
    found = reported(measured(0.8, broken=5))
    assert found["verdicts"]["up"]["verdict"] == "too_few"
    assert found["verdicts"]["up"]["pairs_left_out"] == 5
    assert found["verdicts"]["down"]["verdict"] == "a_better"
    assert "A pair was left out: iperf3: no." in found["lines"]


def test_nothing_measured_at_all_is_no_crash() -> None:
    found = reported({"segments": {"a": [], "b": []}})
    assert found["verdicts"]["down"]["verdict"] == "too_few"
    with pytest.raises(AnsibleFilterError, match="not complete"):
        reported({})
