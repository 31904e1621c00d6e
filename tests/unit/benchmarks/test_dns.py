"""The pure parts of the DNS benchmark: what is asked and judged, what is written, what is read, what is computed."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks import _dns_load, _dns_servers, dns
from benchmarks._dns_fleet import Provider, Step, addresses, gateway_names, read_report, read_zone, tasks_of
from benchmarks._dns_load import (
    MOST_NAMES,
    Demand,
    Load,
    address_of,
    ask,
    belongs,
    is_right,
    name_of,
    percentile,
    question,
)
from benchmarks._dns_paths import DIRECT, FIRST_NEW, FLOOR, OURS, REPEATED, Answered, Case, median_ratio

Reply = Callable[[bytes, int], bytes]
PROVIDER = Provider("rfc2136", {"zone": "z"}, "community.general.nsupdate", {"server": "s"}, "{{ 7 }}")


def answer(asked: bytes, number: int, *, code: int = 0, count: int = 1) -> bytes:
    header = asked[:2] + bytes([0x81, 0x80 | code]) + struct.pack("!4H", 1, count, 0, 0)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address_of(number))
    return header + asked[12:] + record * count


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (answer(question(1, 5), 5), True),
        (answer(question(1, 5), 6), False),
        (answer(question(1, 5), 5, code=3), False),
        (answer(question(1, 5), 5, count=2), False),
        (answer(question(1, 5), 5, count=0), False),
    ],
    ids=["right", "another address", "NXDOMAIN", "two records", "no record"],
)
def test_only_the_address_of_the_name_is_right(given: bytes, right: bool) -> None:
    assert belongs(given, question(1, 5))
    assert is_right(given, 5) is right


@pytest.mark.parametrize(
    "given", [answer(question(2, 5), 5), answer(question(1, 6), 6), question(1, 5), answer(question(1, 5), 5)[:10]]
)
def test_what_answers_another_question_is_no_answer(given: bytes) -> None:
    assert not belongs(given, question(1, 5))


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value


def test_a_percentile_of_nothing_is_nothing() -> None:
    assert percentile([], 0.99) == 0


@contextmanager
def name_server(reply: Reply) -> Iterator[tuple[int, list[int]]]:
    """Answers until the block ends; yields its port and the names that it was asked."""
    numbers: list[int] = []

    def serve() -> None:
        while (got := server.recvfrom(512))[0]:
            number = int(got[0][14:20])
            numbers.append(number)
            if message := reply(got[0], number):
                server.sendto(message, got[1])

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port, numbers
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", port))
            thread.join(10)


def test_new_names_are_asked_once() -> None:
    with name_server(answer) as (port, numbers):
        load = ask(Demand("127.0.0.1", port, at_once=4, seconds=30, first=10, names=50, again=False))
    assert (load.answered, load.lost, load.wrong) == (50, 0, 0)
    assert sorted(numbers) == list(range(10, 60))
    assert load.rate > 0


def test_repeated_names_are_asked_until_the_time_is_over() -> None:
    with name_server(answer) as (port, numbers):
        load = ask(Demand("127.0.0.1", port, at_once=2, seconds=0.2, first=0, names=3, again=True))
    assert load.answered == len(numbers) > 3
    assert set(numbers) == {0, 1, 2}


def test_what_is_lost_or_wrong_counts_as_long_as_a_client_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dns_load, "TIMEOUT_SECONDS", 0.05)

    def reply(asked: bytes, number: int) -> bytes:
        return b"" if number == 3 else answer(asked, number + (number == 4))

    with name_server(reply) as (port, _numbers):
        load = ask(Demand("127.0.0.1", port, at_once=2, seconds=30, first=0, names=10, again=False))
    assert (load.answered, load.lost, load.wrong) == (8, 1, 1)
    assert load.p99_ms == 50


def test_an_answer_that_comes_too_late_is_not_that_of_a_later_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dns_load, "TIMEOUT_SECONDS", 0.05)
    kept: list[bytes] = []

    def late(asked: bytes, number: int) -> bytes:
        kept.append(answer(asked, number))
        return b"" if len(kept) == 1 else kept[-2]

    with name_server(late) as (port, _numbers):
        load = ask(Demand("127.0.0.1", port, at_once=1, seconds=30, first=0, names=3, again=False))
    assert (load.answered, load.lost, load.wrong) == (0, 3, 0)


def test_the_zone_has_the_names_that_are_asked_for() -> None:
    assert f"{name_of(299)} A {address_of(299)}\n" in _dns_servers.names_zone(300)
    assert address_of(299) == "198.18.1.43"


def test_ours_is_what_the_role_renders(tmp_path: Path) -> None:
    lines = _dns_servers.our_text("198.51.100.53", folder=tmp_path, port=5301).splitlines()
    assert {"port=5301", "server=198.51.100.53#53", "interface=tun-*", "no-resolv"} <= set(lines)
    assert [line for line in lines if line.startswith("server=")] == ["server=198.51.100.53#53"]
    assert (tmp_path / "dnsmasq.hosts").exists()
    assert (tmp_path / "dnsmasq.blocklist").exists()


def test_stock_sets_nothing_but_where_it_is_and_asks(tmp_path: Path) -> None:
    words = {line.partition("=")[0] for line in _dns_servers.stock_text("192.0.2.1", folder=tmp_path, port=1).split()}
    assert words == {"local-service", "resolv-file", "port"}


def test_settings_are_the_variables_of_the_role_that_its_filter_takes() -> None:
    defaults = {"dnsmasq_cache_size": 7, "dnsmasq_blocklists": []}
    assert _dns_servers.default_settings(defaults, {"cache_size": "{{ x }}", "folder": "y"}) == {"cache_size": 7}


def test_a_value_is_replaced_only_where_it_is() -> None:
    assert _dns_servers.with_value("port=53\nx\n", "port", 5) == "port=5\nx\n"
    with pytest.raises(ValueError, match="port= 0 times"):
        _dns_servers.with_value("no-port=53\n", "port", 5)


def test_no_case_is_asked_for_names_that_another_has_made_known() -> None:
    parts = [dns.new_names(number, 3) for number in range(3)]
    taken = [number for part in parts for number in (part[0], part[-1])]
    assert taken == sorted(taken)
    assert len(set(taken)) == 6
    assert taken[0] >= FIRST_NEW > REPEATED
    assert taken[-1] < MOST_NAMES
    cases = [case for sizes in (dns.Sizes(), dns.QUICK) for case in (*sizes.near, *sizes.far)]
    assert max(case.names for case in cases) <= REPEATED


def rounds(*rates: int, **more: Any) -> list[Answered]:
    return [Answered(Load(rate, 0, 0, 1.0, p99_ms=2.0), **more) for rate in rates]


def test_a_row_of_the_resolver_is_a_rate_with_its_peer_and_its_floor() -> None:
    found = {OURS: rounds(100, 10, 90, asked_upstream=0.5), DIRECT: rounds(50, 5, 90), FLOOR: rounds(180, 180, 180)}
    row = dns.resolver_row("x", found, peer=DIRECT).as_dict()
    assert median_ratio(found[OURS], found[DIRECT]) == row["ratio_to_peer"] == 2
    assert (row["n"], row["ours"], row["peer"], row["ratio_to_floor"]) == (200, 90, 50, 2)
    assert (row["p99_ms"], row["peer_p99_ms"], row["floor_lost"], row["asked_upstream_an_answer"]) == (2, 2, 0, 0.5)
    assert "peer_asked_upstream_an_answer" not in row


def test_cases_say_what_is_asked() -> None:
    assert [str(Case(100, 1)), str(Case(0, 64))] == ["100 names, 1 at once", "new names, 64 at once"]


def task(name: str, second: int, **result: Any) -> dict[str, Any]:
    duration = {"start": "2026-11-22T12:00:00.500000Z", "end": f"2026-11-22T12:00:{second:02}.000000Z"}
    return {"task": {"name": name, "duration": duration}, "hosts": {"localhost": {"changed": False, **result}}}


def report(*tasks: dict[str, Any]) -> str:
    return "[WARNING]: x\n" + json.dumps({"plays": [{"tasks": tasks}]}) + "\n"


def test_a_report_has_times_changes_and_messages() -> None:
    looped = {"results": [{"changed": True}, {"changed": False}, {"changed": True}]}
    text = report(
        task("allocate", 1, changed=True),
        task("count", 1, msg=4),
        task("write", 2, changed=True, verified=True),
        task("count", 2, msg="9"),
        task("peer write", 3, changed=True, **looped),
        task("count", 3, msg=15),
    )
    steps = read_report(text)
    assert list(steps) == ["allocate", "write", "peer write"]
    assert [step.seconds for step in steps.values()] == [0.5, 1.5, 2.5]
    assert [step.messages for step in steps.values()] == [None, 5, 6]
    assert [step.changed for step in steps.values()] == [1, 1, 2]
    assert steps["write"].result["verified"]


def test_two_tasks_between_two_counts_are_not_told_apart() -> None:
    steps = read_report(report(task("count", 1, msg=0), task("a", 1), task("b", 1), task("count", 1, msg=5)))
    assert [step.messages for step in steps.values()] == [None, None]


def test_a_play_that_failed_is_an_error_with_its_reason() -> None:
    with pytest.raises(ValueError, match=r"'write' failed: \['no zone'\]"):
        read_report(report(task("write", 1, failed=True, msg="no zone")))
    items = {"results": [{"failed": True, "msg": "no key"}, {"changed": True}]}
    with pytest.raises(ValueError, match="'some', 'no key'"):
        read_report(report(task("write", 1, failed=True, msg="some", **items)))
    with pytest.raises(ValueError, match="no report: ERROR! no such file"):
        read_report("ERROR! no such file")


def test_each_task_that_is_counted_stands_between_two_counts() -> None:
    names = [str(one["name"]) for one in tasks_of(PROVIDER, Path("/s/a.db"))]
    for step in ("write", "write again", "change", "one write", "peer write", "peer write again", "peer change"):
        place = names.index(step)
        assert (names[place - 1], names[place + 1]) == ("count", "count")


def test_only_peers_are_called_for_each_gateway() -> None:
    tasks = {str(one["name"]): one for one in tasks_of(PROVIDER, Path("/s/a.db"))}
    looped = {name for name, one in tasks.items() if "loop" in one}
    assert looped == {name for name in tasks if name.startswith(("one", "peer"))}
    assert len(looped) == 5
    assert tasks["peer change"]["community.general.nsupdate"]["value"] == "{{ second[item][0] }}"


STEPS = {
    "floor": Step(0.3, 0, {}),
    "write": Step(1.5, 1, {}, messages=600),
    "write again": Step(1.2, 0, {}, messages=300),
    "one allocate": Step(2.0, 4, {}),
    "peer write": Step(2.0, 4, {}, messages=8),
}


def test_a_row_of_the_fleet_is_by_the_gateway() -> None:
    row = dns.fleet_row("x", dns.Sizes(gateways=300, peer_gateways=4), STEPS, "write", "peer write").as_dict()
    assert (row["ours"], row["peer"], row["floor"], row["ratio_to_peer"]) == (5, 500, 1, 100)
    assert (row["messages_a_gateway"], row["peer_messages_a_gateway"], row["peer_n"]) == (2, 2, 4)
    assert "messages_a_gateway" not in dns.fleet_row("x", dns.Sizes(), STEPS, "floor", "one allocate").as_dict()


def test_a_task_that_changed_too_little_or_too_much_is_an_error() -> None:
    dns.require_changes(STEPS, 4)
    with pytest.raises(RuntimeError, match="'write again' changed 1 times, not 0"):
        dns.require_changes({**STEPS, "write again": Step(1, 1, {})}, 4)
    with pytest.raises(RuntimeError, match="'peer write' changed 3 times, not 4"):
        dns.require_changes({**STEPS, "peer write": Step(1, 3, {})}, 4)


def test_the_zone_must_show_the_last_addresses() -> None:
    names = {
        gateway: {"label": label} for gateway, label in zip(gateway_names(2, "gateway"), ("bath", "ely"), strict=True)
    }
    first, last = [each for (each,) in addresses(2, 0)], [each for (each,) in addresses(2, 2)]
    dns.require_zone(dict(zip(("bath", "ely"), last, strict=True)), names, 2)
    with pytest.raises(RuntimeError, match="the last address"):
        dns.require_zone({"bath": last[0], "ely": first[1]}, names, 2)
    with pytest.raises(RuntimeError, match="the last address"):
        dns.require_zone({"bath": last[0]}, names, 2)


def test_a_zone_is_read_by_its_labels() -> None:
    text = 'bath.bench.example.\t60\tIN\tA\t198.18.0.1\nbath.bench.example. 300 IN TXT "x"\n; done\n'
    assert read_zone(text) == {"bath": "198.18.0.1"}


def test_all_addresses_change() -> None:
    variables = dns.variables_of(dns.Sizes())
    assert not {one for (one,) in variables["first"]} & {one for (one,) in variables["second"]}
    assert len(variables["gateways"]) == len(variables["first"]) == len(variables["second"]) == 300
