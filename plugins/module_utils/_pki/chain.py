# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes an authority one: its own signature, or a request to an offline root and the chain that comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import signing_hash
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.extensions import name_constraints, usages_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import split_certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CA
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    crl_to_der,
    crl_to_pem,
    load_crl,
    verify_crl,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    x509 = serialization = missing_library("cryptography")

_KEPT = "Nothing was changed."
_END_OF_CRL = "-----END X509 CRL-----"
MOST_ABOVE = 4


@dataclass(frozen=True)
class Chain:
    """What an offline root answered, verified.

    :param certificate: That of the authority, an object of ``cryptography``.
    :param above: PEM of the certificates above it, the nearest first, the root last.
    :param crls: PEM of the CRL of each of them, in the same order.
    """

    certificate: Any
    above: str
    crls: str


def self_signed(
    common_name: str,
    *,
    key: Any,
    valid: tuple[datetime, datetime],
    serial: int,
    pss: bool = False,
    permitted_dns: Sequence[str] = (),
) -> Any:
    """The certificate of an authority that is its own root, verified.

    :param key: Its private key, in the token.
    :param valid: ``(not_before, not_after)``.
    :param permitted_dns: The only DNS subtrees that it may sign for, if any.
    :raises StateError: what the token signed does not verify.
    """
    spec = certificates.CertificateSpec(
        common_name=common_name,
        profile=CA,
        public_key=key.public_key(),
        serial=serial,
        not_before=valid[0],
        not_after=valid[1],
        permitted_dns=tuple(permitted_dns),
    )
    certificate = certificates.build_certificate(spec, issuer_certificate=None, issuer_key=key, pss=pss)
    certificates.verify_issued(certificate, certificate)
    return certificate


