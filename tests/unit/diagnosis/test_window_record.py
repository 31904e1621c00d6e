"""What a window saw becomes a part of what is known of a gateway; and how a window is described."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_record import (
    empty_record,
    interrupted_record,
    merge_seen,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_settings import (
    WindowFiles,
    WindowSettings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.window_unit import (
    describe_open,
    describe_plan,
    render_call,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Clock,
    Gateway,
    Interface,
    Listener,
    Machine,
    Sample,
    TcpSession,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain

OLD = LogCount("tls_error", "udp", 3, window=False)
GATEWAY = Gateway(
    "gateway1",
    1.8e9,
    Machine(2),
    Clock(True),
    listeners=(Listener("udp", "udp", 1194, "answered"), Listener("tcp", "tcp", 443, "answered")),
    logs=(OLD,),
    interfaces=(Interface("eth0", 1500, received_dropped=99), Interface("tun-udp", 1500)),
    unknown=("The clock.",),
)
SAMPLE, COUNT = Sample(1.8e9, 0.25, "udp", 0.5), LogCount("backtrack", "udp", 2, 14.0)
SESSION = TcpSession("203.0.113.5:4711", 0.04)
SETTINGS = WindowSettings("0123456789abcdef", ("203.0.113.5",), seconds=60)


def seen(**changes: Any) -> dict[str, Any]:
    return {
        **empty_record(started=1.8e9, ended=1.8e9 + 60),
        "samples": [to_plain(SAMPLE)],
        "logs": [to_plain(COUNT)],
        "interfaces": [to_plain(Interface("eth0", 1500, received_dropped=2))],
        "udp_errors": {"RcvbufErrors": 5},
        "listeners": {"tcp": {"octets": 10**9, "cpu_seconds": 9.5, "tcp_sessions": [to_plain(SESSION)]}},
        "unmeasured": ["The listener 'x' has no management socket."],
        **changes,
    }


def test_what_was_seen_is_added_to_what_is_known() -> None:
    merged = merge_seen(GATEWAY, seen())
    assert merged.samples == (SAMPLE,)
    assert merged.logs == (OLD, COUNT)
    assert [one.received_dropped for one in merged.interfaces] == [2, 0]
    assert merged.udp_errors == {"RcvbufErrors": 5}
    udp, tcp = merged.listeners
    assert (udp.octets, udp.cpu_seconds, udp.tcp_sessions) == (0, None, ())
    assert (tcp.octets, tcp.cpu_seconds, tcp.tcp_sessions) == (10**9, 9.5, (SESSION,))
    assert merged.unknown == ("The clock.", "The listener 'x' has no management socket.")


def test_a_window_that_was_killed_saw_nothing_and_says_so() -> None:
    merged = merge_seen(GATEWAY, interrupted_record({"started": 1.8e9}, ["A rule is left."]))
    assert merged.samples == ()
    assert "was killed before its end" in merged.unknown[1]
    assert merged.unknown[2] == "A rule is left."


@pytest.mark.parametrize(
    "damage",
    [{"samples": None}, {"samples": [{"at": 1}]}, {"listeners": []}, {"udp_errors": None}, {"logs": "x"}],
)
def test_a_damaged_record_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        merge_seen(GATEWAY, seen(**damage))


def test_a_window_that_is_open_is_described() -> None:
    told = describe_open({"who": "alice", "started": 1790000000.0, "expires_at": 1790000120.0})
    assert told == (
        "A measuring window is open on this gateway. alice opened it at 14:13:20 UTC; it ends by 14:15:20 UTC at the "
        "latest."
    )
    assert describe_open({}) == "A measuring window is open on this gateway. somebody opened it."


def test_a_plan_names_who_reaches_what_for_how_long() -> None:
    first = describe_plan(SETTINGS)[0]
    assert "60 s" in first
    assert "203.0.113.5" in first
    assert "5201 and 5203" in first


def test_the_token_is_in_no_argument_of_a_program() -> None:
    call = render_call(WindowFiles(), SETTINGS)
    assert SETTINGS.token not in " ".join(call)
    assert call[0] == "systemd-run"
    assert "RuntimeMaxSec=80" in call
    assert "KillMode=control-group" in call
    assert any(word.startswith("ExecStopPost=") and word.endswith("undo /run/privatespace/diagnosis") for word in call)
