"""The pure parts of the benchmark of the diagnosis: who was right, what was planted, what a router is told."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections import Counter

import pytest
from benchmarks._bystander import PACKET_BYTES, Packet, parse_packets, quality
from benchmarks._bystander_run import Disturbance
from benchmarks._diagnosis_path import Line, lose, police_udp, router_rules
from benchmarks._diagnosis_run import Limits
from benchmarks._diagnosis_score import (
    NOTHING,
    Verdict,
    alarms_on_healthy,
    confusion,
    matrix_lines,
    score,
)
from benchmarks._gateway_module import GatewayModule
from benchmarks._namespaces import Relay
from benchmarks._planted_causes import (
    BLACK_HOLE,
    CASES,
    COMPRESSION,
    EXPIRING,
    HEALTHY,
    LOSS,
    REORDERED,
    SINGLE,
    SMALL_BUFFERS,
    UDP_POLICED,
    Case,
)
from benchmarks._rows import Options
from benchmarks.diagnosis import BENCH, QUICK, SOAK, case_row, disturbance_row, is_good, plan_of, total_row

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import CAUSES


def verdict(planted: str, named: str, *, error: str = "") -> Verdict:
    return Verdict("case", frozenset(planted.split()), frozenset(named.split()), error=error)


@pytest.mark.parametrize(
    ("planted", "named", "is_right", "false_alarms", "missed"),
    [
        ("", "", True, "", ""),
        ("loss", "loss", True, "", ""),
        ("loss expiry", "expiry loss", True, "", ""),
        ("", "loss", False, "loss", ""),
        ("loss", "", False, "", "loss"),
        ("loss", "loss expiry", False, "expiry", ""),
        ("loss", "expiry", False, "expiry", "loss"),
    ],
)
def test_a_run_is_right_when_exactly_what_was_planted_was_named(
    planted: str, named: str, is_right: bool, false_alarms: str, missed: str
) -> None:
    one = verdict(planted, named)
    assert (one.is_right, one.false_alarms, one.missed) == (
        is_right, frozenset(false_alarms.split()), frozenset(missed.split()),
    )  # fmt: skip


def test_a_run_without_a_diagnosis_is_not_right() -> None:
    assert not verdict("", "", error="it broke").is_right
    assert score([verdict("", "", error="it broke")]).failed == 1


def test_runs_are_counted() -> None:
    found = score([verdict("", ""), verdict("loss", "expiry"), verdict("loss", "loss"), verdict("", "loss expiry")])
    assert (found.runs, found.right, found.false_alarms, found.missed, found.share) == (4, 2, 3, 1, 0.5)
    assert score([]).share == 0.0


def test_alarms_on_healthy_are_those_where_nothing_was_planted() -> None:
    assert alarms_on_healthy([verdict("", "loss"), verdict("expiry", "loss"), verdict("", "")]) == 1


def test_the_matrix_has_what_was_planted_beside_what_was_named() -> None:
    runs = [
        verdict("", ""), verdict("", "loss"), verdict("loss", "loss"), verdict("loss expiry", "loss slow"),
        verdict("loss", ""), verdict("loss", "loss slow"), verdict("loss", "", error="it broke"),
    ]  # fmt: skip
    assert confusion(runs) == {
        (NOTHING, NOTHING): 1, (NOTHING, "loss"): 1, ("loss", "loss"): 3, ("expiry", "slow"): 1, ("loss", NOTHING): 1,
        (NOTHING, "slow"): 1,
    }  # fmt: skip


def test_the_matrix_is_shown_with_its_causes_in_order() -> None:
    counts = Counter({("loss", "loss"): 12, ("expiry", NOTHING): 1, (NOTHING, NOTHING): 3})
    assert matrix_lines(counts, ("expiry", "slow", "loss")) == [
        "planted  named, by the number of the line",
        "           1   2   3",
        "expiry     .   .   1  1",
        "loss       .  12   .  2",
        "nothing    .   .   3  3",
    ]


def test_a_router_polices_and_loses_both_ways() -> None:
    text = router_rules(Line(rules=(*police_udp(10), *lose(0.015))))
    assert text.count("meta l4proto udp limit rate over 1250000 bytes/second burst 256000 bytes drop") == 2
    assert "numgen random mod 100000 < 1500 drop" in text
    assert "destination-unreachable" not in text
    assert "length" not in text


def test_a_black_hole_tells_nobody_and_works_both_ways() -> None:
    text = router_rules(Line(mtu=1400, tells_mtu=False))
    assert "icmp type destination-unreachable drop" in text
    assert "iifname e10-72-1 meta length > 1400 drop" in text


def test_a_relay_makes_packets_late_only_when_asked() -> None:
    assert Relay(40, 100, 20).arguments() == ["20000", "100000000", "250000", "0"]
    assert Relay(40, 100, 20, late_per_million=7, late_us=9).arguments()[4:] == ["7", "9"]


def test_cases_have_names_of_their_own_and_causes_that_findings_can_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert {cause for case in CASES for cause in case.expected} <= set(CAUSES)
    assert not any(case.causes for case in HEALTHY)


def test_every_cause_is_played_alone_and_the_long_form_plays_sixty_times() -> None:
    alone = {cause.name for case in SINGLE for cause in case.causes if len(case.causes) == 1}
    assert {cause.name for case in CASES for cause in case.causes} == alone
    assert len(SOAK.cases) * SOAK.rounds >= 60
    assert sum(len(case.causes) > 1 for case in SOAK.cases) >= 3
    assert {case.name for case in SINGLE} < {case.name for case in BENCH.cases}
    assert [case for case in QUICK.cases if not case.causes]


def test_causes_at_once_are_all_on_the_line() -> None:
    line = Case("x", (UDP_POLICED, LOSS, BLACK_HOLE), line=Line(mbit=20, rules=("first",))).played_line()
    assert line.rules[0] == "first"
    assert set(line.rules) >= {*police_udp(10), *lose(0.02)}
    assert (line.mtu, line.tells_mtu, line.mbit) == (1400, False, 20)


def test_causes_at_once_are_all_in_the_configuration() -> None:
    setup = Case("x", (SMALL_BUFFERS, COMPRESSION, BLACK_HOLE, REORDERED)).played_setup()
    assert setup.settings["tcp"] == {"socket_buffer_bytes": 65536, "compression": "lz4-v2"}
    assert list(setup.lines["udp"]) == ["mssfix 0", "replay-window 64 15"]
    assert list(setup.lines["tcp"]) == ["mssfix 0"]
    assert "mssfix 0" in setup.client_lines


def test_a_certificate_that_ends_is_another_one() -> None:
    case = Case("x", (EXPIRING,))
    usual = dataclasses.make_dataclass("Usual", [])()
    assert Case("x").keys(usual) is usual
    left = case.keys(usual).authority.life
    assert EXPIRING.certificate_life == left


def test_options_choose_what_is_played() -> None:
    assert plan_of(Options(json=False, quick=False)) is BENCH
    assert plan_of(Options(json=False, quick=True)) is QUICK
    assert plan_of(Options(json=False, quick=False, soak=True)) is SOAK
    # What the playbook has by default.
    assert SOAK.limits == SOAK.fast_limits == Limits(60, 200)


def test_a_row_counts_the_runs_of_its_case() -> None:
    row = case_row([verdict("loss", "loss"), verdict("loss", "loss expiry")]).as_dict()
    assert (row["n"], row["ours"], row["right"], row["false_alarms"], row["missed"]) == (2, 0.5, 1, 1, 0)
    assert (row["planted"], row["named"]) == ("loss", "expiry loss")
    whole = total_row([verdict("", "loss"), verdict("", "")], 3).as_dict()
    assert (whole["false_alarms_on_healthy"], whole["left_behind"], whole["ratio_to_floor"]) == (1, 3, 2.0)


def test_a_bench_is_good_without_alarms_on_healthy_and_the_long_form_when_enough_is_right() -> None:
    right, wrong, alarm = verdict("loss", "loss"), verdict("loss", ""), verdict("", "loss")
    assert is_good([right, wrong], [], soak=False)
    assert not is_good([right, wrong], [], soak=True)
    assert is_good([right] * 19 + [wrong], [], soak=True)
    assert not is_good([right] * 18 + [wrong], [], soak=True)
    assert not is_good([right] * 99 + [alarm], [], soak=True)
    assert not is_good([right], ["a process"], soak=False)
    assert not is_good([right, verdict("", "", error="it broke")], [], soak=False)


def test_the_quality_of_a_call_is_that_of_its_packets() -> None:
    packets = [Packet(10 + number / 100, 0.01 + number / 1e5) for number in range(100)] + [Packet(10.5, None)]
    found = quality(packets, 10.0, 11.0)
    assert (found.packets, found.lost) == (101, 1)
    assert found.lost_share == pytest.approx(1 / 101)
    assert found.mbit == pytest.approx(100 * PACKET_BYTES * 8 / 1e6)
    assert found.p50_ms == pytest.approx(10.495)
    assert found.p99_ms == pytest.approx(10.99)
    assert quality(packets, 20.0, 21.0).p50_ms is None


def test_a_line_that_is_not_finished_is_no_packet() -> None:
    assert parse_packets(["[1.5, 0.25]\n", "[2.5, null]\n", "[3.5, 0.2"]) == [Packet(1.5, 0.25), Packet(2.5, None)]


def test_a_bystander_row_has_what_was_before_and_meanwhile() -> None:
    before, during = quality([Packet(1, 0.01)], 0, 2), quality([Packet(3, 0.02), Packet(3.5, None)], 2, 4)
    row = disturbance_row(Disturbance(before, during, 60)).as_dict()
    assert (row["ours"], row["bystander_lost"], row["lost_before"]) == (0.5, 1, 0)
    assert (row["p50_ms_before"], row["p50_ms"]) == (10.0, 20.0)


def test_a_module_is_sent_with_other_arguments() -> None:
    first = {"text": 'it\'s "quoted" \\ \n'}
    module = GatewayModule(f"a = 1\nparams={json.dumps({'ANSIBLE_MODULE_ARGS': first})!r},\nb = 2".encode(), "")
    changed = module.with_arguments({"other": ["x'y", 1]}).decode()
    first_line, line, last_line = changed.splitlines()
    assert (first_line, last_line) == ("a = 1", "b = 2")
    said = ast.literal_eval(line.removeprefix("params=").removesuffix(","))
    assert json.loads(said) == {"ANSIBLE_MODULE_ARGS": {"other": ["x'y", 1]}}
    with pytest.raises(ValueError, match="0 times"):
        GatewayModule(b"nothing", "").with_arguments({})
