"""The pure parts of the removal benchmark: what is counted, what is read, what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks._gateway_module import GatewayModule
from benchmarks._removal_playbook import (
    Step,
    alias_inventory,
    one_remote,
    parse_steps,
    sessions_cut,
    split_seconds,
)
from benchmarks._removal_rounds import Harm, Measured, Removed
from benchmarks._sessions import outcome_of
from benchmarks._steady_stream import LATE_SECONDS, Stream
from benchmarks.removal import median_split, playbook_row, silence_row


def test_a_packet_without_an_answer_is_lost_once_it_is_late() -> None:
    stream = Stream(7)
    first, second = stream.packet(10.0), stream.packet(10.1)
    stream.take(first, 10.3)

    assert stream.lost(10.1 + LATE_SECONDS) == 0
    assert stream.lost(10.2 + LATE_SECONDS) == 1
    assert (stream.sent, stream.answered) == (2, 1)
    assert stream.worst == pytest.approx(0.3)
    assert len(second) == len(first) == 64


def test_an_answer_that_comes_again_or_too_late_counts_for_nothing() -> None:
    stream = Stream(7)
    packet = stream.packet(10.0)
    stream.take(packet, 10.1)
    stream.take(packet, 10.5)
    forgotten = stream.packet(11.0)
    stream.forget()
    stream.take(forgotten, 19.0)

    assert (stream.answered, stream.worst, stream.lost(99.0)) == (1, 0.0, 0)


def test_what_could_not_be_sent_is_lost() -> None:
    assert Stream(7, unsent=2).lost(0.0) == 2


def test_a_client_is_connected_or_refused_or_neither_yet() -> None:
    assert outcome_of("TLS: Initial packet") is None
    assert outcome_of("x\nInitialization Sequence Completed\n") is True
    # A client that was connected once and is refused afterwards, as a removed one is.
    assert outcome_of("Initialization Sequence Completed\nAUTH: Received control message: AUTH_FAILED\n") is False


def test_a_module_is_written_for_another_word(tmp_path: Path) -> None:
    module = GatewayModule(b'{"users": ["somebody"]}', "somebody")
    module.write(tmp_path / "module", "alice")

    assert (tmp_path / "module").read_text() == '{"users": ["alice"]}'
    with pytest.raises(ValueError, match="exactly once"):
        GatewayModule(b"somebody somebody", "somebody").write(tmp_path / "module", "alice")


def task(action: str, start: str, end: str, **hosts: dict[str, Any]) -> dict[str, Any]:
    times = {"start": f"2026-11-23T09:00:{start}Z", "end": f"2026-11-23T09:00:{end}Z"}
    answers = {host: {"action": action, **answer} for host, answer in hosts.items()}
    return {"task": {"name": action, "duration": times}, "hosts": answers}


def test_steps_are_read_in_order_and_without_what_was_skipped() -> None:
    later = task("privatespace.gateway.openvpn_denial", "03.5", "04.5", g1={"timeline": {"cut_at": 5.0}}, g2={})
    first = task("ansible.builtin.set_fact", "01", "02", ca={})
    nobody = task("ansible.builtin.debug", "02", "03", ca={"skipped": True})
    steps = parse_steps({"plays": [{"tasks": [later]}, {"tasks": [first, nobody]}]})

    assert [step.action for step in steps] == ["set_fact", "openvpn_denial"]
    assert steps[1].end - steps[1].start == 1.0
    assert steps[1].moments("cut_at") == [5.0]


def removal_steps() -> list[Step]:
    def denial(cut_at: float) -> dict[str, Any]:
        return {"timeline": {"denied_at": cut_at - 0.125, "cut_at": cut_at}, "sessions_cut": [{}]}

    def session(verified_at: float) -> dict[str, Any]:
        return {"timeline": {"crl_installed_at": verified_at - 0.25, "cut_at": None, "verified_at": verified_at}}

    return [
        Step("set_fact", 101.0, 101.25, {"ca": {}}),
        Step("openvpn_denial", 101.5, 102.5, {"g1": denial(102.0), "g2": denial(102.25)}),
        Step("pki_users", 103.0, 103.5, {"ca": {}}),
        Step("pki_crl", 103.5, 103.75, {"ca": {}}),
        Step("openvpn_session", 104.0, 105.5, {"g1": session(104.5), "g2": session(105.25)}),
    ]


def test_the_seconds_of_a_removal_are_split() -> None:
    split = split_seconds(removal_steps(), began=100.0, ended=106.0)

    assert split == {
        "ansible_start_s": 1.0, "layer_a_and_authority_s": 2.25, "copy_s": 1.0, "verify_s": 0.25,
        "other_tasks_s": 0.75, "verified_s": 5.25, "layer_a_s": 1.0, "cut_s": 0.125, "command_to_cut_s": 2.25,
        "token_and_signature_s": 0.75, "report_s": 0.75,
    }  # fmt: skip
    assert sessions_cut(removal_steps()) == 2


def test_a_layer_that_is_missing_is_an_error() -> None:
    steps = removal_steps()
    with pytest.raises(ValueError, match="did not run openvpn_session"):
        split_seconds(steps[:-1], began=100.0, ended=106.0)
    with pytest.raises(ValueError, match="cut_at"):
        split_seconds([Step("openvpn_denial", 1, 2, {"g1": {}}), *steps[2:]], began=100.0, ended=106.0)


def test_many_names_stand_for_a_few_hosts() -> None:
    hosts = {name: {"ansible_host": f"192.0.2.{number}"} for number, name in enumerate(("g1", "g2", "g3"))}
    inventory = {"all": {"vars": {"x": 1}, "children": {"authority": {"hosts": {"ca": {}}}, "gateways": {
        "hosts": hosts, "vars": {"y": 2}}}}}  # fmt: skip
    made = alias_inventory(inventory, gateways=["g3", "g1"], count=3, control=Path("/tmp/c"))["all"]

    aliases = made["children"]["gateways"]["hosts"]
    assert [one["ansible_host"] for one in aliases.values()] == ["192.0.2.2", "192.0.2.0", "192.0.2.2"]
    assert len({one["ansible_ssh_extra_args"] for one in aliases.values()}) == 3
    assert made["children"]["gateways"]["vars"] == {"y": 2}
    assert made["vars"] == {"x": 1}
    assert made["children"]["authority"]["hosts"]["ca"] == {"ansible_ssh_extra_args": "-o ControlPath=/tmp/c/ca"}
    assert list(hosts) == ["g1", "g2", "g3"]


def test_a_profile_is_left_with_one_gateway() -> None:
    profile = "client\nremote a 1194 udp\nremote-cert-tls server\nremote b 443 tcp-client\nremote-random\n"
    assert one_remote(profile, "remote c 1 udp") == "client\nremote c 1 udp\nremote-cert-tls server\n"


def test_the_run_in_the_middle_is_told_as_a_whole() -> None:
    splits = [{"verified_s": float(seconds), "copy_s": float(-seconds)} for seconds in (9, 5, 7)]
    assert median_split(splits) == {"verified_s": 7.0, "copy_s": -7.0}


def test_a_row_has_the_median_of_a_protocol_and_what_went_wrong() -> None:
    removed = [Removed({"udp": seconds, "tcp": 9.0}, seconds + 0.1) for seconds in (0.01, 0.02, 0.9)]
    found = Measured(removed, Harm(lost=1), answered=70, worst=0.05)
    row = silence_row("engine", "udp", found, peer=8.0, floor=0.01).as_dict()

    assert (row["ours"], row["p99"], row["n"], row["ratio_to_peer"], row["ratio_to_floor"]) == (0.02, 0.9, 3, 400, 2)
    assert (row["bystander_lost"], row["bystander_renegotiations"], row["removed_got_through"]) == (1, 0, 0)
    assert Harm(through=1).any
    assert not Harm().any


def test_a_row_of_many_names_tells_what_a_further_gateway_costs() -> None:
    split = split_seconds(removal_steps(), began=100.0, ended=106.0)
    row = playbook_row(12, {**split, "verified_s": 25.25}, split).as_dict()

    assert (row["ours"], row["seconds_a_further_gateway"], row["copy_and_verify_s"]) == (25.25, 2.0, 1.25)
    assert not {"cut_s", "copy_s", "verify_s", "command_to_cut_s"} & set(row)
    assert playbook_row(2, split, split).as_dict()["cut_s"] == 0.125
