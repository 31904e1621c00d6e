# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that signs a CRL from a list with a key in a token, without a store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import standalone_crl as plan
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import standalone_inputs as inputs
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import to_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Reason,
    Revocation,
    build_crl,
    crl_to_der,
    crl_to_pem,
    encode_entries,
    load_crl,
    verify_crl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import is_signed_by, rsa_padding

LONGEST_SERIAL_BITS = 160
CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True)
class StandaloneCrlRun:
    """Have a CRL of a list of certificates, signed by a key in a token.

    :param options: Those of ``hsm_crl``.
    :param dry_run: Check mode: nobody logs in, and what an earlier task would have made may be missing.
    """

    options: Mapping[str, Any]
    ports: inputs.StandalonePorts
    dry_run: bool = False

    def decide(self) -> Change[str]:
        """Compare the CRL that is there with the list; nothing is written."""
        issuer = self._issuer()
        if issuer is None:
            return Change({"crl": "unknown"}, {"crl": "to be signed"}, (plan.SIGN,), plan.crl_result(None, b""))
        change, _wanted, _found = self._compare(issuer)
        if change.needed and not self.dry_run:
            for path in self._paths().values():
                self.ports.require_writable(path)
        return change

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Sign and verify where that is needed, then put the files right."""
        issuer = self._issuer()
        if plan.SIGN not in change.steps:
            found = self._compare(issuer)[2]
            return self._finish(b"" if found is None else found.der)
        with self.ports.open_key(issuer.public_key()) as key:
            # The lock of the token is held from here on: another run may have written the files since the decision.
            again, wanted, found = self._compare(issuer)
            if plan.SIGN not in again.steps and found is not None:
                return self._finish(found.der)
            dates = plan.plan_next(wanted, found, now=self.ports.clock())
            der = build_crl(
                encode_entries(wanted.revocations[serial] for serial in sorted(wanted.revocations)),
                issuer_certificate=issuer,
                issuer_key=key,
                number=dates.number,
                this_update=dates.this_update,
                next_update=dates.next_update,
                pss=wanted.pss,
            )
            verify_crl(der, issuer)
            return self._finish(der)

    def _finish(self, der: bytes) -> Mapping[str, Any]:
        mode = inputs.parse_mode(self.options["mode"])
        for option, path in self._paths().items():
            content = crl_to_pem(der) if option == "path" else der
            if self.ports.files.read(path) != content or self.ports.files.mode(path) != mode:
                self.ports.files.replace(path, content, mode=mode)
        return plan.crl_result(load_crl(der), der)

    def _compare(self, issuer: Any) -> tuple[Change[str], plan.WantedCrl, plan.FoundCrl | None]:
        """The plan, what is wanted, and the newest CRL that is there."""
        now = self.ports.clock()
        found, files = self._found(issuer)
        wanted = self._wanted(issuer, found, now=now)
        return plan.plan_crl(wanted, found, files=files, now=now), wanted, found

    def _issuer(self) -> Any:
        """The issuer's certificate, checked; ``None`` where check mode has to do without.

        :raises InputError: it cannot be read.
        :raises StateError: it is not one that may sign CRLs now.
        """
        source = inputs.read_source(self.options, "ca", self.ports.files.read, lenient=self.dry_run)
        if source is None:
            raise InputError("There is no certificate of the issuer.", remedy="Give 'ca_path' or 'ca_content'.")
        issuer = source.load(certificates.load_certificate)
        if issuer is not None:
            certificates.require_authority(issuer, usage="crl_sign")
            certificates.require_valid_now(issuer, now=self.ports.clock())
            rsa_padding(issuer.public_key(), pss=self.options["rsa_pss"])
        return issuer

    def _paths(self) -> dict[str, Path]:
        return {name: Path(self.options[name]) for name in ("path", "der_path") if self.options[name] is not None}

    def _found(self, issuer: Any) -> tuple[plan.FoundCrl | None, tuple[plan.CrlFile, ...]]:
        """The newest CRL in the files or in ``crl_content``, and the state of the files."""
        held, files = [], []
        for option, path in self._paths().items():
            der = _read_der(self.ports.files.read(path), what=str(path), pem=option == "path")
            files.append(plan.CrlFile(option, der, self.ports.files.mode(path)))
            held.append((str(path), der))
        content, what = self.options["crl_content"], "The option 'crl_content'"
        held.append((what, _read_der((content or "").strip().encode("utf-8"), what=what, pem=True)))
        crls = [plan.read_found(der, issuer, what=what) for what, der in held if der]
        return plan.newest(crls), tuple(files)

    def _wanted(self, issuer: Any, found: plan.FoundCrl | None, *, now: datetime) -> plan.WantedCrl:
        """The options, checked.

        :raises InputError: naming what cannot be accepted.
        """
        options, entries = self.options, self.options["revocations"]
        days = options["validity_days"]
        renewal = days // 2 if options["renewal_days"] is None else options["renewal_days"]
        inputs.check_periods(validity_days=days, renewal_days=renewal, number=options["number"])
        serials = [self._serial(entry, position, issuer) for position, entry in enumerate(entries, 1)]
        plan.require_unique(enumerate(serials, 1))
        known = found.revocations if found is not None else {}
        revocations = {
            serial: _read_revocation(entry, serial, position, known=known.get(serial), now=now)
            for position, (serial, entry) in enumerate(zip(serials, entries), 1)
        }
        return plan.WantedCrl(
            revocations=revocations,
            validity_days=days,
            renewal_days=renewal,
            mode=inputs.parse_mode(options["mode"]),
            number=options["number"],
            pss=options["rsa_pss"],
            allow_removal=options["allow_removal"],
            force=options["force"],
        )

    def _serial(self, entry: Mapping[str, Any], position: int, issuer: Any) -> int:
        """The serial of an entry, given as such or by its certificate, which the issuer must have signed."""
        where = f"Entry {position} of 'revocations'"
        if entry["serial"] is not None:
            return _parse_serial(entry["serial"], where=where)
        source = inputs.read_source(entry, "certificate", self.ports.files.read, where=f"{where}, ")
        if source is None:
            raise InputError(f"{where} has no certificate.", remedy="Give its serial, or the certificate itself.")
        certificate = source.load(certificates.load_certificate)
        issued = certificate.issuer == issuer.subject and is_signed_by(issuer.public_key(), to_der(certificate))
        if not issued:
            raise InputError(
                f"{where} is the certificate of '{shown(certificates.common_name_of(certificate))}', which "
                f"'{certificates.common_name_of(issuer)}' has not signed.",
                remedy="A CRL holds certificates of its own issuer only: correct the entry or the issuer.",
            )
        return int(certificate.serial_number)


def _read_der(content: bytes | None, *, what: str, pem: bool) -> bytes:
    """The DER of a CRL that is there; empty where there is none.

    :raises InputError: it is something else, which is not overwritten.
    """
    if not content:
        return b""
    try:
        return crl_to_der(content) if pem else content
    except CollectionError as error:
        raise InputError(
            f"{what}: {error.message} It is not overwritten.",
            remedy="Correct the path; or remove it, and give a 'number' above that of the last CRL.",
        ) from error


def _parse_serial(text: str, *, where: str) -> int:
    """A positive serial from decimal digits or from ``0x`` and hexadecimal ones."""
    stripped = text.strip()
    serial = 0
    if re.fullmatch(r"[0-9]{1,49}", stripped):
        serial = int(stripped)
    elif re.fullmatch(r"0[xX][0-9A-Fa-f]{1,42}", stripped):
        serial = int(stripped, 16)
    if not 0 < serial < 2**LONGEST_SERIAL_BITS:
        raise InputError(
            f"{where} has the serial '{shown(text)}'; it must be a positive number of at most 20 bytes.",
            remedy="Give it in decimal digits, or in hexadecimal ones after 0x, as a string in quotes.",
        )
    return serial


def _read_revocation(
    entry: Mapping[str, Any], serial: int, position: int, *, known: Revocation | None, now: datetime
) -> Revocation:
    """An entry, checked; without a date it keeps the one that it has in the CRL which is there, else it is now."""
    where = f"in entry {position} of 'revocations'"
    revoked_at = _past(entry["revoked_at"], what=f"The 'revoked_at' {where}", now=now)
    invalidity_date = _past(entry["invalidity_date"], what=f"The 'invalidity_date' {where}", now=now)
    if revoked_at is None:
        revoked_at = known.revoked_at if known is not None else now.replace(microsecond=0)
    return Revocation(serial, revoked_at, Reason(entry["reason"]), invalidity_date)


def _past(value: str | None, *, what: str, now: datetime) -> datetime | None:
    moment = None if value is None else inputs.parse_moment(value, what=what)
    if moment is not None and moment > now + CLOCK_TOLERANCE:
        raise InputError(f"{what} is in the future: {moment.isoformat()}.", remedy="Correct it, or check the clocks.")
    return moment
