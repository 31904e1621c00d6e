# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold some ports for a minute, answer whoever has the token, and note what arrives.

    python3 preflight_listener.py FOLDER

``FOLDER/settings.json`` has ``token``, ``seconds`` and ``ports``. ``ready.json`` and, when it is stopped, ``seen.json``
are written there; when its time is over, the folder goes. It runs by itself on hosts on which nothing of ours is
installed, so it needs this file alone.

Nothing is answered without the token, and no answer is longer than its question. The network card is watched, too
(``AF_PACKET``), so that what the host's own firewall drops is not taken for what never came.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import selectors
import shutil
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GREETING, ANSWER = b"privatespace-preflight 1 ", b"privatespace-preflight 2 "
MARK_BYTES = 16
_EVERY_FRAME = 0x0003
_MOST_NOTED = 200
# Anybody may connect; whoever says nothing is kept for five seconds.
_MOST_GREETINGS = 200
_TCP, _UDP = 6, 17


def request_of(token: str, mark: str) -> bytes:
    """What a probe sends."""
    return GREETING + f"{token} {mark}".encode("ascii") + b"\n"


def answer_of(token: str, mark: str) -> bytes:
    """What it gets: only who knows the token can say this."""
    return ANSWER + hashlib.sha256(f"{token} {mark}".encode("ascii")).hexdigest()[:32].encode("ascii") + b"\n"


@dataclass
class Port:
    """One port, and what arrived there: marks of probes with their addresses, and what the network card saw."""

    protocol: str
    port: int
    address: str = ""
    error: str = ""
    taken: bool = False
    marks: dict[str, str] = field(default_factory=dict)
    wire: dict[str, None] = field(default_factory=dict)

    def open(self) -> socket.socket | None:
        """Listen; why that does not go is noted."""
        kind = socket.SOCK_DGRAM if self.protocol == "udp" else socket.SOCK_STREAM
        for family, everywhere in ((socket.AF_INET6, "::"), (socket.AF_INET, "")):
            if self.address and (":" in self.address) != (family == socket.AF_INET6):
                continue
            opened = None
            try:
                opened = socket.socket(family, kind)
                if family == socket.AF_INET6:
                    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(self.address)))
                if kind == socket.SOCK_STREAM:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                opened.bind((self.address or everywhere, self.port))
                if kind == socket.SOCK_STREAM:
                    opened.listen(16)
                opened.settimeout(0)
            except OSError as error:
                self.error = error.strerror or str(error)
                self.taken = "in use" in self.error
                if opened is not None:
                    opened.close()
                if self.taken:
                    return None
                continue
            self.error = ""
            return opened
        return None

    def note(self, mark: str, source: str) -> None:
        """A mark arrived."""
        if len(self.marks) < _MOST_NOTED:
            self.marks.setdefault(mark, source)


