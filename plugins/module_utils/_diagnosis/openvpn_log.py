# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenVPN logged, counted by kind: lines of 2.4 to 2.7, of a server or a client, from the journal or a file.

Only the beginning of a line is looked at, further than OpenVPN's own text ever goes, so that a line of any length costs
the same.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Callable, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Buffers
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount

REPLAY_BAD_ID, BACKTRACK, OUTPUT_SATURATION, MBUF_DROPPED = (
    "replay_bad_id", "backtrack", "output_saturation", "mbuf_dropped",
)  # fmt: skip
AUTH_FAILED, TLS_ERROR, TLS_HANDSHAKE_TIMEOUT = "auth_failed", "tls_error", "tls_handshake_timeout"
CRL_EXPIRED, CERTIFICATE_EXPIRED, DECRYPT_ERROR = "crl_expired", "certificate_expired", "decrypt_error"
FRAG_NEEDED, BAD_LZO, MTU_WARNING = "frag_needed", "bad_lzo", "mtu_warning"
CONNECTION_RESET, ADDRESS_UNREACHABLE, PING_RESTART = "connection_reset", "address_unreachable", "ping_restart"

# The first that fits counts. A figure, where a line has one, is the group.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (REPLAY_BAD_ID, r"(?:AEAD Decrypt error|Authenticate/Decrypt packet error): bad packet ID"),
    (BACKTRACK, r"[Rr]eplay-window backtrack occurred \[(\d{1,18})\]"),
    (OUTPUT_SATURATION, r"MULTI: packet dropped due to output saturation"),
    (MBUF_DROPPED, r"MBUF: mbuf packet dropped"),
    # "TLS Auth Error (verify_user_pass_plugin): …", "AUTH: Received control message: AUTH_FAILED", and the server's
    # "SENT CONTROL [alice]: 'AUTH_FAILED' (status=1)".
    (AUTH_FAILED, r"TLS Auth Error|Received control message: AUTH_FAILED|SENT CONTROL \[[^\]]{0,256}\]: 'AUTH_FAILED"),
    (CRL_EXPIRED, r"CRL has expired|CRL is expired"),
    (CERTIFICATE_EXPIRED, r"certificate has expired|certificate validity has expired"),
    (TLS_HANDSHAKE_TIMEOUT, r"TLS key negotiation failed to occur within (\d{1,18}) seconds"),
    (TLS_ERROR, r"TLS Error|TLS_ERROR|VERIFY ERROR|tls-crypt unwrap error"),
    (DECRYPT_ERROR, r"(?:AEAD Decrypt error|Authenticate/Decrypt packet error): "),
    (FRAG_NEEDED, r"EMSGSIZE Path-MTU=(\d{1,18})|Message too long|FRAG_IN error"),
    (BAD_LZO, r"Bad LZO decompression|LZO decompression error|LZ4 decompression error|Bad LZ4|Bad compression stub"),
    (MTU_WARNING, r"WARNING: '(?:link|tun)-mtu' is (?:used inconsist|present in)|WARNING: Bad encapsulated packet"),
    # The line "Connection reset by peer" before it is about the same event.
    (CONNECTION_RESET, r"Connection reset, restarting|Connection reset during exit notification"),
    (ADDRESS_UNREACHABLE, r"Network (?:is )?unreachable|Host is unreachable|No route to host|Connection refused \("),
    (PING_RESTART, r"Inactivity timeout \(--ping-(?:restart|exit)\)"),
)  # fmt: skip
KINDS = tuple(kind for kind, _pattern in _PATTERNS)
# OpenVPN cuts its messages at 1280 characters, older ones at 10240, and a prefix comes before them.
LONGEST = 4096
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
MOST_CLIENTS = 50
_EXAMPLE = 400

