# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of certbot, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import (
    DNS,
    ECDSA,
    RFC2136,
    AcmeSettings,
)

LOG_FILES = 10
# Longer than any CA of today wants somebody to stay away.
LONGEST_RETRY_AFTER_SECONDS = 8 * 86400
_UNAVAILABLE = ("429", "503")
_BLOCK = re.compile(r"Received response:\nHTTP (\d{3})\n(.*?)(?:\n\n|\Z)", re.DOTALL)
_DETAIL = re.compile(r"^\s*Detail: (.+)$", re.MULTILINE)
_DOMAIN = re.compile(r"^\s*(?:Domain|Identifier): (.+)$", re.MULTILINE)
_UNREACHABLE = re.compile(r"^requests\.exceptions\.\w+: .*?host='([^']+)', port=(\d+)")
_REASON = re.compile(r"\[Errno -?\d+\] ([^\"'()]+)|(certificate verify failed: [^\"'()]+)|(timed out)")
_NOISE = ("Ask for help", "Saving debug log", "See the logfile", "Some challenges have failed", "An unexpected error")


def shared_arguments(settings: AcmeSettings, *, directory: str = "") -> list[str]:
    """What every call has in common. No secret is among it: any user can read a command line.

    :param directory: The CA; empty for that from which the certificate is.
    """
    server = ["--server", directory] if directory else []
    places = settings.places
    return [
        "--config", credentials_path(settings, "cli"), "--config-dir", places.config_folder,
        "--work-dir", f"{places.work_folder}/certbot", "--logs-dir", places.log_folder,
        "--max-log-backups", str(LOG_FILES), "--non-interactive", *server,
    ]  # fmt: skip


def certificate_arguments(settings: AcmeSettings, *, force: bool = False) -> list[str]:
    """The one call that has the certificate as it is wanted: a new one, a renewed one, or the one that is there.

    :param force: Have a new one, whatever the age of the present one.
    """
    size = ["--elliptic-curve", settings.curve] if settings.key_type == ECDSA else []
    size = size or ["--rsa-key-size", str(settings.key_bits)]
    whose = ["--email", settings.email, "--no-eff-email"] if settings.email else ["--register-unsafely-without-email"]
    return [
        "certonly", *shared_arguments(settings, directory=settings.directory), "--agree-tos", *whose,
        "--cert-name", settings.lineage,
        "--force-renewal" if force else "--keep-until-expiring", "--renew-with-new-domains", "--no-directory-hooks",
        "--key-type", settings.key_type, *size, "--no-reuse-key",
        *(["--preferred-profile", settings.profile] if settings.profile else []), *_authenticator(settings),
        *(word for name in settings.names for word in ("--domain", name)),
    ]  # fmt: skip


def contact_arguments(settings: AcmeSettings) -> list[str]:
    """The call that tells the CA another address, or none."""
    whose = ["--email", settings.email, "--no-eff-email"] if settings.email else ["--register-unsafely-without-email"]
    return ["update_account", *shared_arguments(settings, directory=settings.directory), *whose]


def revocation_arguments(settings: AcmeSettings, certificate: str, *, directory: str, reason: str) -> list[str]:
    """The call that revokes a certificate with the key of the account.

    :param certificate: A file.
    :param directory: The CA that it is from.
    """
    chosen = ["--cert-path", certificate, "--reason", reason, "--no-delete-after-revoke"]
    return ["revoke", *shared_arguments(settings, directory=directory), *chosen]


def is_revoked_already(problem: str) -> bool:
    """Whether a revocation failed because there was nothing to revoke."""
    said = problem.lower()
    return "alreadyrevoked" in said or "already been revoked" in said or "already revoked" in said