def make_request(common_name: str, *, key: Any, permitted_dns: Sequence[str] = ()) -> str:
    """The CSR (PEM) of an authority that another one is to sign.

    :param key: Its private key, in the token.
    :param permitted_dns: The DNS subtrees that it asks to be kept to, if any.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(certificates.subject_of(common_name))
    for extension in (*usages_of(CA), *name_constraints(permitted_dns)):
        builder = builder.add_extension(extension.value, critical=extension.critical)
    pem: bytes = builder.sign(key, signing_hash(key)).public_bytes(serialization.Encoding.PEM)
    return pem.decode("ascii")


def read_chain(content: str, crls: str, *, csr: str, now: datetime) -> Chain:
    """Judge the answer to a request completely.

    :param content: PEM of the certificate of the authority and of those above it up to a root, in any order.
    :param crls: PEM of the CRL of each authority above.
    :param csr: PEM of the request.
    :raises InputError: a certificate or CRL is missing, is there twice, or cannot be read.
    :raises StateError: it is not the answer to this request, or what it holds does not verify.
    """
    request = certificates.load_csr(csr)
    found = [certificates.load_certificate(block) for block in split_certificates(content)]
    if not found:
        raise InputError("The chain holds no certificate in PEM.", remedy=_KEPT)
    own = _own(request, found)
    above = _above(own, [certificate for certificate in found if certificate is not own])
    _require_fit(own, request, above, now=now)
    return Chain(
        certificate=own,
        above="".join(certificates.certificate_pem(certificate) for certificate in above),
        crls=read_chain_crls(crls, "".join(map(certificates.certificate_pem, above)), below=own, now=now),
    )


def _own(request: Any, found: Sequence[Any]) -> Any:
    wanted = certificates.public_key_fingerprint(request.public_key())
    mine = [each for each in found if certificates.public_key_fingerprint(each.public_key()) == wanted]
    if len(mine) != 1:
        raise StateError(
            f"{len(mine)} of the {len(found)} certificates in the chain are for the key of this authority; one has to "
            "be.",
            remedy=f"Let the offline root sign the CSR that this authority returns. {_KEPT}",
        )
    if mine[0].subject != request.subject:
        raise StateError(
            f"The certificate is for '{mine[0].subject.rfc4514_string()}', and '{request.subject.rfc4514_string()}' "
            "asked for one.",
            remedy=f"Let the offline root keep the subject of the CSR. {_KEPT}",
        )
    return mine[0]


def _above(own: Any, others: list[Any]) -> list[Any]:
    """The certificates above one, the nearest first; the last one is its own issuer."""
    above: list[Any] = []
    below = own
    while below.issuer != below.subject:
        issuers = [each for each in others if each.subject == below.issuer]
        if len(issuers) != 1 or len(above) == MOST_ABOVE:
            raise InputError(
                f"The chain holds {len(issuers)} certificates of '{below.issuer.rfc4514_string()}', which issued "
                f"'{certificates.common_name_of(below)}'; one has to be there, up to a root.",
                remedy=_KEPT,
            )
        below = issuers[0]
        others.remove(below)
        above.append(below)
    if others:
        raise InputError(
            f"The chain holds '{certificates.common_name_of(others[0])}', which is not above this authority.",
            remedy=_KEPT,
        )
    return above


def _require_fit(own: Any, request: Any, above: Sequence[Any], *, now: datetime) -> None:
    if not above:
        raise StateError("The certificate signed itself: no offline root is above it.", remedy=_KEPT)
    for below, certificate in zip((own, *above), (*above, above[-1])):
        certificates.verify_issued(below, certificate)
    for authorities_below, certificate in enumerate(above, start=1):
        _require_path(certificate, authorities_below)
    for certificate in (own, *above):
        if not certificates.not_before(certificate) <= now < certificates.not_after(certificate):
            raise StateError(
                f"The certificate of '{certificates.common_name_of(certificate)}' is not valid at {now.isoformat()}.",
                remedy=f"Check the clock of this host. {_KEPT}",
            )
    for usage in ("key_cert_sign", "crl_sign"):
        certificates.require_authority(own, usage=usage)
    if _constraints(own) != _constraints(request):
        raise StateError(
            "The certificate has other name constraints than the CSR asked for.",
            remedy=f"Correct 'permitted_dns', or let the offline root sign what was asked for. {_KEPT}",
        )


def _require_path(certificate: Any, authorities_below: int) -> None:
    """Check that an authority may have that many authorities below it."""
    allowed = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    if allowed is not None and allowed < authorities_below:
        raise StateError(
            f"The certificate of '{certificates.common_name_of(certificate)}' allows {allowed} authorities below it, "
            f"and the chain has {authorities_below}.",
            remedy=_KEPT,
        )


def _constraints(holder: Any) -> Any:
    try:
        return holder.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def read_chain_crls(content: str, above: str, *, below: Any, now: datetime, before: str = "") -> str:
    """The CRLs of the authorities above one, judged.

    OpenVPN sees no revocation of an authority whose CRL is missing, and lets nobody in when one has expired.

    :param content: PEM of the CRLs, in any order.
    :param above: PEM of the certificates of those authorities, the nearest first.
    :param below: The certificate of the authority itself, an object of ``cryptography``.
    :param before: PEM of the CRLs that there were until now.
    :return: PEM in the order of ``above``.
    :raises InputError: one is missing, is there twice, or belongs to nobody.
    :raises StateError: one does not verify, is not valid now, is older than the one before, or lists what is below it.
    """
    crls, previous = _split_crls(content), _split_crls(before)
    kept: list[bytes] = []
    for block in split_certificates(above):
        issuer = certificates.load_certificate(block)
        name = certificates.common_name_of(issuer)
        mine = [der for der in crls if _issued_by(der, issuer)]
        if len(mine) != 1:
            raise InputError(
                f"There are {len(mine)} CRLs of '{name}'; one has to be there, because OpenVPN checks every "
                "certificate of a chain.",
                remedy=f"Let the offline root sign one, also when it has revoked nothing. {_KEPT}",
            )
        verify_crl(mine[0], issuer)
        _require_fresh(mine[0], name=name, now=now, before=[der for der in previous if _issued_by(der, issuer)])
        _require_unrevoked(mine[0], below, name=name)
        kept.append(mine[0])
        below = issuer
    if len(crls) != len(kept):
        raise InputError(f"{len(crls) - len(kept)} of the CRLs belong to no authority of the chain.", remedy=_KEPT)
    return b"".join(map(crl_to_pem, kept)).decode("ascii")


def _split_crls(content: str) -> list[bytes]:
    blocks = content.split(_END_OF_CRL)
    return [crl_to_der(f"{block}{_END_OF_CRL}\n".lstrip().encode()) for block in blocks[:-1]]


def _issued_by(der: bytes, issuer: Any) -> bool:
    return bool(load_crl(der).issuer == issuer.subject.rfc4514_string())


def _require_fresh(der: bytes, *, name: str, now: datetime, before: Sequence[bytes]) -> None:
    facts = load_crl(der)
    if facts.this_update > now or facts.next_update is None or facts.next_update <= now:
        raise StateError(
            f"The CRL of '{name}' is not valid at {now.isoformat()}: every gateway would refuse everybody.",
            remedy=f"Let the offline root sign a new one, and check the clock of this host. {_KEPT}",
        )
    for old in map(load_crl, before):
        if facts.this_update < old.this_update or (facts.number or 0) < (old.number or 0):
            raise StateError(f"The CRL of '{name}' is older than the one that is there.", remedy=_KEPT)


def _require_unrevoked(der: bytes, below: Any, *, name: str) -> None:
    if x509.load_der_x509_crl(der).get_revoked_certificate_by_serial_number(below.serial_number) is not None:
        raise StateError(
            f"The CRL of '{name}' lists the certificate of '{certificates.common_name_of(below)}': it is revoked.",
            remedy=f"Ask the operator of the offline root why. {_KEPT}",
        )
