# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that signs a certificate with a key in a token, without a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import standalone_certificate as plan
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import standalone_inputs as inputs
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import Profile, parse_profile

DEFAULT_AUTHORITY_DAYS, DEFAULT_DAYS = 3650, 365
NO_LIMIT = -1


@dataclass(frozen=True)
class CertificateRun:
    """Have one certificate, signed by a key in a token.

    :param options: Those of ``hsm_certificate``.
    :param dry_run: Check mode: nobody logs in, and what an earlier task would have made may be missing.
    """

    options: Mapping[str, Any]
    ports: inputs.StandalonePorts
    dry_run: bool = False

    def decide(self) -> Change[plan.Step]:
        """Compare the certificate that is there with the one that is wanted; nothing is written."""
        mode = None if self._path is None else inputs.parse_mode(self.options["mode"])
        found = self._found()
        wanted = self._wanted(found)
        if wanted is None:
            return plan.plan_unknown(found, mode=mode)
        plan.require_issuer(wanted)
        change = plan.plan_certificate(
            wanted, found, now=self.ports.clock(), mode=mode, force=bool(self.options["force"])
        )
        if change.needed and self._path is not None and not self.dry_run:
            self.ports.require_writable(self._path)
        return change

    def apply(self, change: Change[plan.Step]) -> Mapping[str, Any]:
        """Sign and verify where that is needed, then put the file right."""
        certificate = None
        for step in change.steps:
            if isinstance(step, plan.Sign):
                certificate = self._sign(step.wanted)
            elif isinstance(step, plan.Write):
                certificate = step.certificate
        if self._path is not None and certificate is not None:
            content = certificates.certificate_pem(certificate).encode("ascii")
            self.ports.files.replace(self._path, content, mode=inputs.parse_mode(self.options["mode"]))
        return plan.certificate_result(certificate)

    def _sign(self, wanted: plan.WantedCertificate) -> Any:
        issuer = wanted.issuer
        valid = certificates.validity(self.ports.clock(), days=wanted.validity_days, issuer_certificate=issuer)
        with self.ports.open_key(wanted.public_key if issuer is None else issuer.public_key()) as key:
            spec = wanted.specify(
                public_key=key.public_key() if issuer is None else wanted.public_key,
                serial=certificates.serial_from(self.ports.random_bytes(certificates.SERIAL_BYTES)),
                valid=valid,
            )
            signed = certificates.build_certificate(spec, issuer_certificate=issuer, issuer_key=key, pss=wanted.pss)
        certificates.verify_issued(signed, signed if issuer is None else issuer)
        return signed

    @property
    def _path(self) -> Path | None:
        return None if self.options["path"] is None else Path(self.options["path"])

    def _found(self) -> plan.FoundCertificate:
        """What is at the path or was handed over; an empty content is what an earlier task returns in check mode."""
        if self._path is None:
            content, mode = self.options["certificate_content"], None
            what = "The option 'certificate_content'"
        else:
            raw, mode, what = self.ports.files.read(self._path), self.ports.files.mode(self._path), str(self._path)
            content = None if raw is None else raw.decode("utf-8", "replace")
        if content is None or (self._path is None and not content.strip()):
            return plan.FoundCertificate(None, mode)
        return plan.FoundCertificate(plan.load_found(content, what=what), mode)

    def _wanted(self, found: plan.FoundCertificate) -> plan.WantedCertificate | None:
        """The options, checked; ``None`` where check mode cannot know yet what would be signed.

        :raises InputError: naming the option.
        """
        options, read = self.options, self.ports.files.read
        csr_source = inputs.read_source(options, "csr", read, lenient=self.dry_run)
        issuer_source = inputs.read_source(options, "ca", read, lenient=self.dry_run)
        self_signed = _check_sources(options, csr=csr_source is not None, issuer=issuer_source is not None)
        profile, days = _read_profile(options, self_signed=self_signed), _read_days(options, self_signed=self_signed)
        csr = csr_source.load(certificates.load_csr) if csr_source else None
        issuer = issuer_source.load(certificates.load_certificate) if issuer_source else None
        if not self_signed and (csr is None or issuer is None):
            return None
        name = options["common_name"]
        if name is None:
            name = "" if csr is None else certificates.common_name_of(csr)
        return plan.WantedCertificate(
            common_name=inputs.parse_common_name(name),
            profile=profile,
            public_key=self._public_half(found) if csr is None else csr.public_key(),
            issuer=issuer,
            validity_days=days,
            renewal_days=options["renewal_days"],
            pss=options["rsa_pss"],
            dns_names=inputs.parse_dns_names(options["dns_names"], option="dns_names", wildcards=True),
            permitted_dns=inputs.parse_dns_names(options["permitted_dns"], option="permitted_dns", wildcards=False),
            crl_urls=inputs.parse_urls(options["crl_urls"], option="crl_urls"),
            issuer_urls=inputs.parse_urls(options["issuer_urls"], option="issuer_urls"),
        )

    def _public_half(self, found: plan.FoundCertificate) -> Any:
        """The public half of the key in the token, where there is a certificate to compare it with.

        A token that hides public keys is logged in to, except in check mode.
        """
        if found.certificate is None:
            return None
        public_half = self.ports.public_half()
        if public_half is not None or self.dry_run:
            return public_half
        with self.ports.open_key(None) as key:
            return key.public_key()


def _check_sources(options: Mapping[str, Any], *, csr: bool, issuer: bool) -> bool:
    """Whether a certificate is asked for that is its own issuer.

    :raises InputError: what is given does not fit together.
    """
    asked = options["self_signed"]
    self_signed = bool(asked) if asked is not None else not csr and not issuer
    if self_signed and (csr or issuer):
        raise InputError(
            "A self-signed certificate is made from the key in the token alone.",
            remedy="Leave out 'self_signed', or the options 'csr_path', 'csr_content', 'ca_path' and 'ca_content'.",
        )
    if not self_signed and not csr:
        raise InputError("There is no CSR to sign.", remedy="Give 'csr_path' or 'csr_content'.")
    if not self_signed and not issuer:
        raise InputError("There is no certificate of the issuer.", remedy="Give 'ca_path' or 'ca_content'.")
    return self_signed


def _read_profile(options: Mapping[str, Any], *, self_signed: bool) -> Profile:
    name = options["profile"] or ("ca" if self_signed else "")
    if not name:
        raise InputError("The option 'profile' is missing.", remedy="With a CSR, give ca, server or client.")
    profile = parse_profile(name)
    if self_signed and not profile.is_authority:
        raise InputError(f"A certificate of the profile '{name}' is not self-signed.", remedy="Give a CSR.")
    wrong = ("dns_names",) if profile.is_authority else ("permitted_dns", "path_length")
    for option in wrong:
        if options[option]:
            raise InputError(f"The option '{option}' is not for the profile '{name}'.")
    if not profile.is_authority:
        return profile
    length = options["path_length"] or 0
    if length < NO_LIMIT:
        raise InputError(f"The option 'path_length' is {length}.", remedy=f"Give 0 or more; {NO_LIMIT} for no limit.")
    return replace(profile, path_length=None if length == NO_LIMIT else length)


def _read_days(options: Mapping[str, Any], *, self_signed: bool) -> int:
    default = DEFAULT_AUTHORITY_DAYS if self_signed or options["profile"] == "ca" else DEFAULT_DAYS
    days = default if options["validity_days"] is None else int(options["validity_days"])
    inputs.check_periods(validity_days=days, renewal_days=options["renewal_days"])
    return days
