"""Removals one after the other, among people whose packets go on: how long each goes on sending, and who else notices.

Users are removed in groups, in quiet, and brought back after each group: first their devices try in vain, then the
denial is lifted and they connect again. So there are never fewer sessions than the group leaves.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

from benchmarks._gateway_module import GatewayModule, run_module_file
from benchmarks._orders import tell
from benchmarks._sessions import Device, Sessions, numbers_of
from benchmarks._steady_stream import LATE_SECONDS

GROUP = 10
# Everybody's packets, and those of who is about to be removed: the last of them is to be known to a few milliseconds.
PACE_SECONDS, WATCHED_PACE_SECONDS = 0.04, 0.002
BEFORE_SECONDS, AFTER_SECONDS = 0.1, 0.15
# A packet may be on its way through the server while the proof is made.
STILL_SENDING_SECONDS = 0.05
ANSWER_SECONDS = 5.0


@dataclass
class User:
    """Somebody with a device over each protocol."""

    name: str
    devices: Mapping[str, Device]


@dataclass(frozen=True)
class Removed:
    """One removal, in seconds from its beginning.

    :param silent: When the last packet left the tunnel, by protocol.
    :param proved: When it was known that no session was left.
    """

    silent: Mapping[str, float]
    proved: float


@dataclass
class Harm:
    """What happened that must not happen.

    :param lost: Packets of those who were not removed.
    :param renegotiated: Handshakes of theirs besides the first.
    :param through: Removed devices whose packets still came, or that connected again.
    """

    lost: int = 0
    renegotiated: int = 0
    through: int = 0

    @property
    def any(self) -> bool:
        return bool(self.lost or self.renegotiated or self.through)

    def as_dict(self) -> dict[str, int]:
        """For a row."""
        return {
            "bystander_lost": self.lost,
            "bystander_renegotiations": self.renegotiated,
            "removed_got_through": self.through,
        }


@dataclass(frozen=True)
class Measured:
    """What came of the removals by one way.

    :param answered: Packets that came back meanwhile, of everybody.
    :param worst: The longest that one of them took.
    """

    removed: Sequence[Removed]
    harm: Harm
    answered: int
    worst: float

    def silent(self, protocol: str) -> list[float]:
        """When each was silent over a protocol."""
        return [each.silent[protocol] for each in self.removed]


class Way(Protocol):
    """A way to remove somebody.

    :param denies: Whether who was removed is kept out until :meth:`lift`.
    """

    denies: bool

    def prepare(self, user: User) -> None:
        """What does not count."""

    def remove(self, user: User) -> None:
        """Return when the way has done all it does."""

    def lift(self, users: Sequence[User]) -> None:
        """Let them in again."""


@dataclass
class ByModule:
    """The module, in a process of its own, as Ansible starts it on the gateway.

    :param lifting: Lets users in again, by their names.
    """

    module: GatewayModule
    path: Path
    lifting: Callable[[Sequence[str]], None]
    denies: bool = True

    def prepare(self, user: User) -> None:
        """Write the file that Ansible would send."""
        self.module.write(self.path, user.name)

    def remove(self, user: User) -> None:
        """Run it.

        :raises RuntimeError: it failed, or found nobody.
        """
        if not run_module_file(self.path)["sessions_cut"]:
            raise RuntimeError(f"{user.name} was not connected")

    def lift(self, users: Sequence[User]) -> None:
        """Lift all denials."""
        self.lifting([user.name for user in users])


@dataclass
class ByEngine:
    """What the module does, without Python's start.

    :param removing: Removes a user by the name.
    """

    removing: Callable[[str], None]
    lifting: Callable[[Sequence[str]], None]
    denies: bool = True

    def prepare(self, user: User) -> None:
        """Nothing to do."""

    def remove(self, user: User) -> None:
        """Deny, cut and prove."""
        self.removing(user.name)

    def lift(self, users: Sequence[User]) -> None:
        """Lift all denials."""
        self.lifting([user.name for user in users])


@dataclass
class ByKill:
    """A bare ``kill`` on each management socket: nobody is kept out, and nothing is proved."""

    sockets: Mapping[str, Path]
    denies: bool = False

    def prepare(self, user: User) -> None:
        """Nothing to do."""

    def remove(self, user: User) -> None:
        """Tell each server.

        :raises RuntimeError: it has no such session.
        """
        for protocol, device in user.devices.items():
            kill(self.sockets[protocol], device.common_name)

    def lift(self, users: Sequence[User]) -> None:
        """Nothing to do."""


def kill(path: Path, common_name: str) -> None:
    """Say ``kill`` to a server, and nothing else.

    :raises RuntimeError: it has no such session.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        with connection.makefile("rw") as stream:
            stream.readline()
            stream.write(f"kill {common_name}\n")
            stream.flush()
            answer = stream.readline()
    if not answer.startswith("SUCCESS:"):
        raise RuntimeError(f"kill {common_name}: {answer.strip()}")


