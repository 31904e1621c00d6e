# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certbot, called as the plan says, and what it left."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.certbot_calls import (
    certificate_arguments,
    contact_arguments,
    credentials_path,
    environment,
    is_lost_nonce,
    is_revoked_already,
    read_problem,
    read_retry_after,
    render_rfc2136_file,
    render_settings_file,
    revocation_arguments,
    was_asked,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import RFC2136, AcmeSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_certificate import Pair, read_pair
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.announcement_settings import read_key
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    DeadlineError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.redaction import redact
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.authoritative import find_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import Completed, run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic

FOLDER_MODE, FILE_MODE = 0o700, 0o600
# A name is validated within a minute and a half, or not at all.
SECONDS, SECONDS_A_NAME = 300, 90
MOST_ATTEMPTS = 5
LONGEST_LOG_BYTES = 4_000_000
# What a host has for another certbot, in /etc/letsencrypt/cli.ini or below a home, is read besides --config.
LAUNCHER = """\
import sys
from certbot._internal import constants
constants.CLI_DEFAULTS["config_files"] = []
from certbot.main import main
sys.exit(main())
"""


class CertbotError(CollectionError):
    """No certificate was had.

    :param asked: Whether the CA counts this attempt.
    :param retry_after: When it wants to be asked again, seconds since 1970-01-01 UTC.
    """

    def __init__(self, message: str, *, asked: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.asked = asked
        self.retry_after = retry_after


class Certbot:
    """The client, with the folders of this gateway."""

    def __init__(self, settings: AcmeSettings, *, now: float) -> None:
        self._settings = settings
        self._now = now
        self._folder = Path(settings.places.config_folder)
        self._log = Path(settings.places.log_folder) / "letsencrypt.log"

    def pair(self) -> Pair | None:
        """The certificate of the present configuration, however old."""
        return read_pair(self._folder / "live" / self._settings.lineage)

    def obtain(self, *, force: bool) -> None:
        """Have the certificate, unless the present one is as it is wanted and not due for renewal.

        :raises CertbotError: there is no such certificate.
        """
        self._prepare()
        self._call(certificate_arguments(self._settings, force=force))

    def tell_contact(self) -> None:
        """Have the CA know the e-mail address.

        :raises CertbotError: it does not.
        """
        self._call(contact_arguments(self._settings))

    def revoke(self, certificate: Path, *, directory: str, reason: str) -> None:
        """Have the CA revoke a certificate; one that it has revoked before is none to worry about.

        :raises CertbotError: it stays valid.
        """
        self._prepare(is_signing=False)
        try:
            self._call(revocation_arguments(self._settings, str(certificate), directory=directory, reason=reason))
        except CertbotError as error:
            if not is_revoked_already(str(error)):
                raise

    def _prepare(self, *, is_signing: bool = True) -> None:
        """Have the folders, and in files what must not be on a command line."""
        places, settings = self._settings.places, self._settings
        if not Path(places.certbot).exists():
            raise StateError(f"There is no {places.certbot}.", remedy="The playbook site installs it.")
        for folder in (places.config_folder, places.work_folder, places.log_folder):
            Path(folder).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _write(Path(credentials_path(settings, "cli")), render_settings_file(settings))
        credentials = Path(credentials_path(settings, "rfc2136"))
        if settings.dns_provider != RFC2136:
            credentials.unlink(missing_ok=True)
        elif is_signing:
            server = next(iter(find_addresses(settings.servers[0])), "")
            if not server:
                raise StateError(f"The name server {settings.servers[0]} has no address that can be found from here.")
            text = render_rfc2136_file(settings, read_key(settings.key_file), server=str(ipaddress.ip_address(server)))
            _write(credentials, text)

    def _call(self, arguments: list[str]) -> Completed:
        """Call it, again where a nonce was lost: that says nothing about us, and certbot tries but once more."""
        attempts = 0
        while True:
            done, error = self._call_once(arguments)
            attempts += 1
            if error is None:
                return done
            if attempts == MOST_ATTEMPTS or not is_lost_nonce(str(error)):
                raise error

    def _call_once(self, arguments: list[str]) -> tuple[Completed, CertbotError | None]:
        settings = self._settings
        seconds = SECONDS + SECONDS_A_NAME * len(settings.names) + settings.propagation_seconds
        before = self._log.stat().st_mtime_ns if self._log.exists() else 0
        try:
            done = run_command(
                [str(Path(settings.places.certbot).with_name("python")), "-I", "-c", LAUNCHER, *arguments],
                timeout_seconds=seconds, check=False, environment=environment(settings),
            )  # fmt: skip
        except DeadlineError as error:
            raise CertbotError(f"The CA took too long: {error}", asked=True) from error
        if done.status != 0:
            is_new = self._log.exists() and self._log.stat().st_mtime_ns != before
            log = (read_optional(self._log) or b"")[-LONGEST_LOG_BYTES:].decode("utf-8", "replace") if is_new else ""
            problem = redact(read_problem(done.output, done.errors), secrets=settings.secrets)
            when = read_retry_after(log, now=self._now)
            return done, CertbotError(problem, asked=was_asked(log), retry_after=when)
        return done, None


def _write(path: Path, text: str) -> None:
    if read_optional(path) != text.encode():
        write_atomic(path, text.encode(), mode=FILE_MODE)
