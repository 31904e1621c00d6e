# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CRL before it is trusted: read and verified by the ``openssl`` program that every gateway has.

OpenVPN lets revoked users in when a CRL is another issuer's, and refuses everybody when it has expired or is not
valid yet. So a CRL is judged completely before it takes the place of the one that works.
"""

from __future__ import annotations

import base64
import re
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint, shown

_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END X509 CRL-----\r?\n?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4}) GMT")
_KEPT = "The CRL that was in place is still in place."
# DER tags: the entry of a revoked certificate is a SEQUENCE that begins with INTEGER and a date.
_SEQUENCE, _INTEGER, _DATE_TAGS = b"\x30", 0x02, b"\x17\x18"


class Finished(Protocol):
    """What a program left."""

    @property
    def status(self) -> int:
        """Its exit status."""

    @property
    def output(self) -> str:
        """What it printed."""

    @property
    def errors(self) -> str:
        """What it printed on its standard error."""


# Runs a program by its argument vector with bytes on its standard input.
Runner = Callable[[Sequence[str], bytes], Finished]


@dataclass(frozen=True)
class Crl:
    """A CRL whose signature has been verified.

    :param this_update: Seconds since 1970-01-01 UTC, as is ``next_update``.
    :param content: The PEM text, as it is to be written.
    """

    issuer: str
    number: int
    this_update: int
    next_update: int
    content: bytes

    def as_facts(self) -> dict[str, Any]:
        """What may be shown of it."""
        return {
            "number": self.number,
            "this_update": self.this_update,
            "next_update": self.next_update,
            "sha256": fingerprint(self.content),
        }


def accept_crl(
    content: str | None,
    *,
    in_place: bytes | None,
    serials: Sequence[str],
    ca_path: Path,
    now: float,
    run: Runner,
) -> tuple[Crl | None, Crl | None]:
    """Judge a CRL completely.

    :param content: The CRL that is to be put in place, PEM, or ``None`` if there is none to be judged.
    :param in_place: The content of the file that it would replace.
    :param serials: Decimal serial numbers that it must list.
    :return: The CRL, and the one in place or ``None`` where that one cannot be verified.
    :raises InputError: it is not a CRL of that CA.
    :raises StateError: its dates or its number forbid its use, or it lacks a serial number.
    """
    if content is None:
        return None, None
    new = read_crl(content.encode("utf-8"), ca_path=ca_path, run=run)
    try:
        old = None if in_place is None else read_crl(in_place, ca_path=ca_path, run=run)
    except InputError:
        # What is in place is no CRL of this CA: any verified one is better.
        old = None
    refuse_bad_crl(new, old=old, now=now)
    require_listed(new, [_parse_serial(serial) for serial in serials])
    return new, old


def inspect_crl(content: bytes | None, *, ca_path: Path, run: Runner) -> tuple[Crl | None, str]:
    """The CRL in a file, or ``None`` and what is wrong with it."""
    if content is None:
        return None, "there is none"
    try:
        return read_crl(content, ca_path=ca_path, run=run), ""
    except InputError as error:
        return None, error.message


def read_not_after(certificate: bytes | None, *, run: Runner) -> int | None:
    """When a PEM certificate expires, seconds since 1970-01-01 UTC; ``None`` for what is no certificate."""
    done = None if certificate is None else run(("openssl", "x509", "-noout", "-enddate"), certificate)
    if done is None or done.status != 0:
        return None
    return _parse_date(dict(_split_fields(done.output)).get("notAfter", ""))


def read_crl(content: bytes, *, ca_path: Path, run: Runner) -> Crl:
    """Parse a CRL and verify its signature against the CA certificate.

    :param content: One PEM block.
    :raises InputError: for anything that is not exactly one PEM CRL of that CA, with the reason.
    """
    if not _BLOCK.fullmatch(content.strip() + b"\n"):
        raise InputError("The CRL is not one complete PEM block.", remedy=_KEPT)
    fields = ("-noout", "-issuer", "-crlnumber", "-lastupdate", "-nextupdate", "-CAfile", str(ca_path))
    done = run(("openssl", "crl", *fields), content)
    if done.status != 0 or "verify OK" not in done.errors:
        raise InputError(f"The CRL is not signed by the CA in {ca_path}.", remedy=_KEPT)
    return _from_fields(dict(_split_fields(done.output)), content)


def refuse_bad_crl(new: Crl, *, old: Crl | None, now: float) -> None:
    """Refuse a CRL that would shut everybody out or let somebody back in.

    :param old: The one in place, or ``None`` where there is none that can be verified.
    :param now: Seconds since 1970-01-01 UTC on this host.
    :raises StateError: it is not valid yet, has expired, or is older than the one in place.
    """
    if new.this_update > now:
        raise StateError(
            f"CRL number {new.number} is valid only from {new.this_update - now:.0f} s in the future on.",
            remedy=f"Compare the clocks of the authority and of this gateway. {_KEPT}",
        )
    if new.next_update <= now:
        raise StateError(
            f"CRL number {new.number} expired {now - new.next_update:.0f} s ago.", remedy=f"Sign a new one. {_KEPT}"
        )
    if old is None or old.content == new.content:
        return
    if new.number <= old.number or new.this_update <= old.this_update:
        raise StateError(
            f"CRL number {new.number} is not newer than number {old.number}, which is in place.",
            remedy=f"Fetch the latest one from the authority. {_KEPT}",
        )


def require_listed(crl: Crl, serials: Iterable[int]) -> None:
    """Make sure that a CRL revokes what it is sent for.

    :param serials: Serial numbers of certificates.
    :raises StateError: naming the first one that is missing.
    """
    found = _BLOCK.search(crl.content.strip() + b"\n")
    der = base64.b64decode(found.group(1)) if found else b""
    for serial in serials:
        if not _lists(der, serial):
            raise StateError(
                f"CRL number {crl.number} does not list the serial number {serial}.",
                remedy=f"Sign a CRL after the revocation and send that one. {_KEPT}",
            )


def _parse_serial(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,60}", text):
        raise InputError(f"'{shown(text)}' is not a decimal serial number.", remedy=_KEPT)
    return int(text)


def _lists(der: bytes, serial: int) -> bool:
    value = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    wanted = bytes((_INTEGER, len(value))) + value
    position = der.find(wanted)
    while position != -1:
        if der[position - 2 : position - 1] == _SEQUENCE and der[position + len(wanted)] in _DATE_TAGS:
            return True
        position = der.find(wanted, position + 1)
    return False


def _split_fields(output: str) -> Iterable[tuple[str, str]]:
    for line in output.splitlines():
        key, found, value = line.partition("=")
        if found:
            yield key.strip(), value.strip()


def _from_fields(fields: Mapping[str, str], content: bytes) -> Crl:
    number = fields.get("crlNumber", "")
    if not re.fullmatch(r"(0x)?[0-9A-Fa-f]+", number):
        raise InputError("The CRL has no number, so an old one could not be told from a new one.", remedy=_KEPT)
    return Crl(
        issuer=fields.get("issuer", ""),
        number=int(number, 16),
        this_update=_parse_date(fields.get("lastUpdate", "")),
        next_update=_parse_date(fields.get("nextUpdate", "")),
        content=content.strip() + b"\n",
    )


def _parse_date(text: str) -> int:
    found = _DATE.fullmatch(text)
    if found is None or found.group(1) not in _MONTHS:
        raise InputError(f"The CRL has no date where one belongs: '{shown(text)}'.", remedy=_KEPT)
    month = _MONTHS.index(found.group(1)) + 1
    day, hour, minute, second, year = (int(one) for one in found.groups()[1:])
    return timegm((year, month, day, hour, minute, second))
