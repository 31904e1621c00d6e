# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a certificate into service, and taking it out, so that a crash at any moment leaves a whole one."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import AcmeSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_certificate import (
    Facts,
    Pair,
    read_facts,
    read_pair,
    require_pair,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    sync_folder,
    write_atomic,
)

FOLDER_MODE, KEY_MODE = 0o700, 0o600
COMMAND_SECONDS = 120
_FINGERPRINT_LETTERS = 32


class DeploymentError(CollectionError):
    """The web server does not take the certificate; what it had stays."""


class Deployment:
    """The folder that the web server reads."""

    def __init__(self, settings: AcmeSettings) -> None:
        self._settings = settings
        self._folder = Path(settings.places.tls_folder)
        self._live = self._folder / "live"
        self._enabled = Path(settings.places.enabled_site)

    def present(self) -> Facts | None:
        """The certificate that is served; ``None`` where there is none."""
        pair = read_pair(self._live)
        return None if pair is None else read_facts(pair.chain)

    def put(self, pair: Pair, facts: Facts, *, loaded: str) -> None:
        """Have the web server serve this certificate.

        :param loaded: The fingerprint of the certificate that it was told to load last.
        :raises CollectionError: it is not served, and what was served before still is.
        """
        require_pair(pair)
        name = facts.fingerprint[:_FINGERPRINT_LETTERS]
        before = _target(self._live)
        was_enabled = self._enabled.is_symlink()
        if before == name and self._is_enabled() and loaded == facts.fingerprint:
            return
        try:
            self._write(pair, name)
            _link(self._live, name)
            if Path(self._settings.places.site).exists():
                _link(self._enabled, self._settings.places.site)
        except OSError as error:
            raise FileError(f"Cannot put the certificate into {self._folder}: {error.strerror}.") from error
        try:
            self._reload()
        except CollectionError as error:
            self._restore(before, was_enabled=was_enabled)
            raise DeploymentError(f"The web server does not take the new certificate: {error}") from error
        self._tidy(name)

    def remove(self) -> None:
        """Have the web server serve no certificate, and forget those that it had.

        :raises CollectionError: it still serves one.
        """
        for link in (self._enabled, self._live):
            link.unlink(missing_ok=True)
        self._reload()
        self._tidy("")

    def _is_enabled(self) -> bool:
        return self._enabled.is_symlink() or not Path(self._settings.places.site).exists()

    def _write(self, pair: Pair, name: str) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if read_pair(self._folder / name) == pair:
            return
        shutil.rmtree(self._folder / name, ignore_errors=True)
        made = Path(tempfile.mkdtemp(dir=str(self._folder), prefix=".new."))
        write_atomic(made / "fullchain.pem", pair.chain, mode=KEY_MODE)
        write_atomic(made / "privkey.pem", pair.key, mode=KEY_MODE)
        made.rename(self._folder / name)
        sync_folder(self._folder)

    def _restore(self, before: str, *, was_enabled: bool) -> None:
        if before:
            _link(self._live, before)
        else:
            self._live.unlink(missing_ok=True)
        if not was_enabled:
            self._enabled.unlink(missing_ok=True)

    def _reload(self) -> None:
        if not Path(self._settings.places.site).exists():
            # There is no web server of ours: the certificate is for something else.
            return
        for command in (self._settings.test_command, self._settings.reload_command):
            if command:
                run_command(command, timeout_seconds=COMMAND_SECONDS)

    def _tidy(self, name: str) -> None:
        for one in self._folder.iterdir() if self._folder.is_dir() else ():
            if one.is_dir() and not one.is_symlink() and one.name != name:
                shutil.rmtree(one, ignore_errors=True)


def _target(link: Path) -> str:
    return str(link.readlink()) if link.is_symlink() else ""


def _link(link: Path, target: str) -> None:
    """Make a symbolic link, or have the present one lead elsewhere, in one step."""
    if _target(link) == target:
        return
    made = link.with_name(f".{link.name}.new")
    made.unlink(missing_ok=True)
    made.symlink_to(target)
    made.replace(link)
    sync_folder(link.parent)
