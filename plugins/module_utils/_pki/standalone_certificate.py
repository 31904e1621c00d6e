# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate that no store knows of has to be signed: decided from values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Union

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.extensions import (
    constrained_dns,
    extension_facts,
    extensions_of,
    find_extension,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import Profile, profile_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import is_pss, rsa_padding
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_inputs import is_within

KEY, SUBJECT = "another public key", "another subject"


@dataclass(frozen=True)
class WantedCertificate:
    """A certificate as an administrator asks for it; the options are checked.

    :param profile: For an authority with the wanted path length.
    :param public_key: The subject's key, an object of ``cryptography``; ``None`` where only a login would tell it.
    :param issuer: The issuer's certificate; ``None`` for one that is its own issuer.
    :param pss: RSA-PSS signatures; for an RSA issuer only.
    """

    common_name: str
    profile: Profile
    public_key: Any
    issuer: Any
    validity_days: int
    renewal_days: int
    dns_names: tuple[str, ...] = ()
    permitted_dns: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    issuer_urls: tuple[str, ...] = ()
    pss: bool = False

    def specify(self, *, public_key: Any, serial: int, valid: tuple[datetime, datetime]) -> Any:
        """Everything that goes into the certificate except its issuer.

        :param valid: ``(not_before, not_after)``.
        """
        return certificates.CertificateSpec(
            common_name=self.common_name,
            profile=self.profile,
            public_key=public_key,
            serial=serial,
            not_before=valid[0],
            not_after=valid[1],
            dns_names=self.dns_names,
            crl_urls=self.crl_urls,
            issuer_urls=self.issuer_urls,
            permitted_dns=self.permitted_dns,
        )


@dataclass(frozen=True)
class FoundCertificate:
    """What is there already.

    :param certificate: An object of ``cryptography``, ``None`` where there is none.
    :param mode: The permission bits of its file; ``None`` where there is no file.
    """

    certificate: Any
    mode: int | None = None


@dataclass(frozen=True)
class Sign:
    """The step that signs a certificate and writes it."""

    wanted: WantedCertificate


@dataclass(frozen=True)
class Write:
    """The step that only puts the file of a certificate right."""

    certificate: Any


@dataclass(frozen=True)
class Wait:
    """The step of check mode in place of :class:`Sign`, where what would be signed is not there yet."""


Step = Union[Sign, Write, Wait]


def require_issuer(wanted: WantedCertificate) -> None:
    """Refuse what the issuer may not sign, since nobody would accept it.

    :raises StateError: it is no authority, or its certificate forbids this one.
    :raises InputError: RSA-PSS was asked of a key that is not RSA.
    """
    issuer = wanted.issuer
    if issuer is None:
        return
    name = certificates.common_name_of(issuer)
    certificates.require_authority(issuer, usage="key_cert_sign")
    rsa_padding(issuer.public_key(), pss=wanted.pss)
    if issuer.subject == certificates.subject_of(wanted.common_name):
        raise StateError(
            f"The certificate would have the name of its issuer, '{name}', and pass for self-signed.",
            remedy="Give another 'common_name'.",
        )
    _require_path_length(wanted.profile, find_extension(issuer, "BasicConstraints").path_length, name)
    _require_permitted((*wanted.dns_names, *wanted.permitted_dns), *constrained_dns(issuer), issuer=name)


def _require_path_length(profile: Profile, allowed: int | None, name: str) -> None:
    if not profile.is_authority or allowed is None:
        return
    if allowed == 0:
        raise StateError(
            f"The authority '{name}' may not have authorities below it: the path length in its certificate is 0.",
            remedy="Sign with an authority whose path length is 1 or more, or has no limit.",
        )
    if profile.path_length is None or profile.path_length >= allowed:
        raise StateError(
            f"The path length in the certificate of the authority '{name}' is {allowed}.",
            remedy=f"Give a 'path_length' from 0 to {allowed - 1}.",
        )


def _require_permitted(names: tuple[str, ...], permitted: list[str], excluded: list[str], *, issuer: str) -> None:
    for name in names:
        inside = not permitted or any(is_within(name, subtree) for subtree in permitted)
        if inside and not any(is_within(name, subtree) for subtree in excluded):
            continue
        allowed = f"names in {', '.join(permitted)} only" if permitted else "other names"
        raise StateError(
            f"The authority '{issuer}' may certify {allowed}, not '{name}'.",
            remedy="Correct 'dns_names' or 'permitted_dns', or use another authority.",
        )


def plan_certificate(
    wanted: WantedCertificate,
    found: FoundCertificate,
    *,
    now: datetime,
    mode: int | None,
    force: bool = False,
) -> Change[Step]:
    """Sign when there is no certificate, another one than is wanted, or one in its renewal window.

    :param mode: The permission bits that its file has to have; ``None`` where no file is wanted.
    :raises StateError: the issuer has expired, or an authority of its own would be replaced by another one.
    """
    there = found.certificate
    reasons = ["there is none"] if there is None else _reasons(wanted, there, now=now)
    if wanted.issuer is None and {KEY, SUBJECT} & set(reasons):
        raise StateError(
            f"There is a certificate of '{certificates.common_name_of(there)}' already, with "
            f"{' and '.join(reason for reason in (KEY, SUBJECT) if reason in reasons)}.",
            remedy="It is not replaced, since nothing that it signed would verify any more. Correct 'hsm_key_label' "
            "and 'common_name', or give another 'path'.",
        )
    if force:
        reasons.append("asked for")
    before = _shown(found, mode=mode)
    if reasons:
        certificates.validity(now, days=wanted.validity_days, issuer_certificate=wanted.issuer)
        return Change(
            before, {**_wished(wanted), **_mode(mode), "reasons": reasons}, (Sign(wanted),), certificate_result(None)
        )
    steps = (Write(there),) if mode is not None and found.mode != mode else ()
    return Change(before, {**before, **_mode(mode)}, steps, certificate_result(there))


def plan_unknown(found: FoundCertificate, *, mode: int | None) -> Change[Step]:
    """What check mode tells where an earlier task would make the CSR or the issuer's certificate."""
    after = {"certificate": "to be signed", "reasons": ["what it is signed from is not there yet"], **_mode(mode)}
    return Change(_shown(found, mode=mode), after, (Wait(),), certificate_result(None))


def _reasons(wanted: WantedCertificate, there: Any, *, now: datetime) -> list[str]:
    """Why a certificate is not the one that is wanted."""
    reasons = []
    key = wanted.public_key or there.public_key()
    if certificates.public_key_fingerprint(there.public_key()) != certificates.public_key_fingerprint(key):
        reasons.append(KEY)
    if there.subject != certificates.subject_of(wanted.common_name):
        reasons.append(SUBJECT)
    if not _is_issued_by(there, wanted.issuer or there):
        reasons.append("another issuer")
    if is_pss(there) is not wanted.pss:
        reasons.append("another signature algorithm")
    reasons.extend(f"another {name}" for name in _other_extensions(wanted, there, key))
    if _is_due(wanted, there, now=now):
        reasons.append("due")
    return reasons


def _is_issued_by(there: Any, issuer: Any) -> bool:
    try:
        certificates.verify_issued(there, issuer)
    except CollectionError:
        return False
    return True


def _other_extensions(wanted: WantedCertificate, there: Any, key: Any) -> list[str]:
    """The kinds of extensions in which a certificate differs from the one that is wanted."""
    valid = (certificates.not_before(there), certificates.not_after(there))
    spec = wanted.specify(public_key=key, serial=there.serial_number, valid=valid)
    ours = {extension.oid: extension for extension in extensions_of(spec, wanted.issuer)}
    theirs = {extension.oid: extension for extension in there.extensions}
    different = [oid for oid in {**theirs, **ours} if ours.get(oid) != theirs.get(oid)]
    return sorted({type((ours.get(oid) or theirs[oid]).value).__name__ for oid in different})


def _is_due(wanted: WantedCertificate, there: Any, *, now: datetime) -> bool:
    """Whether it is in its renewal window; one that ends with its issuer is not: a new one would end there, too."""
    last = certificates.not_after(there)
    ends_with_issuer = wanted.issuer is not None and last >= certificates.not_after(wanted.issuer)
    if ends_with_issuer and now < last:
        return False
    return certificates.needs_renewal(there, now=now, renewal_days=wanted.renewal_days)


def _shown(found: FoundCertificate, *, mode: int | None) -> Mapping[str, Any]:
    there = found.certificate
    if there is None:
        return {"certificate": "absent"}
    profile = profile_of(there)
    return {
        "subject": there.subject.rfc4514_string(),
        "issuer": there.issuer.rfc4514_string(),
        "profile": profile.name if profile else "another",
        "serial": str(there.serial_number),
        "not_before": certificates.not_before(there).isoformat(),
        "not_after": certificates.not_after(there).isoformat(),
        "public_key_fingerprint": certificates.public_key_fingerprint(there.public_key()),
        **extension_facts(there),
        **(_mode(found.mode) if mode is not None else {}),
    }


def _wished(wanted: WantedCertificate) -> Mapping[str, Any]:
    subject = certificates.subject_of(wanted.common_name)
    key = wanted.public_key
    return {
        "subject": subject.rfc4514_string(),
        "issuer": (wanted.issuer.subject if wanted.issuer is not None else subject).rfc4514_string(),
        "profile": wanted.profile.name,
        "serial": "a new one",
        "not_after": f"{wanted.validity_days} days from now, or with the issuer's",
        "public_key_fingerprint": "that of the key in the token"
        if key is None
        else certificates.public_key_fingerprint(key),
        "path_length": wanted.profile.path_length,
        "dns_names": list(wanted.dns_names),
        "permitted_dns": list(wanted.permitted_dns),
        "crl_urls": list(wanted.crl_urls),
        "issuer_urls": list(wanted.issuer_urls),
    }


def _mode(mode: int | None) -> dict[str, str]:
    return {} if mode is None else {"mode": f"{mode:04o}"}


def certificate_result(certificate: Any) -> Mapping[str, Any]:
    """What is returned of a certificate; empty values for one that check mode would have signed."""
    if certificate is None:
        names = ("serial", "not_before", "not_after", "fingerprint", "issuer", "subject")
        return {"certificate": "", **dict.fromkeys(names)}
    return {
        "certificate": certificates.certificate_pem(certificate),
        "serial": str(certificate.serial_number),
        "not_before": certificates.not_before(certificate).isoformat(),
        "not_after": certificates.not_after(certificate).isoformat(),
        "fingerprint": certificates.certificate_fingerprint(certificate),
        "issuer": certificate.issuer.rfc4514_string(),
        "subject": certificate.subject.rfc4514_string(),
    }


def load_found(content: str, *, what: str) -> Any:
    """The certificate that is there already.

    :param what: Where it is, for messages.
    :raises InputError: it is something else, which is not overwritten.
    """
    try:
        certificate = certificates.load_certificate(content)
        tuple(certificate.extensions)
    except (CollectionError, ValueError) as error:
        raise InputError(
            f"{what} holds something that cannot be read as one certificate in PEM; it is not overwritten.",
            remedy="Remove it if nobody needs it, or correct the path.",
        ) from error
    return certificate
