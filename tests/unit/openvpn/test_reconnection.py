"""Which sessions have to connect again, and what is done to those that do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import reconnection
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal import (
    ANSWERED,
    SILENT,
    ListenerState,
    SurvivorError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import parse_status

UDP = parse_process({"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/24"})
SOCKET = Path("/run/openvpn-server/udp.sock")
COLUMNS = (
    "Common Name", "Real Address", "Virtual Address", "Virtual IPv6 Address", "Bytes Received", "Bytes Sent",
    "Connected Since", "Connected Since (time_t)", "Username", "Client ID", "Peer ID", "Data Channel Cipher",
)  # fmt: skip
DYNAMIC, STATIC, OTHER = "10.91.0.7", "10.91.0.200", "10.91.0.201"


def session(name: str, address: str, client_id: int = 1) -> Any:
    row = (name, f"192.0.2.1:{5000 + client_id}", address, "", "1", "1", "x", "1", "UNDEF", str(client_id), "0", "x")
    text = ["\t".join(("HEADER", "CLIENT_LIST", *COLUMNS)), "\t".join(("CLIENT_LIST", *row))]
    return parse_status(text, listener="udp")[0]


def misplaced(*sessions: Any, files: dict[str, str] | None = None) -> list[str]:
    states = [ListenerState(SOCKET, ANSWERED, sessions)]
    found = reconnection.find_misplaced(states, [UDP], read=lambda _process, name: (files or {}).get(name))
    return [one.common_name for group in found for one in group.sessions]


@pytest.mark.parametrize(
    ("address", "text", "expected"),
    [
        (DYNAMIC, None, False),
        (STATIC, None, True),
        (STATIC, f"ifconfig-push {STATIC} 255.255.255.0\n", False),
        (OTHER, f"ifconfig-push {STATIC} 255.255.255.0\n", True),
        (DYNAMIC, f"ifconfig-push {STATIC} 255.255.255.0\n", True),
        (DYNAMIC, 'push "ping 10"\n', False),
        (OTHER, f"# ifconfig-push {STATIC} 255.255.255.0\ndisable\n", False),
        ("", f"ifconfig-push {STATIC} 255.255.255.0\n", False),
    ],
)
def test_a_session_is_misplaced_if_its_address_is_not_its_own(address: str, text: str | None, expected: bool) -> None:
    files = {} if text is None else {"al@x": text}
    assert misplaced(session("al@x", address), files=files) == (["al@x"] if expected else [])


def test_a_listener_that_hangs_is_an_error() -> None:
    with pytest.raises(SurvivorError, match="hangs"):
        reconnection.find_misplaced([ListenerState(SOCKET, SILENT, error="It hangs.")], [UDP], read=lambda *_: None)


class Server:
    """Ends a session when it is told to: at the polite word, at the hard one, or never."""

    def __init__(self, *sessions: Any, obeys: str) -> None:
        self.present = list(sessions)
        self.obeys = obeys
        self.told: list[tuple[str, int]] = []

    def sessions(self) -> tuple[Any, ...]:
        return tuple(self.present)

    def restart_session(self, one: Any) -> None:
        self._tell("restart", one)

    def kill_session(self, one: Any) -> None:
        self._tell("kill", one)

    def _tell(self, word: str, one: Any) -> None:
        self.told.append((word, one.client_id))
        if word == self.obeys:
            # The client comes back at once, as another session of the same name.
            self.present = [replace(other, client_id=99) if other == one else other for other in self.present]


@pytest.mark.parametrize(
    ("obeys", "told", "survives"),
    [
        ("restart", [("restart", 1)], False),
        ("kill", [("restart", 1), ("kill", 1)], False),
        ("nothing", [("restart", 1), ("kill", 1)], True),
    ],
)
def test_the_word_gets_harder(
    monkeypatch: pytest.MonkeyPatch, obeys: str, told: list[tuple[str, int]], survives: bool
) -> None:
    monkeypatch.setattr(reconnection, "POLITE_SECONDS", 0.05)
    monkeypatch.setattr(reconnection, "LOOK_AGAIN_SECONDS", 0.01)
    wrong = session("al@x", OTHER)
    server = Server(wrong, session("bo@x", DYNAMIC, 2), obeys=obeys)

    @contextmanager
    def talk(_path: Path) -> Iterator[Server]:
        yield server

    (cut,) = reconnection.reconnect(
        [reconnection.Misplaced(SOCKET, "udp", (wrong,))], open_socket=talk, timeout_seconds=0.05
    )
    assert server.told == told
    assert bool(cut.survivors) is survives
    assert "bo@x" in [one.common_name for one in server.present]
