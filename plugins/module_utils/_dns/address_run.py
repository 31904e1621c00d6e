# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that happens to addresses of names: read, decide, write, wait for the servers of the zone.

The module ``dns_address`` and the program on the gateway do the same, by this file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, PartialError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import (
    NameStep,
    WantedName,
    changed_names,
    plan_names,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.authoritative import Asker
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    LostRaceError,
    NameServerTimeoutError,
    UnverifiedError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    ProviderSettings,
    Server,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.providers import Provider
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import AddressSet

# How often a race may be lost, or an answer, before somebody has to look.
MOST_ATTEMPTS = 5
LOOK_AGAIN_SECONDS = 0.5
LONGEST_LOOK_SECONDS = 4.0


@dataclass(frozen=True)
class Verification:
    """How the servers of the zone are asked.

    :param seconds: How long they may take; 0 to ask nobody.
    :param servers: Who is asked, or ``None`` for whoever the zone names.
    :param timeout_seconds: For one answer.
    """

    seconds: float = 0.0
    servers: tuple[Server, ...] | None = None
    timeout_seconds: float = 10.0

    @classmethod
    def of(cls, settings: ProviderSettings, seconds: float) -> Verification:
        """As the settings have it; an imitation of Route 53 has no servers."""
        servers = settings.verify_servers
        if servers is None and not settings.is_published:
            servers = ()
        return cls(seconds, servers, min(settings.timeout_seconds, max(seconds, 1.0)))


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    :param change: What was found at first, and what is there now.
    :param changed: Names that were written, or in check mode would be.
    :param api_calls: Requests to whoever holds the zone.
    :param seconds: How long the servers of the zone took to answer right.
    :param verified: Whether they do; ``None`` if nobody was asked.
    """

    change: Change[NameStep]
    changed: tuple[str, ...] = ()
    api_calls: int = 0
    seconds: float = 0.0
    verified: bool | None = None

    def results(self) -> dict[str, Any]:
        """Return values in plain types."""
        return {
            **self.change.result,
            "changed_names": list(self.changed),
            "api_calls": self.api_calls,
            "seconds": round(self.seconds, 3),
            "verified": self.verified,
        }


@dataclass
class AddressRun:
    """One run over some names of a zone.

    :param claim: Whether names are marked as ours, and names that are not are left alone.
    """

    provider: Provider
    wanted: Sequence[WantedName]
    claim: bool
    verification: Verification = field(default_factory=Verification)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def decide(self) -> Change[NameStep]:
        """Read what is there, and plan; nothing is written.

        :raises CollectionError: one of those of ``_dns/errors.py``.
        """
        found = self.provider.read([one.key for one in self.wanted], marker=self.claim)
        return plan_names(self.wanted, found, marker=self.claim)

    def carry_out(self, change: Change[NameStep]) -> Outcome:
        """Write, and wait until everybody answers with it. Without a step, only see whether they do.

        :raises PartialError: some or all of it is written, and the rest is not, or not served yet.
        """
        written = self._write(change)
        outcome = Outcome(change, written, self.provider.calls)
        began = self.clock()
        try:
            verified = self._verify(began)
        except CollectionError as error:
            outcome = replace(outcome, api_calls=self.provider.calls, seconds=self.clock() - began, verified=False)
            if not written:
                raise
            raise PartialError(error.message, remedy=error.remedy, results=outcome.results()) from error
        return replace(outcome, api_calls=self.provider.calls, seconds=self.clock() - began, verified=verified)

    def report(self, change: Change[NameStep]) -> Outcome:
        """What a run that writes nothing has to say."""
        return Outcome(change, tuple(changed_names(change.steps)), self.provider.calls)

    def _write(self, change: Change[NameStep]) -> tuple[str, ...]:
        """Send batch by batch; after a lost race, or a lost answer, look again at what is left to do."""
        written: dict[str, None] = {}
        attempts = 0
        while change.needed:
            trouble, unsure = self._send(change, written)
            if trouble is None:
                break
            attempts += 1
            if attempts == MOST_ATTEMPTS:
                raise self._partial(trouble, [*written, *unsure], change) from trouble
            self.sleep(LOOK_AGAIN_SECONDS * (attempts - 1))
            change = self._decide_again([*written, *unsure], change)
            left = changed_names(change.steps)
            written.update((name, None) for name in unsure if name not in left)
        return tuple(written)

    def _send(self, change: Change[NameStep], written: dict[str, None]) -> tuple[CollectionError | None, Sequence[str]]:
        """What came in between, and the names of which nobody knows whether they were written."""
        names: list[str] = []
        try:
            for batch in self.provider.batches(change.steps):
                names = changed_names(batch)
                self.provider.apply(batch)
                written.update(dict.fromkeys(names))
        except LostRaceError as error:
            return error, ()
        except NameServerTimeoutError as error:
            return error, names
        except CollectionError as error:
            raise self._partial(error, list(written), change) from error
        return None, ()

    def _decide_again(self, written: Sequence[str], change: Change[NameStep]) -> Change[NameStep]:
        try:
            return self.decide()
        except CollectionError as error:
            raise self._partial(error, written, change) from error

    def _partial(self, error: CollectionError, written: Sequence[str], change: Change[NameStep]) -> CollectionError:
        """The error as it is where nothing was written, else with what was."""
        if not written:
            return error
        outcome = Outcome(change, tuple(written), self.provider.calls, verified=False)
        return PartialError(
            f"{error.message} Names that were written before that, or may have been: {len(written)}.",
            remedy=error.remedy,
            results=outcome.results(),
        )

    def _verify(self, began: float) -> bool | None:
        deadline = began + self.verification.seconds
        if self.verification.seconds <= 0:
            return None
        self._until(deadline, self._complaint_of_provider)
        expected = [AddressSet(one.name, one.addresses, one.ttl) for one in self.wanted if not one.set_identifier]
        servers = self.verification.servers
        if servers is None and expected:
            servers = tuple(self.provider.name_servers())
        if servers and expected:
            asker = Asker(servers, timeout_seconds=self.verification.timeout_seconds)
            self._until(deadline, lambda: asker.complaint(expected))
        return True

    def _complaint_of_provider(self) -> str:
        return "" if self.provider.is_in_sync() else "The provider has not told its name servers yet."

    def _until(self, deadline: float, complaint: Callable[[], str]) -> None:
        """Ask, with longer and longer pauses, until there is nothing to complain about."""
        pause = LOOK_AGAIN_SECONDS
        while True:
            text = complaint()
            if not text:
                return
            if self.clock() + pause > deadline:
                raise UnverifiedError(
                    f"{text} That is after {self.verification.seconds:g} s.",
                    remedy="The records are written. Look whether the zone's servers get updates from its primary, and "
                    "run this again, or raise verify_seconds.",
                )
            self.sleep(pause)
            pause = min(pause * 2, LONGEST_LOOK_SECONDS)


def update_names(
    provider: Provider,
    wanted: Sequence[WantedName],
    *,
    check: bool,
    claim: bool,
    verification: Verification,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Have names show what they shall show.

    :param check: Only tell what would be done.
    :param claim: See :class:`AddressRun`.
    :raises CollectionError: one of those of ``_dns/errors.py``; :class:`PartialError` if something was written.
    """
    run = AddressRun(provider, wanted, claim, verification, clock, sleep)
    change = run.decide()
    return run.report(change) if check else run.carry_out(change)