@dataclass
class Rounds:
    """Removes users of a gateway in turn.

    :param sessions: Everybody is connected, and sends.
    """

    sessions: Sessions
    users: Sequence[User]
    _harm: Harm = field(default_factory=Harm)
    _worst: float = 0.0
    _turn: Iterator[User] = field(init=False)

    def __post_init__(self) -> None:
        self._turn = cycle(self.users)

    def measure(self, way: Way, count: int) -> Measured:
        """Remove so many, and tell what happened meanwhile to those who were not removed."""
        before = tell(self.sessions.sender, "count")["answered"]
        removed = self._run(way, count)
        time.sleep(LATE_SECONDS + PACE_SECONDS)
        self._settle(devices_of(self.users))
        answered = tell(self.sessions.sender, "count")["answered"] - before
        measured = Measured(removed, self._harm, answered, self._worst)
        self._harm, self._worst = Harm(), 0.0
        return measured

    def _run(self, way: Way, count: int) -> list[Removed]:
        found: list[Removed] = []
        while len(found) < count:
            group = list(islice(self._turn, min(GROUP, count - len(found))))
            found += [self._remove(way, user) for user in group]
            self._bring_back(way, group)
        return found

    def _settle(self, devices: Sequence[Device]) -> None:
        told = tell(self.sessions.sender, "settle", numbers=numbers_of(devices))
        self._harm.lost += told["lost"]
        self._worst = max(self._worst, told["worst"])
        for each in devices:
            finished = each.handshakes()
            self._harm.renegotiated += finished - each.seen
            each.seen = finished

    def _remove(self, way: Way, user: User) -> Removed:
        devices = list(user.devices.values())
        # Until now they were bystanders.
        self._settle(devices)
        way.prepare(user)
        self.sessions.stream(devices, WATCHED_PACE_SECONDS)
        time.sleep(BEFORE_SECONDS)
        began = time.time()
        way.remove(user)
        proved = time.time()
        time.sleep(AFTER_SECONDS)
        silent = {}
        for protocol, last in zip(user.devices, self.sessions.last_packets(devices), strict=True):
            if last is None or last < began - BEFORE_SECONDS:
                raise RuntimeError(f"nothing came from {user.name} over {protocol} before the removal")
            self._harm.through += last > proved + STILL_SENDING_SECONDS
            silent[protocol] = max(0.0, last - began)
        self.sessions.stream(devices, PACE_SECONDS)
        return Removed(silent, proved - began)

    def _bring_back(self, way: Way, group: Sequence[User]) -> None:
        devices = devices_of(group)
        tell(self.sessions.sender, "stop", numbers=numbers_of(devices))
        self.sessions.stop(devices)
        if way.denies:
            self.sessions.start(devices)
            connected, _refused = self.sessions.outcomes(devices)
            self._harm.through += len(connected)
            self.sessions.stop(devices)
            way.lift(group)
        self.sessions.connect(devices)
        for each in devices:
            each.seen = each.handshakes()
        self.sessions.stream(devices, PACE_SECONDS)


def devices_of(users: Sequence[User]) -> list[Device]:
    """All devices of some users."""
    return [device for user in users for device in user.devices.values()]