_KNOWN = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
# A word that every pattern has one of: most lines are none of ours, and are told apart by this alone.
_HINT = re.compile(
    r"error|ERROR|backtrack|dropped|AUTH_FAILED|expired|TLS|EMSGSIZE|too long|Bad |mtu|reset|nreachable|No route"
    r"|refused|Inactivity"
)
# A client as the server names it before its words: "alice@laptop/203.0.113.5:51234", in 2.7 with the protocol, IPv6 in
# brackets or without a port; the name alone in "[alice@laptop] Inactivity timeout".
_ADDRESS = re.compile(
    r"(?:[a-z]{3}[46]?(?:-server)?:)?(?:\[AF_INET6?\])?"
    # A time of day is no IPv6 address.
    r"(?:\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?"
    r"|(?=[0-9A-Fa-f:]{0,40}::|(?:[0-9A-Fa-f]{1,4}:){7})[0-9A-Fa-f:]{2,45})"
)
_BEFORE_ADDRESS = re.compile(r"^(?:[a-z]{3}[46]?(?:-server)?:)?(?:\[AF_INET6?\])?")
_AFTER_ADDRESS = re.compile(r"(?<=\]):\d{1,5}$|^([^:]+):\d{1,5}$")
_NAME = re.compile(r"[A-Za-z0-9_.@/ -]{1,128}")
_BRACKETED = re.compile(r"\[([A-Za-z0-9_.@-]{1,64})\] ?$")
_FROM = re.compile(r"from (?:\[AF_INET6?\])?([0-9A-Fa-f:.\[\]]{3,52}:\d{1,5})")
_BUFFERS = re.compile(r"Socket Buffers: R=\[(\d{1,18})->(\d{1,18})\] S=\[(\d{1,18})->(\d{1,18})\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass
class _Tally:
    """What was counted of one kind so far."""

    count: int = 0
    number: float | None = None
    clients: dict[str, None] = field(default_factory=dict)
    example: str = ""
    own: int = 0

    def add(self, kind: str, line: str, found: re.Match[str], is_own: Callable[[Address], bool]) -> None:
        self.count += 1
        figure = next((group for group in found.groups() if group), None)
        if figure is not None and (kind != BACKTRACK or float(figure) > (self.number or 0)):
            self.number = float(figure)
        client, address = _find_client(line, found)
        where = parse_address(address)
        own = where is not None and is_own(where)
        self.own += own
        if client and not own and (client in self.clients or len(self.clients) < MOST_CLIENTS):
            self.clients[client] = None
        self.example = _CONTROL.sub(" ", line)[:_EXAMPLE].strip()


def count_lines(
    lines: Iterable[str | bytes],
    where: str,
    window: bool,  # noqa: FBT001
    *,
    is_own: Callable[[Address], bool] = lambda _address: False,
) -> tuple[LogCount, ...]:
    """How often each kind was logged; kinds without a line are left out.

    One event may leave several lines, and each counts for its own kind: a handshake that failed has a line with the
    reason and one that says so.

    :param lines: The oldest first. The deepest backtrack counts, of other figures the newest.
    :param where: Who logged them.
    :param window: Whether they were logged during the measurement.
    :param is_own: Whether a client's address is that of a probe.
    """
    tallies: dict[str, _Tally] = {}
    for raw in lines:
        line = _beginning(raw)
        kind, found = _classify(line)
        if found is not None:
            tallies.setdefault(kind, _Tally()).add(kind, line, found, is_own)
    return tuple(
        LogCount(kind, where, one.count, one.number, tuple(one.clients), one.example, window, one.own)
        for kind, one in sorted(tallies.items(), key=lambda item: KINDS.index(item[0]))
    )


def add_counts(parts: Iterable[LogCount]) -> tuple[LogCount, ...]:
    """Counts of the same kind, place and time as one, in the order in which they came."""
    found: dict[tuple[str, str, bool], LogCount] = {}
    for one in parts:
        key = (one.kind, one.where, one.window)
        found[key] = _together(found[key], one) if key in found else one
    return tuple(found.values())


def parse_buffers(line: str | bytes) -> Buffers | None:
    """The sizes of a socket's buffers in a line like ``Socket Buffers: R=[212992->212992] S=[212992->425984]``."""
    found = _BUFFERS.search(_beginning(line))
    return None if found is None else Buffers(*(int(size) for size in found.groups()))


def name_client(line: str, found: re.Match[str]) -> str:
    """Whom a line names: a common name where it has one, else an address; empty where it names nobody."""
    return _find_client(line, found)[0]


def parse_address(text: str) -> Address | None:
    """The address in what a line says of a client's, with or without protocol and port; ``None`` in anything else.

    >>> parse_address("udp4:[AF_INET]203.0.113.5:51234")
    IPv4Address('203.0.113.5')
    >>> parse_address("[::ffff:203.0.113.5]:1194")
    IPv4Address('203.0.113.5')
    """
    bare = _AFTER_ADDRESS.sub(r"\1", _BEFORE_ADDRESS.sub("", text)).strip("[]")
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _find_client(line: str, found: re.Match[str]) -> tuple[str, str]:
    """Whom a line names, and the address that it says."""
    before = line[: found.start()]
    bracketed = _BRACKETED.search(before[-70:])
    if bracketed is not None:
        return bracketed.group(1), ""
    for word in reversed(before.split()[-8:]):
        name, slash, address = word.rpartition("/")
        if _ADDRESS.fullmatch(address) and (":" in address or slash):
            return (name if name and _NAME.fullmatch(name) else address), address
    named = _FROM.search(line, found.start())
    return ("", "") if named is None else (named.group(1), named.group(1))


def _beginning(raw: str | bytes) -> str:
    return raw[:LONGEST].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:LONGEST]


def _classify(line: str) -> tuple[str, re.Match[str] | None]:
    if _HINT.search(line) is None:
        return "", None
    for kind, pattern in _KNOWN:
        found = pattern.search(line)
        if found is not None:
            return kind, found
    return "", None


def _together(first: LogCount, second: LogCount) -> LogCount:
    numbers = [one.number for one in (first, second) if one.number is not None]
    number = (max(numbers) if first.kind == BACKTRACK else numbers[-1]) if numbers else None
    clients = tuple(dict.fromkeys((*first.clients, *second.clients)))[:MOST_CLIENTS]
    example = second.example or first.example
    count, own = first.count + second.count, first.own + second.own
    return replace(first, count=count, number=number, clients=clients, example=example, own=own)