class Listener:
    """All ports of one preflight."""

    def __init__(self, folder: Path) -> None:
        settings: dict[str, Any] = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self._folder = folder
        self._token: str = settings["token"]
        self._until = time.monotonic() + settings["seconds"]
        self._ports = [Port(one["protocol"], one["port"], one.get("address", "")) for one in settings["ports"]]
        self._selector = selectors.DefaultSelector()
        self._greetings: dict[socket.socket, tuple[Port, float]] = {}
        self._stopped = False

    def run(self) -> None:
        """Until the time is over, or somebody says so."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        for port in self._ports:
            opened = port.open()
            if opened is not None:
                self._selector.register(opened, selectors.EVENT_READ, (port, opened))
        is_watched = self._watch_card()
        self._write("ready.json", {"ports": [vars(one) for one in self._ports], "wire": is_watched})
        self._write("seen.json", self._seen())
        while not self._stopped and time.monotonic() < self._until:
            for key, _mask in self._selector.select(timeout=0.2):
                self._take(key.data)
            self._forget_slow()
        if self._stopped:
            self._write("seen.json", self._seen())
        else:
            # Nobody came to ask, so nobody will.
            shutil.rmtree(self._folder, ignore_errors=True)

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopped = True

    def _seen(self) -> list[dict[str, Any]]:
        return [
            {"protocol": one.protocol, "port": one.port, "marks": one.marks, "wire": list(one.wire)}
            for one in self._ports
        ]

    def _write(self, name: str, what: Any) -> None:
        draft = self._folder / f".{name}"
        draft.write_text(json.dumps(what), encoding="utf-8")
        draft.replace(self._folder / name)

    def _watch_card(self) -> bool:
        try:
            card = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERY_FRAME))
        except OSError:
            return False
        card.settimeout(0)
        self._selector.register(card, selectors.EVENT_READ, (None, card))
        return True

    def _take(self, data: tuple[Port | None, socket.socket]) -> None:
        port, ready = data
        with contextlib.suppress(OSError):
            if port is None:
                self._look(ready)
            elif ready in self._greetings:
                self._greet(port, ready)
            elif port.protocol == "udp":
                packet, source = ready.recvfrom(2048)
                mark = self._mark_in(packet)
                if mark:
                    port.note(mark, _plain(source[0]))
                    ready.sendto(answer_of(self._token, mark), source)
            else:
                accepted, _source = ready.accept()
                if len(self._greetings) >= _MOST_GREETINGS:
                    accepted.close()
                    return
                accepted.settimeout(0)
                self._greetings[accepted] = (port, time.monotonic() + 5)
                self._selector.register(accepted, selectors.EVENT_READ, (port, accepted))

    def _greet(self, port: Port, ready: socket.socket) -> None:
        try:
            mark = self._mark_in(ready.recv(2048))
            if mark:
                port.note(mark, _plain(ready.getpeername()[0]))
                ready.send(answer_of(self._token, mark))
        finally:
            self._close(ready)

    def _close(self, ready: socket.socket) -> None:
        self._greetings.pop(ready, None)
        self._selector.unregister(ready)
        ready.close()

    def _forget_slow(self) -> None:
        now = time.monotonic()
        for ready in [one for one, (_port, until) in self._greetings.items() if until < now]:
            self._close(ready)

    def _mark_in(self, packet: bytes) -> str:
        """The mark of who has the token, else nothing."""
        beginning = GREETING + self._token.encode("ascii") + b" "
        found = packet.find(beginning)
        mark = packet[found + len(beginning) :][:MARK_BYTES].decode("ascii", "replace") if found >= 0 else ""
        return mark if len(mark) == MARK_BYTES and mark.isalnum() else ""

    def _look(self, card: socket.socket) -> None:
        """Up to a hundred frames as they are; those that leave this host say nothing."""
        for _frame in range(100):
            frame, address = card.recvfrom(2048)
            if address[2] != getattr(socket, "PACKET_OUTGOING", 4):
                self._look_at(frame)

    def _look_at(self, frame: bytes) -> None:
        if len(frame) < 28:
            return
        version = frame[0] >> 4
        if version == 4:
            begin, protocol, source = (frame[0] & 15) * 4, frame[9], socket.inet_ntop(socket.AF_INET, frame[12:16])
        elif version == 6 and len(frame) >= 48:
            begin, protocol, source = 40, frame[6], socket.inet_ntop(socket.AF_INET6, frame[8:24])
        else:
            return
        if protocol not in (_TCP, _UDP) or len(frame) < begin + 8:
            return
        (target,) = struct.unpack("!H", frame[begin + 2 : begin + 4])
        name = "tcp" if protocol == _TCP else "udp"
        port = next((one for one in self._ports if (one.protocol, one.port) == (name, target)), None)
        if port is None or len(port.wire) >= _MOST_NOTED:
            return
        mark = self._mark_in(frame)
        if mark:
            port.wire[mark] = None
        elif protocol == _TCP and len(frame) > begin + 13 and frame[begin + 13] & 0x12 == 0x02:
            port.wire[source] = None


def _plain(address: str) -> str:
    """An IPv4 address as such, which an IPv6 socket shows in its own way."""
    return address.removeprefix("::ffff:")


if __name__ == "__main__":
    Listener(Path(sys.argv[1])).run()
