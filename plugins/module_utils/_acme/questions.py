# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the name servers that are responsible for a name, wherever it is, as a CA does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.caa import CaaRecord
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
    import dns.resolver
except ImportError:
    dns = missing_library("dnspython", remedy="Install python3-dnspython, or dnspython by pip, where this runs.")

PAYLOAD_BYTES = 1232
SECONDS = 3.0
RESOLVER_SECONDS = 10.0
MOST_ALIASES = 8


class UnansweredError(CollectionError):
    """No name server gave an answer that can be used."""


@dataclass(frozen=True)
class Responsible:
    """A zone and the addresses of its name servers, all of each server."""

    zone: str
    servers: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class ServerAnswer:
    """What one name server says of one name and type.

    :param values: Texts of the records.
    :param alias: The name that it refers to instead; empty where it does not.
    :param problem: Why there is no answer; empty where there is one.
    """

    server: str
    values: tuple[str, ...] = ()
    alias: str = ""
    problem: str = ""


class Questions:
    """Questions of one run; zones are found once.

    :param resolver: Who is asked for the name servers; the host's own where it is ``None``.
    :param port: Of all name servers.
    """

    def __init__(self, resolver: Sequence[str] | None = None, *, port: int = 53) -> None:
        self._port = port
        self._resolver = dns.resolver.Resolver(configure=resolver is None)
        self._resolver.lifetime = RESOLVER_SECONDS
        if resolver is not None:
            self._resolver.nameservers = list(resolver)
            self._resolver.port = port
        self._zones: dict[str, Responsible] = {}

    def responsible(self, name: str) -> Responsible:
        """Whose servers answer for a name.

        :raises UnansweredError: nobody knows.
        """
        try:
            zone = dns.resolver.zone_for_name(name, resolver=self._resolver).to_text(omit_final_dot=True)
            if zone not in self._zones:
                hosts = [str(one.target) for one in self._resolver.resolve(f"{zone}.", "NS")]
                self._zones[zone] = Responsible(zone, tuple((host, self._find(host)) for host in sorted(hosts)))
        except (dns.exception.DNSException, OSError) as error:
            raise UnansweredError(f"The name servers of {name} cannot be found ({error}).") from error
        return self._zones[zone]

    def _find(self, host: str) -> tuple[str, ...]:
        found: list[str] = []
        for kind in ("A", "AAAA"):
            found += self._resolve(host, kind)
        return tuple(found)

    def _resolve(self, host: str, kind: str) -> list[str]:
        try:
            return [str(one.address) for one in self._resolver.resolve(host, kind)]
        except dns.exception.DNSException:
            return []

    def ask_all(self, name: str, kind: str) -> list[ServerAnswer]:
        """What each server of the name's zone says; an alias is followed by the first that tells of it.

        :raises UnansweredError: nobody is responsible, or aliases never end.
        """
        for _step in range(MOST_ALIASES):
            answers = [self._ask(server, places, name, kind) for server, places in self.responsible(name).servers]
            alias = next((one.alias for one in answers if one.alias), "")
            if not alias:
                return answers
            name = alias
        raise UnansweredError(f"{name} is an alias of an alias, without end.")

    def caa(self, name: str) -> tuple[str, tuple[CaaRecord, ...]]:
        """The closest set of CAA records and whose it is; an empty one where there is none.

        What is above the zone of the name is asked for as far as it answers: a CA sees it from elsewhere.

        :raises UnansweredError: no server of the zone answers, so a CA would not sign.
        """
        zone = self.responsible(name.removeprefix("*.")).zone
        for owner in _upwards(name):
            try:
                found = self._caa_of(owner)
            except UnansweredError:
                if owner == zone or owner.endswith(f".{zone}"):
                    raise
                break
            if found:
                return owner, tuple(map(parse_caa, found))
        return name, ()

    def _caa_of(self, owner: str) -> tuple[str, ...]:
        answers = self.ask_all(owner, "CAA")
        if all(one.problem for one in answers):
            told = "; ".join(f"{one.server} {one.problem}" for one in answers)
            raise UnansweredError(f"{owner} cannot be asked for CAA records: {told}.")
        return next((one.values for one in answers if one.values), ())

    def _ask(self, server: str, places: Sequence[str], name: str, kind: str) -> ServerAnswer:
        problem = "has no address that can be found from here"
        for place in places:
            answer = self._ask_at(server, place, name, kind)
            if not answer.problem:
                return answer
            problem = answer.problem
        return ServerAnswer(server, problem=problem)

    def _ask_at(self, server: str, place: str, name: str, kind: str) -> ServerAnswer:
        question = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD_BYTES, flags=0)
        try:
            answer, _tcp = dns.query.udp_with_fallback(
                question, place, timeout=SECONDS, port=self._port, ignore_unexpected=True
            )
        except dns.exception.Timeout:
            return ServerAnswer(server, problem=f"does not answer in {SECONDS:g} s")
        except (OSError, EOFError, dns.exception.DNSException) as error:
            return ServerAnswer(server, problem=f"cannot be asked ({error})")
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return ServerAnswer(server, problem=f"answers {dns.rcode.to_text(answer.rcode())} for {name}")
        if not answer.flags & dns.flags.AA:
            return ServerAnswer(server, problem=f"is not authoritative for {name}")
        return _read(server, answer, name, kind)


def _read(server: str, answer: dns.message.Message, name: str, kind: str) -> ServerAnswer:
    owner, wanted = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    for _step in range(MOST_ALIASES):
        rows = [one for one in answer.answer if one.name == owner]
        values = tuple(record.to_text() for one in rows if one.rdtype == wanted for record in one)
        aliases = [record.target for one in rows if one.rdtype == dns.rdatatype.CNAME for record in one]
        if values or not aliases:
            break
        owner = aliases[0]
    told = owner.to_text(omit_final_dot=True)
    followed = "" if values or told == name.rstrip(".").lower() else told
    return ServerAnswer(server, values, followed)


def parse_caa(text: str) -> CaaRecord:
    """A record as dnspython writes it: ``0 issue "letsencrypt.org"``."""
    flags, tag, value = text.split(" ", maxsplit=2)
    return CaaRecord(int(flags), tag, value.strip('"'))


def _upwards(name: str) -> Iterator[str]:
    """The name and its parents, without the root."""
    labels = name.removeprefix("*.").rstrip(".").split(".")
    for start in range(len(labels)):
        yield ".".join(labels[start:])
