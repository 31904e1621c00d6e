# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a zone whose server takes signed updates (RFC 2136, RFC 8945): BIND, Knot, PowerDNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import listed
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import records
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import NameStep
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    LostRaceError,
    NoZoneError,
    RefusedError,
    ServerFailedError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    ProviderSettings,
    Server,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.rfc2136_exchange import Exchange

try:
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype
    import dns.update
except ImportError:
    dns = missing_library("dnspython", remedy="Install python3-dnspython, or dnspython by pip, where this runs.")

MOST_QUESTIONS_AT_ONCE = 8
# An update has at most 64 KiB; a name needs about so much of it, and each of its records so much more.
LONGEST_UPDATE_BYTES = 48_000
NAME_BYTES = 700
RECORD_BYTES = 40


@dataclass(frozen=True)
class Seen:
    """The records of a name as they were read: an update holds only as long as they are still there."""

    sets: Mapping[str, tuple[Any, ...]]
    ttls: Mapping[str, int]


class Rfc2136Provider:
    """The primary server of a zone."""

    has_weights = False

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._exchange = Exchange(settings)
        self._origin = dns.name.from_text(settings.zone)
        self._wildcards: bool | None = None

    @property
    def calls(self) -> int:
        """Requests sent so far."""
        return self._exchange.calls

    @property
    def zone(self) -> str:
        """The zone's name."""
        return self._settings.zone

    def read(self, keys: Sequence[RecordKey], *, marker: bool) -> dict[RecordKey, NameState]:
        """Ask the server itself, not a resolver, about each name."""
        self._require_zone()
        with ThreadPoolExecutor(max_workers=MOST_QUESTIONS_AT_ONCE) as pool:
            found = pool.map(lambda key: self._read_name(key.name, marker=marker), keys)
            return dict(zip(keys, found))

    def batches(self, steps: Sequence[NameStep]) -> list[list[NameStep]]:
        """As many names as one message holds."""
        batches: list[list[NameStep]] = []
        room = 0
        for step in steps:
            size = NAME_BYTES + RECORD_BYTES * (len(step.before.addresses) + len(step.after.addresses))
            if size > room:
                batches.append([])
                room = LONGEST_UPDATE_BYTES
            batches[-1].append(step)
            room -= size
        return batches

    def apply(self, steps: Sequence[NameStep]) -> None:
        """Send one update with what was read as its conditions."""
        answer = self._exchange.send(lambda: self._update(steps))
        code = answer.rcode()
        if code in (dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN):
            raise LostRaceError(
                "Somebody else changes the same records at the same time.", remedy="Run this again when that has ended."
            )
        if code == dns.rcode.REFUSED:
            raise RefusedError(
                f"The name server refuses the key '{self._settings.key_name}' to change "
                f"{listed([step.after.name for step in steps])}.",
                remedy="Look at the update-policy (or allow-update) of the zone there; nothing of this was changed.",
            )
        if code in (dns.rcode.NOTAUTH, dns.rcode.NOTZONE):
            raise self._no_zone()
        if code != dns.rcode.NOERROR:
            raise ServerFailedError(f"The name server answered the update with {dns.rcode.to_text(code)}.")

    def is_in_sync(self) -> bool:
        """An update is in the zone when it is answered."""
        return True

    def name_servers(self) -> tuple[Server, ...]:
        """Those of the zone's NS records; their addresses too, where the zone has them."""
        return tuple(self._name_server(str(one.target)) for one in self._rdatas(self._origin, "NS"))

    def _name_server(self, name: str) -> Server:
        host = name.rstrip(".").lower()
        places: list[str] = []
        if host.endswith(f".{self.zone}"):
            owner = dns.name.from_text(name)
            places = [one.address for kind in ("A", "AAAA") for one in self._rdatas(owner, kind)]
        return Server(host, self._settings.port, tuple(places))

    def _require_zone(self) -> None:
        """See that the server is authoritative for this zone, and whether the zone has a wildcard.

        Nothing has a SOA record at ``*``: the answer is negative, and a negative answer names its zone.
        """
        if self._wildcards is not None:
            return
        answer = self._query(dns.name.from_text("*", self._origin), "SOA")
        owners = {one.name for one in answer.authority if one.rdtype == dns.rdatatype.SOA}
        if not answer.flags & dns.flags.AA or owners != {self._origin}:
            raise self._no_zone()
        self._wildcards = answer.rcode() == dns.rcode.NOERROR

    def _read_name(self, name: str, *, marker: bool) -> NameState:
        owner = dns.name.from_text(name)
        answers = {kind: self._query(owner, kind) for kind in ("A", "AAAA", *(("TXT",) if marker else ()))}
        sets: dict[str, tuple[Any, ...]] = {}
        ttls: dict[str, int] = {}
        for kind, answer in answers.items():
            for found in answer.answer:
                if found.name == owner:
                    found_kind = dns.rdatatype.to_text(found.rdtype)
                    sets[found_kind], ttls[found_kind] = tuple(found), found.ttl
            sets.setdefault(kind, ())
        if self._is_delegated(answers["A"]):
            return NameState(name, other_types=(records.DELEGATED,), seen=Seen({}, {}))
        if self._wildcards and any(sets.values()) and not self._exists(owner):
            sets, ttls = dict.fromkeys(answers, ()), {}
        return _state(name, Seen(sets, ttls))

    def _is_delegated(self, answer: Any) -> bool:
        return not answer.flags & dns.flags.AA and any(
            one.rdtype == dns.rdatatype.NS and one.name != self._origin for one in answer.authority
        )

    def _exists(self, owner: Any) -> bool:
        """Whether a name has records itself, where a wildcard would answer for it: only an update's condition tells."""

        def condition() -> Any:
            message = self._new_update()
            message.absent(owner)
            return message

        return bool(self._exchange.ask(condition).rcode() == dns.rcode.YXDOMAIN)

    def _rdatas(self, owner: Any, kind: str) -> list[Any]:
        wanted = dns.rdatatype.from_text(kind)
        found = [one for one in self._query(owner, kind).answer if one.name == owner and one.rdtype == wanted]
        return [record for one in found for record in one]

    def _query(self, owner: Any, kind: str) -> Any:
        def question() -> Any:
            message = dns.message.make_query(owner, kind, use_edns=0, flags=0)
            message.use_tsig(self._exchange.key)
            return message

        answer = self._exchange.ask(question)
        if answer.rcode() == dns.rcode.REFUSED:
            # A server refuses to speak about zones that it does not have, too. An update of nothing tells.
            if self._exchange.ask(self._new_update).rcode() in (dns.rcode.NOTAUTH, dns.rcode.NOTZONE):
                raise self._no_zone()
            raise RefusedError(
                f"The name server refuses to answer questions of the key '{self._settings.key_name}'.",
                remedy="Look at allow-query of the zone there.",
            )
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise self._no_zone()
        return answer

    def _no_zone(self) -> NoZoneError:
        servers = ", ".join(str(one) for one in self._settings.servers)
        return NoZoneError(
            f"The name server {servers} does not hold the zone {self.zone}.",
            remedy="Correct 'zone', or give the zone's primary in 'servers'.",
        )

    def _new_update(self) -> Any:
        return dns.update.UpdateMessage(self._origin, keyring=self._exchange.key)

    def _update(self, steps: Sequence[NameStep]) -> Any:
        message = self._new_update()
        for step in steps:
            self._add_conditions(message, step)
            self._add_changes(message, step)
        return message

    @staticmethod
    def _add_conditions(message: Any, step: NameStep) -> None:
        owner = dns.name.from_text(step.before.name)
        sets: Mapping[str, tuple[Any, ...]] = step.before.seen.sets
        for kind, found in {"CNAME": (), **sets}.items():
            if found:
                message.present(owner, *found)
            else:
                message.absent(owner, kind)

    @staticmethod
    def _add_changes(message: Any, step: NameStep) -> None:
        owner = dns.name.from_text(step.after.name)
        before, after = step.before, step.after
        if records.CNAME in before.other_types and records.CNAME not in after.other_types:
            message.delete(owner, "CNAME")
        for kind, old, new, old_ttl, ttl in (
            ("A", before.ipv4, after.ipv4, before.ttl_a, after.ttl_a),
            ("AAAA", before.ipv6, after.ipv6, before.ttl_aaaa, after.ttl_aaaa),
        ):
            if (old, old_ttl) == (new, ttl):
                continue
            if old:
                message.delete(owner, kind)
            for address in new:
                message.add(owner, ttl, kind, address)
        if after.marked and not before.marked:
            message.add(owner, records.MARKER_TTL, "TXT", f'"{records.MARKER}"')
        if before.marked and not after.marked:
            message.delete(owner, "TXT", f'"{records.MARKER}"')


def _state(name: str, seen: Seen) -> NameState:
    marker = (records.MARKER.encode("ascii"),)
    return NameState(
        name=name,
        addresses=records.canonical(one.address for kind in ("A", "AAAA") for one in seen.sets.get(kind, ())),
        ttl_a=seen.ttls.get("A"),
        ttl_aaaa=seen.ttls.get("AAAA"),
        marked=any(one.strings == marker for one in seen.sets.get("TXT", ())),
        other_types=tuple(sorted(set(seen.ttls) - {"A", "AAAA", "TXT"})),
        seen=seen,
    )
