# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that keeps the authority's CRL fresh: ``authority_crl [--show | --validate]``.

It does what the module ``pki_crl`` does, under the same locks, and notes what became of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.authority_look import look
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.authority_places import (
    load_settings,
    read_state,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds, utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import file_mode, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.pin import find_pin
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import (
    map_optional,
    publish_pieces,
    remove_file,
    write_pieces,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import WrongPinError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import SigningKeys, signing_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_files import CrlFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import SIGN
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_run import CrlRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_metrics import render_metrics
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_settings import KeeperSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_state import (
    KeeperState,
    conclude,
    is_refused,
    is_unproven,
    news,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run

CONFIGURATION = Path("/etc/privatespace/authority.json")
# For whoever reports the state of the authority, and for node_exporter, which runs as another user.
PUBLIC_MODE = 0o644
ACTOR = "privatespace-crl"
_REMEDY_PIN = "Set pki_hsm_pin right and run the playbook site. If the token itself was put right: touch {path}"


class Keeper:
    """One run.

    :param last: What became of the run before.
    """

    def __init__(self, settings: KeeperSettings, last: KeeperState, *, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.last = last
        self.environment = environment
        self.warnings: list[str] = []
        self.found: dict[str, Any] = {}
        self.pin = _mark(settings.pin_source)
        self.refused_pin, self.proven_pin = last.refused_pin, last.proven_pin
        self.signed = False

    def run(self) -> KeeperState:
        """Sign where that is due, put the files right; the state says what became of it."""
        settings = self.settings
        try:
            with open_for_run(
                settings.store,
                actor=ACTOR,
                job="",
                wait_seconds=settings.lock_wait,
                clock=utc_now,
                file_lock=exclusive_lock,
            ) as session:
                book = AuthorityBook(session, settings.hsm_key_label)
                job = CrlRun(self._options(), book, self._tools(), _files(), self.warnings.append)
                change = job.decide()
                self.found = dict(change.result)
                self.signed = any(step.action == SIGN for step in change.steps)
                if change.needed:
                    self.found.update(job.apply(change))
                self._prove_pin()
        except CollectionError as error:
            return self.state(str(error))
        return self.state()

    def state(self, problem: str = "") -> KeeperState:
        """What is to be noted.

        :param problem: What stopped this run, if anything did.
        """
        now, found = epoch_seconds(), self.found
        state = replace(
            self.last,
            problem=problem,
            warnings=tuple(dict.fromkeys(self.warnings)),
            signed_at=now if self.signed and not problem else self.last.signed_at,
            issuers=tuple(found["issuers"]) if found else self.last.issuers,
            first_end=found["expires_first"] if found else self.last.first_end,
            refused_pin=self.refused_pin,
            proven_pin=self.proven_pin,
        )
        return conclude(self.last, state, now=now, warning_days=self.settings.warning_days)

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "crl_path": settings.crl_path,
            "crl_der_path": settings.crl_der_path,
            "public_folder": settings.public_folder,
            "renewal_days": settings.renewal_days,
            "force": False,
            "return_content": False,
        }

    def _tools(self) -> Tools:
        return Tools(utc_now, os.urandom, self._keys, partial(generate_private_key, "ec-p256"))

    @contextmanager
    def _keys(self) -> Iterator[SigningKeys]:
        """One login, and none with a PIN that was refused before: a token locks itself after a few wrong ones."""
        if is_refused(self.last, self.pin):
            raise StateError(
                f"The token '{self.settings.hsm_token}' has refused the PIN before, so it was not tried again.",
                remedy=_REMEDY_PIN.format(path=self.settings.pin_source),
            )
        try:
            with signing_keys(self._token(), lock=exclusive_lock) as keys:
                self.refused_pin, self.proven_pin = "", self.pin
                yield keys
        except WrongPinError:
            self.refused_pin, self.proven_pin = self.pin, ""
            raise

    def _prove_pin(self) -> None:
        """Log in once with a PIN that is new, where nothing had to be signed."""
        if not self.signed and is_unproven(self.last, self.pin):
            with self._keys():
                pass

    def _token(self) -> TokenSettings:
        pin = find_pin(given=None, path=None, environment=self.environment)
        if not pin:
            raise StateError(
                "A CRL has to be signed, and there is no PIN for the token here.",
                remedy="systemd hands it over: systemctl start privatespace-crl.service. Without that unit, run the "
                "playbook crl_refresh.",
            )
        settings = self.settings
        return TokenSettings(
            module=settings.hsm_module,
            token=settings.hsm_token,
            pin=pin,
            serial=settings.hsm_token_serial,
            lock_wait_seconds=settings.lock_wait,
            timeout_seconds=settings.hsm_timeout,
            give_up=self._give_up,
        )

    def _give_up(self, message: str) -> NoReturn:
        """End this process while its main thread hangs in the library of a token."""
        try:
            _note(self.settings, self.last, self.state(message))
        finally:
            os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Keep the CRL fresh, or only tell; returns the exit status, which is 1 where something is wrong."""
    asked = _parse(arguments)
    try:
        settings = load_settings(asked.config)
        if asked.validate:
            return 0
        if asked.show:
            sys.stdout.write(json.dumps(look(settings), indent=2, sort_keys=True) + "\n")
            return 0
        last = read_state(settings)
        state = Keeper(settings, last, environment=os.environ).run()
        _note(settings, last, state)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 1 if state.problem else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="authority_crl", description="Keeps the CRL of this authority fresh.")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--show", action="store_true", help="print as JSON how fresh the CRL is; the token is not used")
    either.add_argument("--validate", action="store_true", help="only look whether the configuration can be used")
    parser.add_argument("--config", type=Path, default=CONFIGURATION, help="default: %(default)s")
    return parser.parse_args(list(arguments))


def _note(settings: KeeperSettings, last: KeeperState, state: KeeperState) -> None:
    """Say what is new, then write it down, for programs and for Prometheus.

    :raises FileError: a file cannot be written.
    """
    for line in news(last, state):
        sys.stderr.write(f"{line}\n")
    write_atomic(Path(settings.state_path), (json.dumps(state.as_dict()) + "\n").encode(), mode=PUBLIC_MODE)
    if settings.metrics_path:
        write_atomic(Path(settings.metrics_path), render_metrics(state).encode(), mode=PUBLIC_MODE)


def _files() -> CrlFiles:
    return CrlFiles(map_optional, file_mode, write_pieces, remove_file, publish_pieces)


def _mark(path: str) -> str:
    """Tells the PIN in a file from any other that is written there later, and nothing of it."""
    try:
        found = Path(path).stat() if path else None
    except OSError:
        return ""
    return f"{found.st_ino}-{found.st_mtime_ns}" if found else ""
