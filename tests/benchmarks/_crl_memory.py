"""What very many revocations cost a server: memory, and time to connect; with a CRL, and with a folder of serials."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks._crl_lab import revocations
from benchmarks._orders import tell
from benchmarks._sessions import Device, Sessions, outcome_of, wait_for
from benchmarks._tunnels import Server

from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import write_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._host.serial_folder import add_serial_files
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import Revocation, encode_entries
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import pem_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import CrlFields, sign_crl

CRL, SERIALS = "crl", "serials"
CONNECTIONS = 3
# What the server says of a certificate: by the CRL, and by the folder.
REFUSAL = re.compile(r"VERIFY (ERROR|CRL): .*revoked")
PACE_SECONDS = 0.01
KILOBYTES_A_MEGABYTE = 1024
SETTLING_SECONDS = 0.3


@dataclass(frozen=True)
class Cost:
    """What was measured, in seconds and megabytes.

    :param start: Until the server is ready.
    :param before: A connection, with what the server found at its start.
    :param first: The first connection after somebody more was revoked.
    :param later: One after that.
    :param others_wait: The longest that a packet of somebody else took during those.
    :param memory_mb: Of the server, at the end; ``peak_mb`` the most it ever had.
    :param let_in: Whether who was revoked connected nevertheless.
    """

    start: float
    before: float
    first: float
    later: float
    others_wait: float
    memory_mb: float
    peak_mb: float
    let_in: bool


@dataclass
class Revoked:
    """So many revocations where a server looks for them.

    :param way: ``crl`` or ``serials``.
    """

    sessions: Sessions
    way: str
    count: int
    _number: int = 0

    def lay(self) -> None:
        """Have them in place before the server starts."""
        if self.way == CRL:
            self._sign(encode_entries(revocations(self.count)))
            return
        add_serial_files(self._folder, (str(each.serial) for each in revocations(self.count)))

    def add(self, serial: int) -> None:
        """One more, while the server runs."""
        if self.way == CRL:
            more = Revocation(serial, datetime.now(UTC)).encode_entry()
            self._sign((*encode_entries(revocations(self.count)), more))
        else:
            add_serial_files(self._folder, (str(serial),))

    @property
    def _folder(self) -> Path:
        return self.sessions.folder / "revoked"

    def _sign(self, entries: Iterable[bytes]) -> None:
        self._number += 1
        begin = datetime.now(UTC) - timedelta(hours=1) + timedelta(seconds=self._number)
        fields = CrlFields(self._number, begin, begin + timedelta(days=30))
        authority = self.sessions.authority
        parts = sign_crl(entries, fields, issuer_certificate=authority.certificate, issuer_key=authority.key)
        # The server notices another size or another whole second.
        write_pieces(self.sessions.folder / "crl.pem", pem_pieces(parts), mode=0o644)


def measure(sessions: Sessions, way: str, count: int) -> Cost:
    """All of one server."""
    revoked = Revoked(sessions, way, count)
    revoked.lay()
    began = time.perf_counter()
    (server,) = sessions.servers(sessions.hooked(revocation=way), "udp")
    sessions.wait()
    start = time.perf_counter() - began
    steady, guest, doomed = (sessions.add(server, f"{name}@bench") for name in ("steady", "guest", "doomed"))
    sessions.lay_cards()
    sessions.connect([steady])
    sessions.stream([steady], PACE_SECONDS)
    before = median_connection(sessions, guest)
    settle(sessions, steady)
    revoked.add(sessions.authority.serials[doomed.common_name])
    first = connection(sessions, guest)
    later = median_connection(sessions, guest)
    waited = settle(sessions, steady)
    let_in = is_let_in(sessions, server, doomed)
    memory, peak = memory_of(server)
    return Cost(start, before, first, later, waited, memory, peak, let_in)


def is_let_in(sessions: Sessions, server: Server, device: Device) -> bool:
    """Whether a device connects whose certificate is revoked; the server says why it does not."""
    sessions.start([device])
    wait_for(
        "an answer to who is revoked",
        lambda: (
            outcome_of(device.log.read_text(errors="replace")) is not None or REFUSAL.search(sessions.log_of(server))
        ),
    )
    return outcome_of(device.log.read_text(errors="replace")) is True


def settle(sessions: Sessions, device: Device) -> float:
    """The longest that an answer to a device took since the last time."""
    time.sleep(SETTLING_SECONDS)
    return float(tell(sessions.sender, "settle", numbers=[device.number])["worst"])


def connection(sessions: Sessions, device: Device) -> float:
    """Seconds from the start of a client's process until it is connected."""
    began = time.perf_counter()
    sessions.connect([device])
    seconds = time.perf_counter() - began
    sessions.stop([device])
    return seconds


def median_connection(sessions: Sessions, device: Device) -> float:
    """The median of some of them."""
    return statistics.median(connection(sessions, device) for _time in range(CONNECTIONS))


def memory_of(server: Server) -> tuple[float, float]:
    """What a server has in memory, and the most that it had, in megabytes."""
    fields = dict(_fields(Path(f"/proc/{server.pid}/status").read_text()))
    return fields["VmRSS"] / KILOBYTES_A_MEGABYTE, fields["VmHWM"] / KILOBYTES_A_MEGABYTE


def _fields(status: str) -> Iterator[tuple[str, int]]:
    for line in status.splitlines():
        name, _colon, value = line.partition(":")
        if value.endswith("kB"):
            yield name, int(value.split()[0])
