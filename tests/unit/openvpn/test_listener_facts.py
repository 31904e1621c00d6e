"""A listener as it describes itself, beside what the host says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.listener_facts import (
    Surroundings,
    describe_listener,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.offload import judge_offload
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import Program
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import ListenerState
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import (
    ServerFacts,
    StatusError,
    parse_facts,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import Unit

SOCKET = Path("/run/openvpn-server/udp.sock")
CONFIG = Path("/etc/openvpn/server/udp.conf")
UNIT = "openvpn-server@udp.service"
FACTS = ServerFacts(10, "2.6.14", 1790000001, offload=True, bytes_received=5, bytes_sent=6)
STATE = ListenerState(SOCKET, "answered", facts=FACTS)
GOOD = Surroundings(
    processes={SOCKET: Process(10, SOCKET, CONFIG, 1790000000.5, 1789999999.0, "port 1194\ndev tun-udp\n")},
    programs={10: Program(10, CONFIG, UNIT, 1790000000.5)},
    units={UNIT: Unit(UNIT, active=True, enabled=True, main_pid=10)},
    link_kinds={"tun-udp": "tun"},
    modules=frozenset({"ovpn-dco-v2"}),
)
VERSION = [
    "OpenVPN Version: OpenVPN 2.6.14 x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [AEAD] [DCO]",
    "Management Version: 5",
]


def answers(**changes: Any) -> ServerFacts:
    given: dict[str, Any] = {
        "pid": "SUCCESS: pid=10", "load": "SUCCESS: nclients=1,bytesin=5,bytesout=6",
        "state": ["1790000001,CONNECTED,SUCCESS,10.91.0.1,,,,"], "version": VERSION,
    }  # fmt: skip
    return parse_facts(listener="udp", **{**given, **changes})


def test_what_a_server_says_of_itself() -> None:
    assert answers() == FACTS
    assert answers(state=["1790000000,WAIT,,,,,,"]).connected_since is None
    assert answers(state=[]).connected_since is None
    assert not answers(version=[VERSION[0].replace(" [DCO]", "")]).offload


@pytest.mark.parametrize("changes", [{"pid": "ERROR: no"}, {"load": "SUCCESS: x"}, {"version": ["Management 5"]}])
def test_what_is_no_answer_of_a_server_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(StatusError, match="udp"):
        answers(**changes)


def test_a_healthy_listener() -> None:
    found = describe_listener(STATE, GOOD)
    assert found == {
        "name": "udp", "socket": str(SOCKET), "state": "answered", "pid": 10, "version": "2.6.14",
        "connected_since": 1790000001, "started_at": 1790000000.5, "stale": False, "sessions": 0,
        "bytes_received": 5, "bytes_sent": 6, "problems": [],
        "dco": "possible", "dco_reason": "the module is there, and the listener was started without it",
    }  # fmt: skip


def problems(state: ListenerState = STATE, **changes: Any) -> list[str]:
    return list(describe_listener(state, replace(GOOD, **changes))["problems"])


def test_a_process_that_is_not_that_of_its_unit_is_a_problem() -> None:
    (found,) = problems(units={UNIT: Unit(UNIT, active=True, main_pid=11)})
    assert found == f"Process 10 answers for the listener 'udp', but {UNIT} runs process 11."


def test_a_process_older_than_its_configuration_is_a_problem() -> None:
    process = replace(GOOD.processes[SOCKET], config_modified_at=1790000002.0)
    (found,) = problems(processes={SOCKET: process})
    assert "started before its configuration was written" in found


def test_a_configuration_that_is_gone_is_a_problem() -> None:
    (found,) = problems(processes={})
    assert str(CONFIG) in found


def test_a_listener_that_does_not_run_or_hangs_or_is_not_ready_is_a_problem() -> None:
    assert problems(ListenerState(SOCKET, "not_running")) == ["The listener 'udp' does not run."]
    assert problems(ListenerState(SOCKET, "silent", error="It hangs.")) == ["It hangs."]
    (found,) = problems(replace(STATE, facts=replace(FACTS, connected_since=None)))
    assert "not ready" in found


def test_a_host_that_shows_nothing_of_the_process_leaves_what_the_server_says() -> None:
    found = describe_listener(STATE, Surroundings())
    assert (found["pid"], found["started_at"], found["problems"]) == (10, 1790000001, [])


@pytest.mark.parametrize(
    ("facts", "kind", "modules", "config", "expected"),
    [
        (FACTS, "ovpn-dco", set(), "", ("active", "ovpn-dco")),
        (replace(FACTS, version="2.7.6"), "ovpn", {"ovpn"}, "", ("active", "ovpn")),
        (replace(FACTS, offload=False), "tun", {"ovpn-dco-v2"}, "", ("unavailable", "built without")),
        (FACTS, "tun", {"ovpn"}, "", ("unavailable", "no module ovpn-dco-v2")),
        (replace(FACTS, version="2.7.6"), "tun", {"ovpn-dco-v2"}, "", ("unavailable", "no module ovpn")),
        (FACTS, "tun", {"ovpn-dco-v2"}, "port 1\ncompress lz4-v2\n", ("possible", "'compress lz4-v2'")),
        (FACTS, "tun", {"ovpn-dco-v2"}, "allow-compression no\n", ("possible", "without it")),
        (FACTS, None, {"ovpn-dco-v2"}, "disable-dco", ("possible", "'disable-dco'")),
    ],
)
def test_offload(
    facts: ServerFacts, kind: str | None, modules: set[str], config: str, expected: tuple[str, str]
) -> None:
    state, reason = judge_offload(facts, link_kind=kind, modules=modules, config=config)
    assert state == expected[0]
    assert expected[1] in reason
