# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the certificates of an authority, a gateway and a client may be used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    from cryptography import x509
except ImportError:
    x509 = missing_library("cryptography")

SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTHENTICATION = "1.3.6.1.5.5.7.3.2"


@dataclass(frozen=True)
class Profile:
    """The part of a certificate that depends on its purpose alone.

    :param key_usages: Names of the bits that are set, as ``cryptography.x509.KeyUsage`` calls them; critical.
    :param extended_key_usages: Dotted object identifiers; none at all for an authority.
    :param is_authority: Basic constraints, critical.
    :param path_length: How many authorities may follow below this one; for authorities only.
    """

    name: str
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[str, ...] = ()
    is_authority: bool = False
    path_length: int | None = None


CA = Profile("ca", key_usages=("key_cert_sign", "crl_sign"), is_authority=True, path_length=0)
SERVER = Profile("server", key_usages=("digital_signature",), extended_key_usages=(SERVER_AUTHENTICATION,))
CLIENT = Profile("client", key_usages=("digital_signature",), extended_key_usages=(CLIENT_AUTHENTICATION,))
PROFILES = {profile.name: profile for profile in (CA, SERVER, CLIENT)}


def parse_profile(name: str) -> Profile:
    """The profile of that name.

    :raises InputError: there is none.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise InputError(
            f"There is no certificate profile '{name}'.", remedy=f"Choose one of {', '.join(PROFILES)}."
        ) from None


def profile_of(certificate: Any) -> Profile | None:
    """The profile that a certificate was built from, judged by its usages; ``None`` if it is of another kind."""
    usages = _extended_key_usages(certificate)
    for profile in PROFILES.values():
        if profile.is_authority == is_authority(certificate) and profile.extended_key_usages == usages:
            return profile
    return None


def _extended_key_usages(certificate: Any) -> tuple[str, ...]:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(usage.dotted_string for usage in usages)


def is_authority(certificate: Any) -> bool:
    """Whether the basic constraints of a certificate are those of an authority."""
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False
