# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program by which a gateway keeps its own record in DNS: ``announcement [--check | --look | --now]``."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_plan import (
    Intent,
    State,
    intend,
    is_paused,
    parse_state,
    pause_after,
    with_kept,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_settings import (
    CONFIGURATION,
    load_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_sources import look
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, PartialError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import WantedName
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_run import Verification, update_names
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import Found
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.announcement_settings import (
    AnnouncementSettings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.authoritative import Asker
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    BadKeyError,
    ForeignRecordError,
    RefusedError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import Server
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.providers import Provider, open_provider
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import (
    AddressSet,
    NameState,
    RecordKey,
    canonical,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic

STATE = Path("/run/privatespace/announcement.json")
# For whoever reports the state of a gateway.
STATE_MODE = 0o644
# So often whoever holds the zone is asked, even while its name servers answer right.
READ_AGAIN_SECONDS = 3600
_REMEDY = "The playbook dns_policy lets this gateway change its own record."


class Announcement:
    """One look, and what follows from it."""

    def __init__(self, settings: AnnouncementSettings, last: State, *, now: float, may_wait: bool = True) -> None:
        self.settings = settings
        self.last = last
        self.now = now
        self.may_wait = may_wait

    def run(self) -> State:
        """Have the name show what was found; the state says what became of it."""
        found = look(self.settings)
        state = replace(self.last, checked_at=self.now, notes=found.problems)
        intent = intend(found, self.last, now=self.now)
        if intent is None:
            told = "; ".join(found.problems) or f"asked: {', '.join(self.settings.sources) or 'nobody'}"
            return replace(state, problem=f"No public address was found, the record stays as it is ({told}).")
        wanted = canonical(with_kept(intent, self.last.addresses))
        state = replace(state, none_since=intent.none_since)
        if self.may_wait and is_paused(self.last, wanted, now=self.now):
            return state
        state = replace(state, wanted=wanted, source=intent.source)
        try:
            return self._keep(intent, wanted, state)
        except CollectionError as error:
            return self._failed(error, state)

    def _keep(self, intent: Intent, wanted: tuple[str, ...], state: State) -> State:
        """Ask the name servers first; whoever holds the zone is bothered only where they answer something else."""
        right = replace(state, problem="", failures=0, retry_at=0.0)
        if self._is_served(wanted):
            return right
        provider = open_provider(self.settings.provider)
        complete = self._complete(provider, intent)
        verification = Verification.of(self.settings.provider, self.settings.verify_seconds)
        outcome = update_names(provider, [complete], check=False, claim=False, verification=verification)
        servers = verification.servers
        if servers is None:
            servers = tuple(provider.name_servers())
        return replace(
            right,
            wanted=complete.addresses,
            addresses=complete.addresses,
            changed_at=self.now if outcome.changed else state.changed_at,
            read_at=self.now,
            servers=tuple((server.host, server.port) for server in servers),
        )

    def _complete(self, provider: Provider, intent: Intent) -> WantedName:
        """What is to be written, with the addresses of those families that stay as they are."""
        key = RecordKey(self.settings.name)
        present = provider.read([key], marker=True)[key]
        wanted = canonical(with_kept(intent, present.addresses))
        _refuse_foreign(present, wanted, self.last)
        return WantedName(key.name, wanted, self.settings.ttl, overwrite=True)

    def _is_served(self, wanted: tuple[str, ...]) -> bool:
        last = self.last
        if last.problem or not last.servers or wanted != last.addresses or self.now - last.read_at > READ_AGAIN_SECONDS:
            return False
        servers = [Server(str(host), int(port)) for host, port in last.servers]
        asker = Asker(servers, timeout_seconds=self.settings.provider.timeout_seconds)
        return not asker.complaint([AddressSet(self.settings.name, wanted, self.settings.ttl)])

    def _failed(self, error: CollectionError, state: State) -> State:
        failures = self.last.failures + 1
        pause = pause_after(failures, chance=random.random())  # noqa: S311 - that all gateways do not come at once
        written = isinstance(error, PartialError)
        return replace(
            state,
            problem=f"{error.message} {_REMEDY}" if isinstance(error, (BadKeyError, RefusedError)) else str(error),
            failures=failures,
            retry_at=self.now + pause,
            addresses=state.wanted if written else state.addresses,
            changed_at=self.now if written else state.changed_at,
        )


def _refuse_foreign(present: NameState, wanted: Sequence[str], last: State) -> None:
    """A name that the controller has not claimed yet, and that shows what this gateway never wrote, is not ours.

    :raises ForeignRecordError: it is like that.
    """
    ours = {*last.addresses, *wanted}
    if present.marked or (not present.other_types and ours.issuperset(present.addresses)):
        return
    shown = ", ".join((*present.addresses, *present.other_types))
    raise ForeignRecordError(
        f"{present.name} is somebody else's, or was not claimed: it shows {shown}. It was left alone.",
        remedy="If it is this gateway's, the playbook dns_update claims it; else give the gateway another name.",
    )


def main(arguments: Sequence[str]) -> int:
    """Announce, or only tell; returns the exit status, which is 1 where the record may be wrong."""
    asked = _parse(arguments)
    now = epoch_seconds()
    try:
        settings = load_settings(asked.config)
        last = _read_state(asked.state, settings.name)
        if asked.validate:
            return 0
        if asked.look:
            sys.stdout.write(json.dumps(_facts(settings, look(settings))) + "\n")
            return 0
        if asked.check:
            lines = _preview(settings, last, now=now)
            sys.stdout.write("\n".join(lines) + "\n")
            return 0
        state = Announcement(settings, last, now=now, may_wait=not asked.now).run()
        asked.state.parent.mkdir(mode=0o755, exist_ok=True)
        write_atomic(asked.state, (json.dumps(state.as_dict()) + "\n").encode(), mode=STATE_MODE)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for line in _news(last, state):
        sys.stderr.write(f"{line}\n")
    return 1 if state.problem else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="announcement", description="Keeps the record of this gateway in DNS.")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="print what was found and what would be done")
    either.add_argument("--look", action="store_true", help="print what was found as JSON; DNS is not asked")
    either.add_argument("--now", action="store_true", help="announce, without the pause that follows a failure")
    either.add_argument("--validate", action="store_true", help="only look whether the configuration can be used")
    parser.add_argument("--config", type=Path, default=CONFIGURATION, help="default: %(default)s")
    parser.add_argument("--state", type=Path, default=STATE, help="default: %(default)s")
    return parser.parse_args(list(arguments))


def _read_state(path: Path, name: str) -> State:
    content = read_optional(path)
    try:
        return parse_state(json.loads(content or b"{}"), name=name)
    except ValueError:
        return State(name=name)


def _facts(settings: AnnouncementSettings, found: Found) -> dict[str, object]:
    addresses = canonical(one for some in found.addresses.values() for one in some)
    source = {str(family): name for family, name in found.source.items()}
    return {"name": settings.name, "addresses": list(addresses), "source": source, "notes": list(found.problems)}


def _preview(settings: AnnouncementSettings, last: State, *, now: float) -> list[str]:
    """What a person wants to know: the sources, the record, and what would become of it."""
    found = look(settings)
    lines = [settings.name]
    lines += [f"  IPv{family}: {', '.join(some)} ({found.source[family]})" for family, some in found.addresses.items()]
    lines += [f"  ! {problem}" for problem in found.problems]
    intent = intend(found, last, now=now)
    if intent is None:
        return [*lines, "  No public address was found: the record would stay as it is."]
    provider = open_provider(settings.provider)
    key = RecordKey(settings.name)
    present = provider.read([key], marker=True)[key]
    wanted = canonical(with_kept(intent, present.addresses))
    try:
        _refuse_foreign(present, wanted, last)
    except ForeignRecordError as error:
        return [*lines, f"  ! {error}"]
    lifetimes = {ttl for ttl in (present.ttl_a, present.ttl_aaaa) if ttl is not None}
    shown = ", ".join(present.addresses) or "nothing"
    if present.addresses == wanted and lifetimes <= {settings.ttl}:
        return [*lines, f"  The record shows {shown}: nothing would be changed."]
    return [*lines, f"  The record shows {shown}: it would be changed to {', '.join(wanted)} (TTL {settings.ttl})."]


def _news(last: State, state: State) -> list[str]:
    """A line for each change, and nothing while all stays as it was."""
    lines = []
    if state.changed_at != last.changed_at:
        source = ", ".join(f"IPv{family} by {name}" for family, name in sorted(state.source.items()))
        lines.append(f"{state.name} now shows {', '.join(state.addresses)} ({source})")
    if state.problem and state.problem != last.problem:
        lines.append(state.problem)
    elif last.problem and not state.problem:
        lines.append(f"{state.name} is right again: {', '.join(state.addresses)}")
    return lines
