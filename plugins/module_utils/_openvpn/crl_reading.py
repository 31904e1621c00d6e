# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs and their issuers, read and verified by the ``openssl`` program that every gateway has."""

from __future__ import annotations

import base64
import binascii
import re
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_serials import is_whole

_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END X509 CRL-----\r?\n?")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\r?\n?")
# The mark of a name: OpenSSL takes names for the same that differ in upper case or in blanks, and so does their hash.
_MARK = re.compile(r"(?:issuer name hash=)?([0-9a-f]{8})")
_FIELDS = ("-noout", "-issuer", "-hash", "-crlnumber", "-lastupdate", "-nextupdate")
# The program reads PEM on its standard input byte by byte, which takes thirty times as long where a CRL is large.
_OPENSSL_CRL = ("openssl", "crl", "-inform", "DER")
# Stands in an argument vector for the path of a file that is made for the time of the run.
ATTACHED = "@attached@"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4}) GMT")
# A run of the program for each: no authority has so many CAs.
MOST_BLOCKS = 100
_LINE = 64
KEPT = "The CRL that was in place is still in place."


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


class Runner(Protocol):
    """Runs a program by its argument vector with bytes on its standard input.

    ``attached`` is the content of a file whose path takes the place of :data:`ATTACHED` in the argument vector.
    """

    def __call__(self, argv: Sequence[str], stdin: bytes, *, attached: bytes = b"") -> Finished: ...


@dataclass(frozen=True)
class Trust:
    """The certificates of the CAs whose clients a gateway lets in.

    :param path: The file that holds them as PEM.
    :param content: What it holds.
    """

    path: Path
    content: bytes

    def blocks(self) -> tuple[bytes, ...]:
        """The PEM of each certificate."""
        return tuple(_CERTIFICATE.findall(self.content))


@dataclass(frozen=True)
class Crl:
    """A CRL whose signature has been verified.

    :param issuer: The name of the CA; ``position`` is that of its certificate in the file of trust, from 0.
    :param this_update: Seconds since 1970-01-01 UTC, as is ``next_update``.
    :param content: Its PEM block, made from the bytes that were verified: OpenVPN and this program may read PEM
        that somebody has tampered with in two ways.
    """

    issuer: str
    number: int
    this_update: int
    next_update: int
    content: bytes
    position: int = 0

    def der(self) -> bytes:
        """The same as DER."""
        return _ders(self.content)[0]


@dataclass(frozen=True)
class CrlFile:
    """The verified CRLs of one file, at least one; the first is that of the CA which issues.

    :param content: The PEM text, as it is to be written: of them, and of nothing else.
    :param beside: The DER of CRLs that came with them, of CAs that this gateway does not know. Nobody has verified
        them, and they are not written; whoever has a certificate of such a CA is refused for that.
    """

    crls: tuple[Crl, ...]
    content: bytes
    beside: tuple[bytes, ...] = ()

    def ders(self) -> list[bytes]:
        """The DER of every CRL."""
        return [crl.der() for crl in self.crls]

    @property
    def expires_first(self) -> Crl:
        """The CRL from whose end on people are refused."""
        return min(self.crls, key=lambda crl: crl.next_update)

    def as_facts(self) -> dict[str, Any]:
        """What may be shown of it: the first CRL, and the end of the one that ends first."""
        return {
            "number": self.crls[0].number,
            "this_update": self.crls[0].this_update,
            "next_update": self.expires_first.next_update,
            "expires_first": self.expires_first.issuer,
            "sha256": fingerprint(self.content),
            "issuers": [
                {
                    "issuer": crl.issuer,
                    "number": crl.number,
                    "this_update": crl.this_update,
                    "next_update": crl.next_update,
                }
                for crl in self.crls
            ],
        }


def _ders(content: bytes) -> list[bytes]:
    return [base64.b64decode(found.group(1)) for found in _BLOCK.finditer(content)]


def _der(block: bytes) -> bytes:
    """The DER of one PEM block; nothing, which is no CRL, of one that is damaged or goes on after its end."""
    try:
        der = _ders(block)[0]
    except binascii.Error:
        return b""
    return der if is_whole(der) else b""


