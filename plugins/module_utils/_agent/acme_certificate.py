# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate and its chain, read and judged by OpenSSL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.certbot_calls import parse_moment
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.openvpn_files import ATTACHED, run_openssl

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s*", re.DOTALL)
_ROW = re.compile(r"^(notBefore|notAfter|serial|issuer|sha256 Fingerprint)\s*=\s*(.+)$", re.MULTILINE)
_COMMON_NAME = re.compile(r"(?:^|[,/])\s*CN\s*=\s*([^,/]+)")
_SHOW = ("openssl", "x509", "-noout", "-dates", "-serial", "-issuer", "-nameopt", "RFC2253", "-fingerprint", "-sha256")


class BadCertificateError(CollectionError):
    """What the CA gave, or what was kept of it, cannot be served."""


@dataclass(frozen=True)
class Facts:
    """What a certificate says.

    :param issuer: The common name of the CA, or its whole name.
    :param fingerprint: SHA-256, in lower-case hexadecimal.
    """

    names: tuple[str, ...]
    issuer: str
    serial: str
    not_before: float
    not_after: float
    fingerprint: str


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and the key for it; both PEM."""

    chain: bytes
    key: bytes

    @property
    def blocks(self) -> list[bytes]:
        """The certificates, the gateway's own first."""
        return _BLOCK.findall(self.chain)


def read_pair(folder: Path) -> Pair | None:
    """What certbot, or the web server, has; ``None`` where one of both files is missing."""
    chain, key = read_optional(folder / "fullchain.pem"), read_optional(folder / "privkey.pem")
    return None if chain is None or key is None else Pair(chain, key)


def read_facts(chain: bytes) -> Facts:
    """Read the first certificate of a file.

    :raises BadCertificateError: it is none.
    """
    shown = run_openssl((*_SHOW, "-ext", "subjectAltName"), chain)
    rows = dict(_ROW.findall(shown.output))
    try:
        found = _COMMON_NAME.search(rows["issuer"])
        return Facts(
            names=tuple(re.findall(r"DNS:([^,\s]+)", shown.output)),
            issuer=found.group(1) if found else rows["issuer"],
            serial=rows["serial"].lower().lstrip("0"),
            not_before=parse_moment(rows["notBefore"]),
            not_after=parse_moment(rows["notAfter"]),
            fingerprint=rows["sha256 Fingerprint"].replace(":", "").lower(),
        )
    except (KeyError, ValueError) as error:
        raise BadCertificateError("What should be a certificate is none.") from error


def require_pair(pair: Pair) -> None:
    """Look whether key and certificate belong together, and each certificate was signed by the next one.

    :raises BadCertificateError: the web server could not work with them, or browsers could not.
    """
    certified = run_openssl(("openssl", "x509", "-noout", "-pubkey"), pair.chain)
    held = run_openssl(("openssl", "pkey", "-pubout"), pair.key)
    if certified.status or held.status or certified.output != held.output:
        raise BadCertificateError("The key does not belong to the certificate.", remedy="The old one stays in service.")
    for own, issuer in zip(pair.blocks, pair.blocks[1:]):
        argv = ("openssl", "verify", "-partial_chain", "-trusted", ATTACHED)
        judged = run_openssl(argv, own, attached=issuer)
        if judged.status:
            lines = judged.errors.strip().splitlines() or ["it was not signed by the next one"]
            raise BadCertificateError(f"The chain is broken: {lines[-1]}.", remedy="The old one stays in service.")