def _authenticator(settings: AcmeSettings) -> list[str]:
    if settings.challenge != DNS:
        return ["--webroot", "--webroot-path", settings.places.webroot]
    if settings.dns_provider == RFC2136:
        seconds = str(settings.propagation_seconds)
        where = ["--dns-rfc2136-credentials", credentials_path(settings, "rfc2136")]
        return ["--dns-rfc2136", *where, "--dns-rfc2136-propagation-seconds", seconds]
    # It waits until Amazon says that all of its servers know the record.
    return ["--dns-route53"]


def credentials_path(settings: AcmeSettings, name: str) -> str:
    """Where certbot reads what must not be on a command line."""
    return f"{settings.places.config_folder}/{name}.ini"


def render_settings_file(settings: AcmeSettings) -> str:
    """The file that is read instead of those that a host may have for another certbot."""
    if not settings.eab_key_id:
        return "# Nothing.\n"
    return f"eab-kid = {settings.eab_key_id}\neab-hmac-key = {settings.eab_hmac_key}\n"


def render_rfc2136_file(settings: AcmeSettings, key: Mapping[str, str], *, server: str) -> str:
    """Where updates go, and the TSIG key for them.

    :param server: An address.
    """
    rows = {
        "server": server,
        "port": str(settings.port),
        "name": key["key_name"].rstrip(".") + ".",
        "secret": key["key_secret"],
        "algorithm": key["key_algorithm"].upper(),
        "sign_query": "true",
    }
    return "".join(f"dns_rfc2136_{name} = {value}\n" for name, value in rows.items())


def environment(settings: AcmeSettings) -> dict[str, str]:
    """What certbot and its libraries take from the environment."""
    given = {
        "REQUESTS_CA_BUNDLE": settings.ca_bundle,
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_ENDPOINT_URL_ROUTE_53": settings.endpoint_url,
    }
    return {name: value for name, value in given.items() if value}


def read_problem(output: str, errors: str) -> str:
    """What went wrong, in the CA's words where it said something."""
    text = f"{output}\n{errors}"
    domains, details = _DOMAIN.findall(text), _DETAIL.findall(text)
    if details:
        told = [f"{domain}: {detail.strip()}" for domain, detail in zip(domains, details)]
        return "The CA could not validate " + "; ".join(told or details)
    lines = [line.strip() for line in errors.splitlines()]
    useful = [line for line in lines if line and not line.startswith(_NOISE)]
    last = useful[-1] if useful else "certbot ended without a word."
    unreachable = _UNREACHABLE.match(last)
    if unreachable:
        reasons = [next(filter(None, one)) for one in _REASON.findall(last)]
        why = reasons[-1].strip() if reasons else "no answer"
        return f"The CA at {unreachable.group(1)}, port {unreachable.group(2)}, cannot be reached: {why}."
    return last


def is_lost_nonce(problem: str) -> bool:
    """Whether the CA took no offence but at a nonce, which it may forget at any time."""
    return "badNonce" in problem or "anti-replay nonce" in problem


def read_retry_after(log: str, *, now: float) -> float | None:
    """When the CA wants to be asked again, seconds since 1970-01-01 UTC; ``None`` where it did not say."""
    answers = [headers for status, headers in _BLOCK.findall(log) if status in _UNAVAILABLE]
    rows = [line.partition(":") for line in answers[-1].splitlines()] if answers else []
    value = next((text.strip() for name, _colon, text in rows if name.strip().lower() == "retry-after"), "")
    if value.isdigit():
        moment = now + int(value)
    else:
        try:
            found = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        moment = (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    return min(moment, now + LONGEST_RETRY_AFTER_SECONDS)


def was_asked(log: str) -> bool:
    """Whether the CA counted this attempt: an order was made."""
    return bool(re.search(r"Sending POST request to \S*(?:new-?order|order-plz)", log, re.IGNORECASE))


def parse_moment(text: str) -> float:
    """A moment as OpenSSL writes it (``Nov 23 06:00:23 2026 GMT``).

    :raises ValueError: it is none.
    """
    return datetime.strptime(text.strip(), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=timezone.utc).timestamp()
