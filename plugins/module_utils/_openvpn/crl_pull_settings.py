# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway has to know to fetch the CRL by itself, checked on the controller and by the program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import REVOCATIONS
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import (
    parse_choice,
    parse_path,
    parse_port,
    parse_scalar,
    parse_whole_number,
)

REFUSE, KEEP_SERVING = "refuse", "keep_serving"
SERIALS = "serials"
DAY_SECONDS = 86400
# A million revoked certificates take some 55 MB of PEM.
LONGEST_BYTES = 128 << 20
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?(/[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*)?")
_UNIT = re.compile(r"[A-Za-z0-9:_.@-]{1,240}\.[a-z]{4,9}")
_LONGEST_URL = 2000
_KNOWN = frozenset(
    (
        "urls", "revocation", "expired_crl", "warning_days", "silence_seconds", "boot_seconds", "download_seconds",
        "longest_bytes", "folder", "sessions_folder", "lock_path", "management_sockets", "alarm_units",
    )
)  # fmt: skip


@dataclass(frozen=True)
class PullSettings:
    """The configuration of this gateway.

    :param urls: Where the CRL is, tried in this order.
    :param revocation: Whether OpenVPN reads the CRL or a folder of serial numbers that follows it.
    :param expired_crl: What happens with such a folder when the CRL has expired.
    :param warning_days: A CRL that is good for fewer days than this is alarmed.
    :param silence_seconds: So is an authority that has not answered for so long.
    :param boot_seconds: How long OpenVPN may wait for the first attempt after a start of the system.
    :param download_seconds: How long one download may take, apart from the start of the system.
    :param folder: Where OpenVPN's files are.
    :param sessions_folder: Where a session's serial number is noted, by process and common name.
    :param lock_path: What whoever changes the CRL in place holds; empty for the usual one.
    :param management_sockets: Of the processes; ``None`` for all.
    :param alarm_units: Units of systemd that are started when something goes wrong.
    """

    urls: tuple[str, ...]
    revocation: str = "crl"
    expired_crl: str = REFUSE
    warning_days: int = 7
    silence_seconds: int = 900
    boot_seconds: int = 10
    download_seconds: int = 300
    longest_bytes: int = LONGEST_BYTES
    folder: str = "/etc/openvpn/server/privatespace"
    sessions_folder: str = "/run/privatespace-sessions"
    lock_path: str = ""
    management_sockets: tuple[str, ...] | None = None
    alarm_units: tuple[str, ...] = ()

    @property
    def keeps_serials(self) -> bool:
        """Whether OpenVPN looks for files of serial numbers."""
        return self.revocation == SERIALS


_NUMBERS = {
    "warning_days": (0, 365),
    "silence_seconds": (60, 30 * DAY_SECONDS),
    "boot_seconds": (1, 600),
    "download_seconds": (1, 3600),
    "longest_bytes": (1024, 1 << 30),
}


def parse_settings(raw: Mapping[str, Any]) -> PullSettings:
    """Check what the configuration says.

    :raises InputError: for the first that is wrong.
    """
    unknown = sorted(set(map(str, raw)) - _KNOWN)
    if unknown:
        raise InputError(f"Unknown setting: {', '.join(map(shown, unknown))}.")
    sockets = raw.get("management_sockets")
    settings = PullSettings(
        urls=parse_urls(raw.get("urls")),
        revocation=parse_choice(raw.get("revocation", "crl"), what="openvpn_revocation", choices=REVOCATIONS),
        expired_crl=parse_choice(
            raw.get("expired_crl", REFUSE), what="openvpn_expired_crl", choices=(REFUSE, KEEP_SERVING)
        ),
        **{
            key: parse_whole_number(raw.get(key, getattr(PullSettings, key)), what=key, least=least, most=most)
            for key, (least, most) in _NUMBERS.items()
        },
        folder=parse_path(raw.get("folder", PullSettings.folder), what="folder"),
        sessions_folder=parse_path(raw.get("sessions_folder", PullSettings.sessions_folder), what="sessions_folder"),
        lock_path=parse_path(raw["lock_path"], what="lock_path") if raw.get("lock_path") else "",
        management_sockets=None if sockets is None else tuple(parse_path(one, what="A socket") for one in sockets),
        alarm_units=_parse_units(raw.get("alarm_units") or ()),
    )
    if settings.expired_crl == KEEP_SERVING and not settings.keeps_serials:
        raise InputError(
            "openvpn_expired_crl cannot be 'keep_serving': OpenVPN itself refuses everybody once the CRL has expired.",
            remedy="Set openvpn_revocation to 'serials', or openvpn_expired_crl to 'refuse'.",
        )
    return settings


def parse_urls(raw: Any) -> tuple[str, ...]:
    """The addresses at which the CRL is published.

    :raises InputError: there is none, or one that is no address of a file by HTTP.
    """
    urls = [parse_scalar(url, what="openvpn_crl_urls") for url in raw or ()] if isinstance(raw, (list, tuple)) else []
    if not urls:
        raise InputError("openvpn_crl_urls is no list of addresses, or is empty.")
    for url in urls:
        found = _URL.fullmatch(url)
        if found is None or len(url) > _LONGEST_URL:
            raise InputError(
                f"openvpn_crl_urls: '{_without_user(url)}' is no address such as http://authority.example.net/crl.pem.",
                remedy="It begins with http:// or https://, and names no user.",
            )
        if found.group(2):
            parse_port(found.group(2)[1:], what=f"openvpn_crl_urls: the port of '{shown(url)}'")
    return tuple(dict.fromkeys(urls))


def _without_user(url: str) -> str:
    """An address as it may be shown: what stands before the host may be a password."""
    return shown(re.sub(r"[^/]*@", "***@", url))


def _parse_units(raw: Sequence[Any]) -> tuple[str, ...]:
    units = tuple(parse_scalar(unit, what="openvpn_alarm_units") for unit in raw)
    for unit in units:
        if not _UNIT.fullmatch(unit):
            raise InputError(f"openvpn_alarm_units: '{shown(unit)}' is no name of a unit such as alarm@vpn.service.")
    return units
