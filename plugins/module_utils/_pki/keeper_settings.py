# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program has to know that keeps the CRL fresh, checked when it is written and whenever it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

LONGEST_DAYS = 3650
LONGEST_SECONDS = 86400
FOLDER = "/var/lib/privatespace/authority"
_FILES = ("hsm_module", "crl_path", "crl_der_path", "public_folder", "state_path", "metrics_path", "pin_source")
_OPTIONAL = ("public_folder", "metrics_path", "pin_source")


@dataclass(frozen=True)
class KeeperSettings:
    """The configuration of this authority.

    :param renewal_days: A CRL with fewer days left is signed again; ``None`` for half of what it is valid for.
    :param warning_days: With fewer days left something is wrong, since it should have been signed again.
    :param lock_wait: How many seconds to wait for another run that works with the store or the token.
    :param public_folder: What a web server gives away; empty for nothing.
    :param pin_source: The file out of which systemd takes the PIN; another PIN is another file to it.
    :param timer_hours: Every how many hours the timer comes; 0 without one.
    :param endpoint: Where the web server gives the CRL away, as this host asks it; empty where there is none.
    """

    hsm_module: str
    store: str = f"{FOLDER}/authority.db"
    hsm_token: str = "privatespace"  # noqa: S105 - the label of a token
    hsm_token_serial: str = ""
    hsm_key_label: str = "ca"
    hsm_timeout: int = 120
    crl_path: str = f"{FOLDER}/crl.pem"
    crl_der_path: str = f"{FOLDER}/crl.der"
    public_folder: str = ""
    state_path: str = f"{FOLDER}/crl-state.json"
    metrics_path: str = ""
    pin_source: str = ""
    renewal_days: int | None = None
    warning_days: int = 10
    lock_wait: int = 1800
    timer_hours: int = 0
    endpoint: str = ""

    @property
    def published_path(self) -> str:
        """The file with all CRLs that gateways get."""
        return f"{self.public_folder}/crl.pem" if self.public_folder else self.crl_path


def parse_settings(raw: Mapping[str, Any]) -> KeeperSettings:
    """Check what the configuration says.

    :raises InputError: for the first that is wrong.
    """
    unknown = sorted(set(raw) - set(KeeperSettings.__dataclass_fields__))
    if unknown:
        raise InputError(f"There is no setting '{shown(unknown[0])}'.")
    values: dict[str, Any] = {name: _text(raw, name) for name in raw if isinstance(raw[name], str)}
    renewal = raw.get("renewal_days")
    values.update(
        renewal_days=None if renewal is None else _number(raw, "renewal_days", 1, LONGEST_DAYS),
        warning_days=_number(raw, "warning_days", 1, LONGEST_DAYS),
        lock_wait=_number(raw, "lock_wait", 0, LONGEST_SECONDS),
        hsm_timeout=_number(raw, "hsm_timeout", 0, LONGEST_SECONDS),
        timer_hours=_number(raw, "timer_hours", 0, 24),
    )
    if not values.get("hsm_module"):
        raise InputError("The setting 'hsm_module' is missing.", remedy="It is the PKCS#11 library of the token.")
    settings = KeeperSettings(**values)
    for name in _FILES:
        _require_path(name, getattr(settings, name))
    if settings.renewal_days is not None and settings.warning_days > settings.renewal_days:
        raise InputError(
            f"pki_crl_warning_days is {settings.warning_days}, and a CRL is signed again with"
            f" {settings.renewal_days} days left: every CRL would be warned of.",
            remedy="Make it smaller than pki_crl_renewal_days.",
        )
    if settings.endpoint and not settings.endpoint.startswith("http://"):
        raise InputError(f"The endpoint '{shown(settings.endpoint)}' is no URL that begins with http://.")
    return settings


def _text(raw: Mapping[str, Any], name: str) -> str:
    return require_single_line(str(raw[name]), what=f"The setting '{name}'").strip()


def _require_path(name: str, path: str) -> None:
    if not path and name in _OPTIONAL:
        return
    if not path.startswith("/"):
        raise InputError(f"The setting '{name}' is '{shown(path)}', which is no absolute path.")


def _number(raw: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = raw.get(name, KeeperSettings.__dataclass_fields__[name].default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if not least <= number <= most:
        raise InputError(f"The setting '{name}' is '{shown(str(value))}', and has to be from {least} to {most}.")
    return number
