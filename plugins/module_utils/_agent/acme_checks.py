# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before a CA is asked: an attempt that must fail would only use up what the CA allows."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.caa import CaaRecord, judge_caa
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.questions import Responsible, ServerAnswer
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import HTTP, AcmeSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.state import judge_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_settings import load_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_sources import look
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import Found
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import WebError, ask_http

PROBE_SECONDS = 10.0
_CHALLENGES = ".well-known/acme-challenge"


class NotReadyError(CollectionError):
    """The CA would not sign; it was not asked."""


class Asking(Protocol):
    """Who is asked about names: see ``_acme/questions.py``."""

    def responsible(self, name: str) -> Responsible: ...

    def ask_all(self, name: str, kind: str) -> list[ServerAnswer]: ...

    def caa(self, name: str) -> tuple[str, tuple[CaaRecord, ...]]: ...


class Checks:
    """One look at all names."""

    def __init__(self, settings: AcmeSettings, questions: Asking) -> None:
        self._settings = settings
        self._questions = questions
        self._notes: list[str] = []

    def run(self) -> tuple[str, ...]:
        """Look at everything; what is worth knowing is returned.

        :raises NotReadyError: something must be mended first; all of it is told.
        """
        problems = list(self._caa())
        if self._is_looking:
            problems += self._lead_here()
        if problems:
            raise NotReadyError(" ".join(dict.fromkeys(problems)))
        return tuple(dict.fromkeys(self._notes))

    @property
    def _is_looking(self) -> bool:
        return self._settings.challenge == HTTP and self._settings.check_names

    def _caa(self) -> Iterator[str]:
        for name in self._settings.names:
            try:
                owner, records = self._questions.caa(name)
                zone = "" if records else self._questions.responsible(name.removeprefix("*.")).zone
            except CollectionError as error:
                if self._is_looking:
                    yield str(error)
                else:
                    self._notes.append(str(error))
                continue
            verdict = judge_caa(
                name, records, owner=owner, identity=self._settings.caa_identity,
                challenge=self._settings.challenge, zone=zone,
            )  # fmt: skip
            if verdict.hint:
                self._notes.append(verdict.hint)
            if verdict.refused:
                yield verdict.refused

    def _lead_here(self) -> Iterator[str]:
        own = self._own_addresses()
        with self._probe() as (path, content):
            for name in self._settings.names:
                found, problem = self._addresses(name, own)
                problems = [problem] if problem else self._fetch(name, found, path, content)
                yield from problems

    def _own_addresses(self) -> tuple[str, ...]:
        """By hand, or from the sources of the gateway's record; where neither is known the probe alone decides."""
        if self._settings.addresses:
            return self._settings.addresses
        path = Path(self._settings.places.announcement)
        if not path.exists():
            return ()
        try:
            found: Found = look(load_settings(path))
        except CollectionError as error:
            self._notes.append(f"The addresses of this gateway are not known: {error}")
            return ()
        # A family of which nothing is known cannot be compared.
        return tuple(one for some in found.addresses.values() for one in some)

    def _addresses(self, name: str, own: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """Where a name leads, and why that is wrong."""
        try:
            answers = [self._questions.ask_all(name, kind) for kind in ("A", "AAAA")]
        except CollectionError as error:
            return (), str(error)
        silent = {one.server: one.problem for some in answers for one in some if one.problem}
        told: dict[str, list[str]] = {}
        for one in (one for some in answers for one in some):
            if one.server not in silent:
                told.setdefault(one.server, []).extend(str(ipaddress.ip_address(text)) for text in one.values)
        if not told:
            return (), f"No name server answers for {name}: " + "; ".join(f"{a} {b}" for a, b in silent.items()) + "."
        self._notes += [f"The name server {server} {problem}." for server, problem in silent.items()]
        problems = [judge_addresses(name, found, own, server=server) for server, found in told.items()]
        found = tuple(dict.fromkeys(one for some in told.values() for one in some))
        return found, next(filter(None, problems), "")

    @contextmanager
    def _probe(self) -> Iterator[tuple[str, str]]:
        folder = Path(self._settings.places.webroot) / _CHALLENGES
        name, content = f"probe-{secrets.token_hex(8)}", secrets.token_hex(16)
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomic(folder / name, content.encode(), mode=0o644)
        except OSError as error:
            raise FileError(f"Cannot write into {folder}: {error.strerror}.") from error
        try:
            yield f"/{_CHALLENGES}/{name}", content
        finally:
            (folder / name).unlink(missing_ok=True)

    def _fetch(self, name: str, addresses: Sequence[str], path: str, content: str) -> list[str]:
        """What is wrong with the way that the CA will come."""
        problems = []
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            url = f"http://{host}:{self._settings.http_port}{path}"
            try:
                status, answer = ask_http("GET", url, seconds=PROBE_SECONDS, headers={"Host": name})
            except WebError as error:
                problems.append(f"{name} cannot be reached at {address}, port {self._settings.http_port}: {error}.")
                continue
            if status != 200 or answer != content:
                problems.append(f"At {address} somebody else's web server answers for {name} (status {status}).")
        return problems
