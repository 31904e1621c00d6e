"""What a denial has to do, and what a running process says of the register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denial_plan import (
    CUT_SESSIONS,
    WRITE_REGISTER,
    asks_register,
    complain_of_listeners,
    describe_listeners,
    plan_denial,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Denials, Entry
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import Process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    ListenerState,
    Order,
    SurvivorError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import render_server_config
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

SOCKET = Path("/run/openvpn-server/udp.sock")
REGISTER = Path("/etc/openvpn/server/privatespace/denied")
NOBODY, AL = Denials(), Denials({"users/al": Entry(1, "removal")})
ORDER = Order(frozenset(), judge=lambda _session, name: AL.cuts(name))


def process(*, modified: float = 50.0, **settings: Any) -> Process:
    listener = parse_process({"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"})
    text = render_server_config(listener, parse_settings(settings))
    return Process(7, SOCKET, Path("/etc/openvpn/server/udp.conf"), 100.0, modified, text)


HOOK: dict[str, Any] = {"connection_hook": "/usr/local/lib/privatespace/client_connect"}


def state(*names: str, kind: str = "answered") -> ListenerState:
    sessions = tuple(
        Session("udp", name, number, f"192.0.2.1:{number}", "10.91.0.2") for number, name in enumerate(names)
    )
    return ListenerState(SOCKET, kind, sessions, error="'udp' did not answer." if kind == "silent" else "")


@pytest.mark.parametrize(
    ("before", "states", "unproved", "steps", "cut"),
    [
        (NOBODY, (), "", (WRITE_REGISTER,), []),
        (NOBODY, (state("al@x", "alice@x"),), "", (WRITE_REGISTER, CUT_SESSIONS), ["al@x"]),
        (AL, (state("al@x", "alice@x"),), "", (CUT_SESSIONS,), ["al@x"]),
        (AL, (state("alice@x"),), "", (), []),
        (AL, (state("alice@x"),), "no hook", (CUT_SESSIONS,), []),
        (AL, (state(kind="not_running"),), "", (), []),
    ],
)
def test_what_is_to_be_done(
    before: Denials, states: tuple[ListenerState, ...], unproved: str, steps: tuple[str, ...], cut: list[str]
) -> None:
    change = plan_denial(before, AL, states=states, order=ORDER, unproved=unproved)
    assert change.steps == steps
    assert [one["common_name"] for one in change.result["sessions_cut"]] == cut
    assert change.result["denials"] == [{"entry": "users/al", "since": 1, "reason": "removal", "serials": None}]
    assert (change.before == change.after) is (before == AL and not cut)


def test_a_listener_that_says_nothing_is_no_proof() -> None:
    with pytest.raises(SurvivorError, match="'udp' did not answer"):
        plan_denial(AL, AL, states=[state(kind="silent")], order=ORDER)


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        (process(**HOOK), True),
        (process(**HOOK, second_factor="totp"), True),
        (process(modified=101.0, **HOOK), False),
        (process(folder="/etc/elsewhere", **HOOK), False),
        (process(), False),
        (process(chroot=True), False),
        (None, False),
    ],
)
def test_a_process_asks_the_register_if_it_was_started_with_the_line(found: Process | None, asks: bool) -> None:
    assert asks_register(found, REGISTER) is asks


@pytest.mark.parametrize(
    ("found", "kind", "words"),
    [
        (process(**HOOK), "answered", ""),
        (process(), "not_running", ""),
        (process(), "silent", ""),
        (process(), "answered", "The listener 'udp' does not ask the register of denials, as with openvpn_chroot"),
        (None, "answered", "refuses by the CRL only"),
        (process(modified=101.0, **HOOK), "answered", "restart openvpn-server@udp"),
    ],
)
def test_who_could_come_back_is_told(found: Process | None, kind: str, words: str) -> None:
    processes = {} if found is None else {SOCKET: found}
    (listener,) = describe_listeners([state(kind=kind)], processes, REGISTER)
    told = complain_of_listeners([listener])
    assert (told == "") is (words == "")
    assert words in told


def test_a_process_that_cannot_look_into_the_register_refuses_nobody() -> None:
    asking = {SOCKET: process(**HOOK)}
    (barred,) = describe_listeners([state()], asking, REGISTER, barred_by=lambda _process: "/etc/open vpn")
    assert (barred["refuses"], barred["barred_by"]) == (False, "/etc/open vpn")
    complaint = complain_of_listeners([barred])
    assert "'udp' cannot look into /etc/open vpn, so it lets in" in complaint
    assert "Run chmod a+x '/etc/open vpn' on this host." in complaint
    (free,) = describe_listeners([state()], asking, REGISTER)
    assert (free["refuses"], free["barred_by"], complain_of_listeners([free])) == (True, "", "")