def _pem(der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = b"\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))
    return b"-----BEGIN X509 CRL-----\n%s\n-----END X509 CRL-----\n" % lines


def read_not_after(certificate: bytes | None, *, run: Runner) -> int | None:
    """When a PEM certificate expires, seconds since 1970-01-01 UTC; ``None`` for what is no certificate."""
    done = None if certificate is None else run(("openssl", "x509", "-noout", "-enddate"), certificate)
    if done is None or done.status != 0:
        return None
    return _parse_date(dict(_split_fields(done.output)).get("notAfter", ""))


def read_crls(content: bytes, *, trust: Trust, run: Runner) -> CrlFile:
    """Parse CRLs and verify the signature of each.

    A CRL of an issuer that this gateway does not know may lie beside them: while one authority takes over from another,
    the CRL of the new one is published before every gateway has its certificate, and a removal must not wait for that.
    It is left out until then. One with a name that OpenVPN would take for that of a CA known here has to be verified.

    :param content: PEM blocks.
    :raises InputError: for anything that does not hold exactly one CRL of each CA, with the reason.
    """
    blocks, authorities = _split_blocks(content), _authorities(trust, run=run)
    if not blocks:
        raise InputError("The CRL is not made of complete PEM blocks.", remedy=KEPT)
    if len(blocks) > MOST_BLOCKS:
        raise InputError(f"There are {len(blocks)} CRLs in one file; {MOST_BLOCKS} are the most.", remedy=KEPT)
    marks = {one.mark for one in authorities}
    known = [block for block in blocks if len(blocks) == 1 or _mark_of(block, run=run) in marks]
    crls = tuple(_read_crl(block, trust=trust, authorities=authorities, run=run) for block in known)
    for position, authority in enumerate(authorities):
        count = sum(crl.position == position for crl in crls)
        if count != 1:
            raise InputError(
                f"There are {count} CRLs of the CA '{shown(authority.name)}', which is one of those in {trust.path}; "
                "one has to be there, because OpenVPN lets everybody in whom a CRL that is missing would keep out.",
                remedy=f"Sign the CRLs anew on the authority and bring that file. {KEPT}",
            )
    return _file(crls, beside=tuple(_der(block) for block in blocks if block not in known))


def _file(crls: tuple[Crl, ...], *, beside: tuple[bytes, ...] = ()) -> CrlFile:
    return CrlFile(crls, b"".join(crl.content for crl in crls), beside)


def read_what_verifies(content: bytes, *, trust: Trust, run: Runner) -> CrlFile | None:
    """The CRLs in place: those of CAs that are trusted no more, and whatever is no CRL, may be replaced by any."""
    authorities = _authorities(trust, run=run)
    read = (_read_or_none(block, trust=trust, authorities=authorities, run=run) for block in _split_blocks(content))
    crls = tuple(crl for crl in read if crl is not None)
    return _file(crls) if crls else None


def _read_or_none(block: bytes, *, trust: Trust, authorities: Sequence[_Authority], run: Runner) -> Crl | None:
    try:
        return _read_crl(block, trust=trust, authorities=authorities, run=run)
    except InputError:
        return None


def _split_blocks(content: bytes) -> tuple[bytes, ...]:
    """The PEM blocks of a file that holds nothing else; nothing where it does."""
    text, position, blocks = content.strip() + b"\n", 0, []
    while position < len(text):
        found = _BLOCK.match(text, position)
        if found is None:
            return ()
        blocks.append(found.group())
        position = found.end()
    return tuple(blocks)


@dataclass(frozen=True)
class _Authority:
    """A CA: its name for people, and the mark by which it is told from others."""

    name: str
    mark: str


def _authorities(trust: Trust, *, run: Runner) -> tuple[_Authority, ...]:
    """The CAs, in their order.

    :raises InputError: there is none, or one cannot be read.
    """
    found = tuple(_read_authority(block, run=run) for block in trust.blocks())
    if not found or not all(one.name and one.mark for one in found):
        raise InputError(f"{trust.path} does not hold the certificates of CAs.", remedy=KEPT)
    return found


def _read_authority(block: bytes, *, run: Runner) -> _Authority:
    output = run(("openssl", "x509", "-noout", "-subject", "-subject_hash"), block).output
    return _Authority(dict(_split_fields(output)).get("subject", ""), _read_mark(output))


def _read_crl(block: bytes, *, trust: Trust, authorities: Sequence[_Authority], run: Runner) -> Crl:
    """Parse one CRL and verify its signature.

    The program takes the first CA of the issuer's name; where several have that name, they are tried one by one.

    :raises InputError: it is not a CRL of one of the CAs, with the reason.
    """
    is_unambiguous = len({one.mark for one in authorities}) == len(authorities)
    trusted = ("-CAfile", str(trust.path)) if is_unambiguous else ()
    der = _der(block)
    done = run((*_OPENSSL_CRL, *_FIELDS, *trusted), der)
    fields = dict(_split_fields(done.output))
    namesakes = [position for position, one in enumerate(authorities) if one.mark == _read_mark(done.output)]
    if not is_unambiguous:
        namesakes = [each for each in namesakes if _is_signed_by(der, trust.blocks()[each], run=run)]
    elif not _is_verified(done):
        namesakes = []
    if not namesakes:
        raise InputError(f"The CRL is not signed by the CA in {trust.path}.", remedy=KEPT)
    return _from_fields(fields, _pem(der), position=namesakes[0])


def _mark_of(block: bytes, *, run: Runner) -> str:
    return _read_mark(run((*_OPENSSL_CRL, "-noout", "-hash"), _der(block)).output)


def _read_mark(output: str) -> str:
    found = filter(None, map(_MARK.fullmatch, output.splitlines()))
    return next((one.group(1) for one in found), "")


def _is_signed_by(der: bytes, certificate: bytes, *, run: Runner) -> bool:
    return _is_verified(run((*_OPENSSL_CRL, *_FIELDS, "-CAfile", ATTACHED), der, attached=certificate))


def _is_verified(done: Finished) -> bool:
    return done.status == 0 and "verify OK" in done.errors


def _split_fields(output: str) -> Iterable[tuple[str, str]]:
    for line in output.splitlines():
        key, found, value = line.partition("=")
        if found:
            yield key.strip(), value.strip()


def _from_fields(fields: Mapping[str, str], content: bytes, *, position: int) -> Crl:
    number = fields.get("crlNumber", "")
    if not re.fullmatch(r"(0x)?[0-9A-Fa-f]+", number):
        raise InputError("The CRL has no number, so an old one could not be told from a new one.", remedy=KEPT)
    return Crl(
        issuer=fields.get("issuer", ""),
        number=int(number, 16),
        this_update=_parse_date(fields.get("lastUpdate", "")),
        next_update=_parse_date(fields.get("nextUpdate", "")),
        content=content,
        position=position,
    )


def _parse_date(text: str) -> int:
    found = _DATE.fullmatch(text)
    if found is None or found.group(1) not in _MONTHS:
        raise InputError(f"The CRL has no date where one belongs: '{shown(text)}'.", remedy=KEPT)
    month = _MONTHS.index(found.group(1)) + 1
    day, hour, minute, second, year = (int(one) for one in found.groups()[1:])
    return timegm((year, month, day, hour, minute, second))
