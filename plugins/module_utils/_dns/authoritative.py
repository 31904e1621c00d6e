# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the servers of a zone, each of them, whether they answer with what was written."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import Server
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import AddressSet, canonical

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
except ImportError:
    dns = missing_library("dnspython", remedy="Install python3-dnspython, or dnspython by pip, where this runs.")

MOST_QUESTIONS_AT_ONCE = 16
PAYLOAD_BYTES = 1232
LONGEST_ANSWER_SECONDS = 3.0
TYPES = ("A", "AAAA")


class SilentError(Exception):
    """A server that gave no answer that can be used, with what it did instead."""


class Asker:
    """Asks the servers of one zone until all of them are right; what was right once is not asked again."""

    def __init__(self, servers: Sequence[Server], *, timeout_seconds: float) -> None:
        self._servers = servers
        self._timeout_seconds = min(timeout_seconds, LONGEST_ANSWER_SECONDS)
        self._right: set[tuple[Server, str]] = set()

    def complaint(self, expected: Sequence[AddressSet]) -> str:
        """What a server that is wrong answers instead, or nothing."""
        places = {server: server.addresses or find_addresses(server.host) for server in self._servers}
        open_questions = [
            (server, one) for one in expected for server in self._servers if (server, one.name) not in self._right
        ]
        pool = ThreadPoolExecutor(max_workers=MOST_QUESTIONS_AT_ONCE)
        try:
            answers = [pool.submit(self._judge, server, places[server], one) for server, one in open_questions]
            return next((text for text in (done.result() for done in as_completed(answers)) if text), "")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _judge(self, server: Server, places: Sequence[str], expected: AddressSet) -> str:
        try:
            addresses, ttls = self._ask(server, places, expected.name)
            right = addresses == expected.addresses and ttls <= {expected.ttl}
            if not right and not expected.addresses:
                # A wildcard answers for names that do not exist.
                right = addresses == self._ask(server, places, _wildcard_of(expected.name))[0]
        except SilentError as error:
            return f"The name server {server} {error}."
        if right:
            self._right.add((server, expected.name))
            return ""
        found = ", ".join(addresses) or "no address"
        lifetimes = "".join(f" (TTL {one})" for one in sorted(ttls))
        return f"The name server {server} answers for {expected.name} with {found}{lifetimes}."

    def _ask(self, server: Server, places: Sequence[str], name: str) -> tuple[tuple[str, ...], set[int]]:
        addresses: list[str] = []
        ttls: set[int] = set()
        for kind in TYPES:
            found, ttl = self._ask_somewhere(server, places, name, kind)
            addresses += found
            ttls |= ttl
        return canonical(addresses), ttls

    def _ask_somewhere(self, server: Server, places: Sequence[str], name: str, kind: str) -> tuple[list[str], set[int]]:
        trouble = "has no address that can be found from here"
        for address in places:
            found, trouble = self._try_at(address, server.port, name, kind)
            if found is not None:
                return found
        raise SilentError(trouble)

    def _try_at(self, address: str, port: int, name: str, kind: str) -> tuple[tuple[list[str], set[int]] | None, str]:
        try:
            return self._answer(address, port, name, kind), ""
        except SilentError as error:
            return None, str(error)

    def _answer(self, address: str, port: int, name: str, kind: str) -> tuple[list[str], set[int]]:
        question = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD_BYTES, flags=0)
        try:
            answer, _tcp = dns.query.udp_with_fallback(
                question, address, timeout=self._timeout_seconds, port=port, ignore_unexpected=True
            )
        except dns.exception.Timeout as error:
            raise SilentError(f"does not answer in {self._timeout_seconds:g} s") from error
        except (OSError, EOFError, dns.exception.DNSException) as error:
            raise SilentError(f"cannot be asked ({error})") from error
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise SilentError(f"answers {dns.rcode.to_text(answer.rcode())} for {name}")
        if not answer.flags & dns.flags.AA:
            raise SilentError(f"is not authoritative for {name}")
        owner, wanted = dns.name.from_text(name), dns.rdatatype.from_text(kind)
        found = [one for one in answer.answer if one.name == owner and one.rdtype == wanted]
        return [record.address for one in found for record in one], {one.ttl for one in found}


def find_addresses(host: str) -> tuple[str, ...]:
    """The addresses of a host given by name or by address, in the order in which they are to be tried."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _wildcard_of(name: str) -> str:
    return f"*.{name.partition('.')[2]}"
