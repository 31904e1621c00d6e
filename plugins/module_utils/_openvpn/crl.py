# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs before they are trusted: judged completely before they take the place of those that work.

One file holds the CRL of every CA that the gateway trusts. OpenVPN lets revoked users of a CA in when its CRL is
missing or another issuer's, and refuses everybody below a CA whose CRL has expired or is not valid yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import (
    KEPT,
    CrlFile,
    Runner,
    Trust,
    read_crls,
    read_what_verifies,
)


class FutureError(StateError):
    """A CRL that is newer than the one in place, or is that one, and by the clock here it is not valid yet.

    :param crls: It, and those that came with it.
    """

    def __init__(self, message: str, *, remedy: str, crls: CrlFile) -> None:
        super().__init__(message, remedy=remedy)
        self.crls = crls


# DER tags: the entry of a revoked certificate is a SEQUENCE that begins with INTEGER and a date.
_SEQUENCE, _INTEGER, _DATE_TAGS = b"\x30", 0x02, b"\x17\x18"


def accept_crl(
    content: str | None,
    *,
    in_place: bytes | None,
    serials: Sequence[str],
    trust: Trust,
    now: float,
    run: Runner,
) -> tuple[CrlFile | None, CrlFile | None]:
    """Judge CRLs completely.

    One of a CA that this gateway does not know may lie beside them, and counts for ``serials``: whoever has a
    certificate of that CA is refused for that.

    :param content: What is to be put in place, PEM, or ``None`` if there is nothing to be judged.
    :param in_place: The content of the file that it would replace.
    :param serials: Decimal serial numbers that it must list.
    :return: The CRLs, and those in place or ``None`` where none of them can be verified.
    :raises InputError: it is not one CRL of each of these CAs.
    :raises StateError: its dates or its numbers forbid its use, or it lacks a serial number.
    """
    if content is None:
        return None, None
    new = read_crls(content.encode("utf-8"), trust=trust, run=run)
    old = None if in_place is None else read_what_verifies(in_place, trust=trust, run=run)
    refuse_bad_crls(new, old=old, now=now)
    require_listed(new, [_parse_serial(serial) for serial in serials])
    return new, old


def accept_pushed_crl(
    content: str | None,
    *,
    in_place: bytes | None,
    serials: Sequence[str],
    trust: Trust,
    now: float,
    run: Runner,
) -> tuple[CrlFile | None, CrlFile | None]:
    """Judge CRLs that an administrator sends, as :func:`accept_crl` does, but for one case.

    Of two removals at once the later CRL may arrive first. What is in place is taken for what was sent, then, if it is
    newer, good, and lists all that was asked for: it does what was wanted, and the older one would let somebody in.
    """
    kept = None
    if content is not None and in_place is not None and content.encode("utf-8").strip() != in_place.strip():
        kept = _newer_in_place(content, in_place, serials, trust=trust, now=now, run=run)
    if kept is not None:
        return kept, kept
    return accept_crl(content, in_place=in_place, serials=serials, trust=trust, now=now, run=run)


def _newer_in_place(
    content: str, in_place: bytes, serials: Sequence[str], *, trust: Trust, now: float, run: Runner
) -> CrlFile | None:
    new = read_crls(content.encode("utf-8"), trust=trust, run=run)
    present, _problem = inspect_crl(in_place, trust=trust, run=run)
    if present is None or not _is_older(new, present):
        return None
    is_good = all(crl.this_update <= now < crl.next_update for crl in present.crls)
    # Nobody has verified those of CAs that are not known here, and they keep nobody out who could come in.
    known = replace(present, beside=new.beside)
    return known if is_good and all(listed_serials(known, serials).values()) else None


def _is_older(new: CrlFile, old: CrlFile) -> bool:
    """Whether a CRL of some CA is older than the one that is known, and that of none is newer."""
    known = {crl.position: crl for crl in old.crls}
    changed = [(crl, known[crl.position]) for crl in new.crls if crl.content != known[crl.position].content]
    older = [one.number < other.number and one.this_update <= other.this_update for one, other in changed]
    return bool(older) and all(older)


def listed_serials(crls: CrlFile | None, serials: Sequence[str]) -> dict[str, bool]:
    """Which of some serial numbers, decimal, CRLs list; see :func:`accept_crl` for those that lay beside them.

    :raises InputError: for one that is no decimal number.
    """
    numbers = [_parse_serial(serial) for serial in serials]
    ders = [*crls.ders(), *crls.beside] if crls is not None and numbers else []
    return {serial: any(_lists(der, number) for der in ders) for serial, number in zip(serials, numbers)}


def inspect_crl(content: bytes | None, *, trust: Trust, run: Runner) -> tuple[CrlFile | None, str]:
    """The CRLs in a file, or ``None`` and what is wrong with them."""
    if content is None:
        return None, "there is none"
    try:
        return read_crls(content, trust=trust, run=run), ""
    except InputError as error:
        return None, error.message


def refuse_bad_crls(new: CrlFile, *, old: CrlFile | None, now: float) -> None:
    """Refuse CRLs that would shut people out or let somebody back in.

    :param old: Those in place, or ``None`` where there is none that can be verified.
    :param now: Seconds since 1970-01-01 UTC on this host.
    :raises StateError: one is not valid yet, has expired, or is older than the one in place.
    """
    before = {crl.position: crl for crl in sorted(old.crls, key=lambda crl: crl.number)} if old else {}
    for crl in new.crls:
        of_whom = f" of '{shown(crl.issuer)}'" if len(new.crls) > 1 else ""
        if crl.next_update <= now:
            raise StateError(
                f"CRL number {crl.number}{of_whom} expired {now - crl.next_update:.0f} s ago.",
                remedy=f"Sign a new one. {KEPT}",
            )
        known = before.get(crl.position)
        if known is None or known.content == crl.content:
            continue
        if crl.number <= known.number or crl.this_update <= known.this_update:
            raise StateError(
                f"CRL number {crl.number}{of_whom} is not newer than number {known.number}, which is in place.",
                remedy=f"Fetch the latest one from the authority. {KEPT}",
            )
    latest = max(new.crls, key=lambda crl: crl.this_update)
    if latest.this_update > now:
        of_whom = f" of '{shown(latest.issuer)}'" if len(new.crls) > 1 else ""
        raise FutureError(
            f"CRL number {latest.number}{of_whom} is valid only from {latest.this_update - now:.0f} s in the future "
            "on.",
            remedy=f"Compare the clocks of the authority and of this gateway. {KEPT}",
            crls=new,
        )


def require_listed(crls: CrlFile, serials: Sequence[int]) -> None:
    """Make sure that CRLs revoke what they are sent for.

    :param serials: Serial numbers of certificates, each of any of the issuers.
    :raises StateError: naming the first one that is missing.
    """
    ders = [*crls.ders(), *crls.beside] if serials else []
    for serial in serials:
        if not any(_lists(der, serial) for der in ders):
            numbers = " and ".join(str(crl.number) for crl in crls.crls)
            raise StateError(
                f"CRL number {numbers} does not list the serial number {serial}.",
                remedy=f"Sign a CRL after the revocation and send that one. {KEPT}",
            )


def _parse_serial(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,60}", text):
        raise InputError(f"'{shown(text)}' is not a decimal serial number.", remedy=KEPT)
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
