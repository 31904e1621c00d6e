# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CRL of which issuer a file holds: enough to tell a newer one from an older one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    from cryptography import x509
except ImportError:
    x509 = missing_library("cryptography")

_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----\s.+?-----END X509 CRL-----", re.DOTALL)


def crl_numbers(content: bytes) -> Mapping[str, int]:
    """The number of every issuer's CRL in a file, PEM or DER, by the issuer's name; empty for anything else."""
    found: dict[str, int] = {}
    for crl in _crls(content):
        issuer, number = crl.issuer.rfc4514_string(), _number(crl)
        found[issuer] = max(number, found.get(issuer, 0))
    return found


def _number(crl: Any) -> int:
    try:
        return int(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    except (x509.ExtensionNotFound, ValueError):
        return 0


def _crls(content: bytes) -> Iterator[Any]:
    for block in _PEM_CRL.findall(content) or [content]:
        crl = _load(block)
        if crl is not None:
            yield crl


def _load(content: bytes) -> Any:
    load = x509.load_pem_x509_crl if content.startswith(b"-----") else x509.load_der_x509_crl
    try:
        return load(content)
    except ValueError:
        return None


def issuer_name(certificate: bytes) -> str:
    """The name under which an authority issues CRLs, from its certificate (DER), as :func:`crl_numbers` gives it."""
    return str(x509.load_der_x509_certificate(certificate).subject.rfc4514_string())
