# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extensions of a certificate, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

if TYPE_CHECKING:
    from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import CertificateSpec
    from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import Profile

try:
    from cryptography import x509
except ImportError:
    x509 = missing_library("cryptography")

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def extensions_of(spec: CertificateSpec, issuer_certificate: Any) -> list[Any]:
    """The extensions of a certificate as ``x509.Extension`` objects.

    :param issuer_certificate: ``None`` for a self-signed certificate.
    """
    subject_key = x509.SubjectKeyIdentifier.from_public_key(spec.public_key)
    return [
        *usages_of(spec.profile),
        _extension(subject_key),
        _extension(authority_key_identifier(issuer_certificate, subject_key)),
        *_names(spec),
        *_addresses(spec),
    ]


def find_extension(holder: Any, name: str) -> Any:
    """The value of an extension of a certificate, by the name of its class in ``cryptography.x509``, or ``None``."""
    try:
        return holder.extensions.get_extension_for_class(getattr(x509, name)).value
    except x509.ExtensionNotFound:
        return None


def extension_facts(certificate: Any) -> dict[str, Any]:
    """What the extensions of a certificate say about names, addresses and authorities below; empty where nothing."""
    constraints = find_extension(certificate, "BasicConstraints")
    alternative = find_extension(certificate, "SubjectAlternativeName")
    points = find_extension(certificate, "CRLDistributionPoints") or ()
    access = find_extension(certificate, "AuthorityInformationAccess") or ()
    return {
        "path_length": constraints.path_length if constraints else None,
        "dns_names": alternative.get_values_for_type(x509.DNSName) if alternative else [],
        "permitted_dns": constrained_dns(certificate)[0],
        "crl_urls": [name.value for point in points for name in point.full_name or ()],
        "issuer_urls": [description.access_location.value for description in access],
    }


def constrained_dns(certificate: Any) -> tuple[list[str], list[str]]:
    """The DNS subtrees that an authority may certify alone, and those that it may not; empty where it may all."""
    names = find_extension(certificate, "NameConstraints")
    return ([], []) if names is None else (_dns_values(names.permitted_subtrees), _dns_values(names.excluded_subtrees))


def _dns_values(general_names: Any) -> list[str]:
    return [name.value for name in general_names or () if isinstance(name, x509.DNSName)]


def authority_key_identifier(issuer_certificate: Any, own: Any = None) -> Any:
    """What points at the issuer's key: the subject key identifier of its certificate.

    :param own: The subject key identifier of a self-signed certificate, used where there is no issuer.
    """
    if issuer_certificate is not None:
        try:
            own = issuer_certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_certificate.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


@lru_cache(maxsize=16)
def usages_of(profile: Profile) -> tuple[Any, ...]:
    """The extensions that depend on a profile alone: basic constraints, key usage, and extended key usage if any."""
    constraints = x509.BasicConstraints(ca=profile.is_authority, path_length=profile.path_length)
    key_usage = x509.KeyUsage(**{usage: usage in profile.key_usages for usage in _KEY_USAGES})
    usages = [x509.ObjectIdentifier(oid) for oid in profile.extended_key_usages]
    return (
        _extension(constraints, critical=True),
        _extension(key_usage, critical=True),
        *([_extension(x509.ExtendedKeyUsage(usages))] if usages else []),
    )


def _names(spec: CertificateSpec) -> list[Any]:
    found = []
    if spec.dns_names:
        found.append(_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in spec.dns_names])))
    return [*found, *name_constraints(spec.permitted_dns)]


def name_constraints(permitted_dns: Sequence[str]) -> list[Any]:
    """The extension that keeps an authority to some DNS subtrees; none without any."""
    if not permitted_dns:
        return []
    permitted = [x509.DNSName(name) for name in permitted_dns]
    return [_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)]


def _addresses(spec: CertificateSpec) -> list[Any]:
    found = []
    if spec.crl_urls:
        points = [x509.DistributionPoint([_url(url)], None, None, None) for url in spec.crl_urls]
        found.append(_extension(x509.CRLDistributionPoints(points)))
    if spec.issuer_urls:
        ca_issuers = x509.oid.AuthorityInformationAccessOID.CA_ISSUERS
        access = [x509.AccessDescription(ca_issuers, _url(url)) for url in spec.issuer_urls]
        found.append(_extension(x509.AuthorityInformationAccess(access)))
    return found


def _url(url: str) -> Any:
    return x509.UniformResourceIdentifier(url)


def _extension(value: Any, *, critical: bool = False) -> Any:
    return x509.Extension(value.oid, critical, value)
