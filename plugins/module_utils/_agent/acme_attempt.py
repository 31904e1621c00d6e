# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to have the certificate as it is wanted, and to have it served."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.questions import Questions
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import AcmeSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.state import (
    DAY_SECONDS,
    State,
    is_clock_ahead,
    is_due,
    is_paused,
    next_attempt,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_certbot import Certbot, CertbotError
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_certificate import Facts, read_facts
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_checks import Checks
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_deployment import Deployment
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_revocation import Revocations
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError


class ClockError(CollectionError):
    """What the CA has just signed seems to be old."""


class Attempt:
    """What follows from a configuration and from what became of the last attempt.

    :param resolver: Who is asked for name servers; the host's own resolver where it is ``None``.
    """

    def __init__(
        self, settings: AcmeSettings, last: State, *, now: float, resolver: Sequence[str] | None = None, port: int = 53
    ) -> None:
        self.settings = settings
        self.last = last
        self.now = now
        self._questions = Questions(resolver, port=port)
        self._deployment = Deployment(settings)
        self._certbot = Certbot(settings, now=now)
        self._revocations = Revocations(settings, self._certbot, now=now)

    def run(self, *, asked_for: bool = False, force: bool = False) -> State:
        """Have a certificate served; the state says what became of it.

        :param asked_for: Whether a person wants it now.
        :param force: Have a new certificate, whatever the age of the present one.
        """
        if self.last.revoked and not asked_for:
            return self.last
        settings = self.settings
        if is_paused(self.last, mark=settings.mark, ca_mark=settings.ca_mark, now=self.now, asked_for=asked_for):
            return self.last
        state = replace(self.last, checked_at=self.now, mark=settings.mark, ca_mark=settings.ca_mark, revoked=False)
        try:
            owed = self._settle()
            state = self._obtain(state, force=force)
        except (CollectionError, OSError) as error:
            return self._failed(error, self._serve_what_there_is(state))
        return replace(state, notes=(*owed, *state.notes), problem="", failures=0, retry_at=0.0, ca_said=False)

    def _settle(self) -> tuple[str, ...]:
        """What an earlier revocation could not do; nothing of it is in use any more."""
        try:
            self._revocations.settle()
        except CollectionError as error:
            return (f"Not revoked yet: {error}",)
        return ()

    def _obtain(self, state: State, *, force: bool) -> State:
        before = self._certbot_facts()
        try:
            state = replace(state, notes=self.check())
        except (CollectionError, OSError) as error:
            if force or before is None or self._is_due(before):
                raise
            # Nothing would be validated now: the CA need not be asked, and there is time to mend it.
            return replace(self._serve(state), notes=(str(error),))
        self._certbot.obtain(force=force)
        state = self._serve(self._keep_contact(state))
        is_new = before is None or before.fingerprint != state.fingerprint
        if is_new and is_clock_ahead(state.not_before, now=self.now):
            raise ClockError(
                "This gateway's clock is days ahead of the CA's: a certificate that is new seems old.",
                remedy="Set the clock, then: privatespace-acme --now",
            )
        return state

    def _is_due(self, facts: Facts) -> bool:
        is_other = set(facts.names) != set(self.settings.names)
        return is_other or is_due(facts.not_before, facts.not_after, now=self.now)

    def _certbot_facts(self) -> Facts | None:
        pair = self._certbot.pair()
        try:
            return None if pair is None else read_facts(pair.chain)
        except CollectionError:
            return None

    def check(self) -> tuple[str, ...]:
        """Look at names and CAA records; what is worth knowing is returned.

        :raises CollectionError: the CA would refuse.
        """
        return Checks(self.settings, self._questions).run()

    def revoke(self, *, reason: str) -> State:
        """Take the certificate out of service, and have the CA revoke it."""
        served, problems = self.last.fingerprint, []
        try:
            self._deployment.remove()
        except (CollectionError, OSError) as error:
            problems.append(f"The web server may still have the certificate: {error}")
        try:
            self._revocations.revoke_all(reason=reason, served=served)
        except (CollectionError, OSError) as error:
            problems.append(f"Not revoked yet: {error}")
        return State(
            checked_at=self.now, changed_at=self.now, contact=self.last.contact, revoked=True,
            mark=self.settings.mark, ca_mark=self.settings.ca_mark, problem=" ".join(problems),
        )  # fmt: skip

    def _keep_contact(self, state: State) -> State:
        """The CA was told an address when the account was made; another one has to be told by itself."""
        directory, email = self.settings.directory, self.settings.email
        contact = f"{directory} {email}"
        if state.contact.startswith(f"{directory} ") and state.contact != contact:
            self._certbot.tell_contact()
        return replace(state, contact=contact)

    def _serve(self, state: State) -> State:
        pair = self._certbot.pair()
        if pair is None:
            raise CertbotError("certbot ended well, and left no certificate.", asked=True)
        facts = read_facts(pair.chain)
        before = self._deployment.present()
        self._deployment.put(pair, facts, loaded=state.loaded)
        is_new = before is None or before.fingerprint != facts.fingerprint
        return replace(
            _described(state, facts),
            loaded=facts.fingerprint,
            directory=self.settings.directory,
            staging=self.settings.is_staging,
            changed_at=self.now if is_new else state.changed_at,
        )

    def _serve_what_there_is(self, state: State) -> State:
        """An earlier attempt may have been cut off between the certificate and the web server."""
        try:
            pair = self._certbot.pair()
            if pair is not None and read_facts(pair.chain).not_after > self.now:
                return self._serve(state)
            present = self._deployment.present()
        except (CollectionError, OSError):
            return state
        return state if present is None else _described(state, present)

    def _failed(self, error: CollectionError | OSError, state: State) -> State:
        failures = self.last.failures + 1
        retry_at, ca_said = next_attempt(
            failures,
            now=self.now,
            chance=random.random(),  # noqa: S311 - that all gateways do not come at once
            asked=isinstance(error, CertbotError) and error.asked,
            retry_after=error.retry_after if isinstance(error, CertbotError) else None,
        )
        if isinstance(error, ClockError):
            # Each attempt would be another order.
            retry_at = max(retry_at, self.now + DAY_SECONDS)
        return replace(state, problem=str(error), failures=failures, retry_at=retry_at, ca_said=ca_said)


def _described(state: State, facts: Facts) -> State:
    return replace(
        state,
        names=facts.names,
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        fingerprint=facts.fingerprint,
    )
