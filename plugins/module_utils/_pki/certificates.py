# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: built from a specification, read, and checked against their issuer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import algorithm_of, signing_hash
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.extensions import (
    authority_key_identifier,
    extensions_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import (
    Profile,
    is_authority,
    profile_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import is_signed_by, rsa_padding

try:
    from cryptography import exceptions, x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    exceptions = x509 = serialization = missing_library("cryptography")

BACKDATED = timedelta(hours=1)
SERIAL_BYTES = 20
LONGEST_PEM = 65536
BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class CertificateSpec:
    """Everything that goes into a certificate except its issuer.

    :param public_key: The subject's key, an object of ``cryptography``.
    :param serial: From :func:`serial_from`.
    :param not_before: UTC with its zone; microseconds are dropped.
    :param dns_names: Subject alternative names, if any.
    :param crl_urls: CRL distribution points, if any.
    :param issuer_urls: Where the issuer's certificate is published (AIA caIssuers), if anywhere.
    :param permitted_dns: Name constraints of an authority: only these DNS subtrees, if any.
    """

    common_name: str
    profile: Profile
    public_key: Any
    serial: int
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    issuer_urls: tuple[str, ...] = ()
    permitted_dns: tuple[str, ...] = ()


def serial_from(random_bytes: bytes) -> int:
    """A positive serial of 159 bits out of exactly 20 random bytes.

    :raises InputError: another number of bytes, or all of them zero.
    """
    serial = int.from_bytes(random_bytes, "big") >> 1
    if len(random_bytes) != SERIAL_BYTES or serial == 0:
        raise InputError(f"A serial is made of {SERIAL_BYTES} random bytes, not of these {len(random_bytes)}.")
    return serial


def validity(now: datetime, *, days: int, issuer_certificate: Any = None) -> tuple[datetime, datetime]:
    """``(not_before, not_after)``: backdated an hour for clocks that are late, and inside the life of the issuer.

    :param now: UTC with its zone.
    :raises InputError: fewer than one day was asked for.
    :raises StateError: the issuer has expired, or is not valid yet.
    """
    if days < 1:
        raise InputError(f"A certificate cannot be valid for {days} days.", remedy="Give at least one day.")
    moment = now.replace(microsecond=0)
    start, end = moment - BACKDATED, moment + timedelta(days=days)
    if issuer_certificate is None:
        return start, end
    require_valid_now(issuer_certificate, now=now)
    return max(start, not_before(issuer_certificate)), min(end, not_after(issuer_certificate))


def require_valid_now(issuer_certificate: Any, *, now: datetime) -> None:
    """Check that an issuer is inside its own life.

    :raises StateError: it has expired, or is not valid yet.
    """
    first, last = not_before(issuer_certificate), not_after(issuer_certificate)
    if not first <= now < last:
        raise StateError(
            f"The certificate of the issuer '{common_name_of(issuer_certificate)}' is valid from {first.isoformat()} "
            f"until {last.isoformat()}, and it is {now.replace(microsecond=0).isoformat()} now.",
            remedy="Check the clock of this host, or renew the certificate of the authority.",
        )


def build_certificate(
    spec: CertificateSpec, *, issuer_certificate: Any = None, issuer_key: Any, pss: bool = False
) -> Any:
    """A signed ``x509.Certificate``; self-signed when ``issuer_certificate`` is ``None``.

    :param issuer_key: A private key of ``cryptography``, in software or backed by a token.
    :param pss: RSA-PSS instead of PKCS#1 v1.5; for an RSA issuer only.
    :raises InputError: a key is none of ours, or the dates are the wrong way round.
    :raises StateError: the certificate would live outside the life of its issuer.
    """
    _check_dates(spec, issuer_certificate)
    algorithm_of(spec.public_key)
    subject = subject_of(spec.common_name)
    builder = x509.CertificateBuilder(
        issuer_name=subject if issuer_certificate is None else issuer_certificate.subject,
        subject_name=subject,
        public_key=spec.public_key,
        serial_number=spec.serial,
        not_valid_before=_naive(spec.not_before),
        not_valid_after=_naive(spec.not_after),
        extensions=extensions_of(spec, issuer_certificate),
    )
    padding = rsa_padding(issuer_key, pss=pss)
    if pss:
        return builder.sign(issuer_key, signing_hash(issuer_key), rsa_padding=padding)
    return builder.sign(issuer_key, signing_hash(issuer_key))


def _check_dates(spec: CertificateSpec, issuer_certificate: Any) -> None:
    if spec.not_before >= spec.not_after:
        raise InputError(f"The certificate of '{spec.common_name}' would expire before it begins.")
    if issuer_certificate is None:
        return
    if spec.not_before < not_before(issuer_certificate) or spec.not_after > not_after(issuer_certificate):
        raise StateError(
            f"The certificate of '{spec.common_name}' would be valid outside the life of its issuer "
            f"'{common_name_of(issuer_certificate)}', which ends at {not_after(issuer_certificate).isoformat()}.",
            remedy="Ask for fewer days, or renew the certificate of the authority.",
        )


def subject_of(common_name: str) -> Any:
    """The ``x509.Name`` that holds a common name and nothing else."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc).replace(tzinfo=None, microsecond=0)


def load_certificate(content: str) -> Any:
    """The one certificate of a PEM text.

    :raises InputError: there is none, or more than one.
    """
    count = content.count(BEGIN_CERTIFICATE)
    if count != 1:
        raise InputError(f"One certificate in PEM was expected, and there are {count}.")
    try:
        return x509.load_pem_x509_certificate(content.encode("utf-8"))
    except ValueError as error:
        raise InputError("The certificate cannot be read: it is damaged.") from error


def load_csr(content: str) -> Any:
    """The CSR of a PEM text, its own signature checked and its key one that we sign for.

    :raises InputError: otherwise.
    """
    remedy = "Give the PEM text that begins with -----BEGIN CERTIFICATE REQUEST-----."
    if len(content) > LONGEST_PEM:
        raise InputError(f"The CSR has {len(content)} characters; at most {LONGEST_PEM} are read.", remedy=remedy)
    try:
        csr = x509.load_pem_x509_csr(content.encode("utf-8"))
        valid = csr.is_signature_valid
    except CollectionError:
        raise
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise InputError("The CSR cannot be read.", remedy=remedy) from error
    if not valid:
        raise InputError("The signature of the CSR does not fit its key.", remedy="Make the CSR again.")
    algorithm_of(csr.public_key())
    return csr


def certificate_pem(certificate: Any) -> str:
    """The PEM of a certificate, ending with a newline."""
    return str(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"))


def public_key_pem(public_key: Any) -> str:
    """The PEM (SubjectPublicKeyInfo) of a public key, ending with a newline."""
    return _public_bytes(public_key, serialization.Encoding.PEM).decode("ascii")


def private_key_pem(private_key: Any) -> str:
    """The PEM (PKCS#8, unencrypted) of a private key in software, ending with a newline. A secret."""
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return str(pem.decode("ascii"))


def _public_bytes(public_key: Any, encoding: Any) -> bytes:
    return bytes(public_key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo))


def certificate_fingerprint(certificate: Any) -> str:
    """SHA-256 over the DER, 64 hexadecimal digits."""
    return fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def public_key_fingerprint(public_key: Any) -> str:
    """SHA-256 over the DER of the SubjectPublicKeyInfo, 64 hexadecimal digits."""
    return fingerprint(_public_bytes(public_key, serialization.Encoding.DER))


def common_name_of(certificate: Any) -> str:
    """The common name of the subject of a certificate or CSR; empty when it has none."""
    return _common_name(certificate.subject)


def _common_name(name: Any) -> str:
    attributes = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(attributes[0].value) if attributes else ""


def not_before(certificate: Any) -> datetime:
    """The beginning of the validity, UTC with its zone."""
    return utc_moment(certificate, "not_valid_before")


def not_after(certificate: Any) -> datetime:
    """The end of the validity, UTC with its zone."""
    return utc_moment(certificate, "not_valid_after")


def utc_moment(dated: Any, name: str) -> datetime:
    """A date of an object of ``cryptography``: the attribute of its newer versions, or the older one without a zone."""
    if hasattr(dated, f"{name}_utc"):
        moment: datetime = getattr(dated, f"{name}_utc")
        return moment
    return getattr(dated, name).replace(tzinfo=timezone.utc)  # type: ignore[no-any-return]


def needs_renewal(certificate: Any, *, now: datetime, renewal_days: int) -> bool:
    """Whether fewer than ``renewal_days`` days of the validity are left."""
    return not_after(certificate) - now < timedelta(days=renewal_days)


def certificate_facts(certificate: Any) -> dict[str, Any]:
    """What a diff shows of a certificate: names, serial (decimal string), dates (ISO 8601), fingerprints, profile."""
    profile = profile_of(certificate)
    return {
        "common_name": common_name_of(certificate),
        "issuer": _common_name(certificate.issuer),
        "serial": str(certificate.serial_number),
        "not_before": not_before(certificate).isoformat(),
        "not_after": not_after(certificate).isoformat(),
        "profile": profile.name if profile else "",
        "algorithm": algorithm_of(certificate.public_key()).value,
        "fingerprint": certificate_fingerprint(certificate),
        "public_key_fingerprint": public_key_fingerprint(certificate.public_key()),
    }


def verify_issued(certificate: Any, issuer_certificate: Any) -> None:
    """Check that an issuer signed a certificate: names, key identifiers, the issuer's rights, dates, signature.

    :raises StateError: naming what does not fit.
    """
    subject, issuer = common_name_of(certificate), common_name_of(issuer_certificate)
    what = f"The certificate of '{subject}'"
    if certificate.issuer != issuer_certificate.subject:
        raise StateError(f"{what} was issued by '{_common_name(certificate.issuer)}', not by '{issuer}'.")
    require_authority(issuer_certificate, usage="key_cert_sign")
    require_issuer_key(certificate.extensions, issuer_certificate, what=what)
    if not is_signed_by(issuer_certificate.public_key(), certificate.public_bytes(serialization.Encoding.DER)):
        raise StateError(f"{what} does not bear the signature of '{issuer}'.", remedy="Do not use it.")
    if not_after(certificate) > not_after(issuer_certificate):
        raise StateError(f"{what} outlives that of its issuer '{issuer}'.")


def require_authority(certificate: Any, *, usage: str) -> None:
    """Check that a certificate is that of an authority with a certain right.

    :param usage: ``key_cert_sign`` or ``crl_sign``.
    :raises StateError: it is not.
    """
    if not is_authority(certificate):
        raise StateError(f"The certificate of '{common_name_of(certificate)}' is not that of an authority.")
    try:
        usages = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not getattr(usages, usage):
        raise StateError(f"The certificate of '{common_name_of(certificate)}' does not allow {usage}.")


def require_issuer_key(extensions: Any, issuer_certificate: Any, *, what: str) -> None:
    """Check that an authority key identifier, where there is one, points at the key of an issuer.

    :raises StateError: it points at another key (one of an authority of the same name, for example).
    """
    try:
        pointer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return
    if pointer.key_identifier != authority_key_identifier(issuer_certificate).key_identifier:
        raise StateError(
            f"{what} was signed with another key of '{common_name_of(issuer_certificate)}' than the one in its "
            "certificate.",
            remedy="Use the certificate of the authority that signed it.",
        )
