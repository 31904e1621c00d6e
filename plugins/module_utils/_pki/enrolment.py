# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that issue, renew and revoke: of users with their devices, and of single gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import describe_access
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.memory import (
    paused_garbage_collection,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import access, issuance, reconcile
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import (
    CertificateSpec,
    validity,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import (
    GONE,
    Issue,
    Revoke,
    SetAccess,
    Step,
    change_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.deliveries import Deliveries, partial_error
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import signing_function
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import gateway_common_name
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import encode_pem
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Book, Files, Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CLIENT, Profile, parse_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.succession import trust_chain
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import check_server_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import (
    Reading,
    Wanted,
    WantedDevice,
    parse_wanted,
)

Plan = Change[Step]


@paused_garbage_collection()
def read_users(options: Mapping[str, Any], *, now: datetime, lenient: bool) -> Wanted:
    """Check the options of ``pki_users``.

    :param lenient: Go on without the library that reads CSRs, as a check mode before the installation has to.
    :raises InputError: naming everything that cannot be accepted.
    """
    issuance.check_days(validity_days=options["validity_days"], renewal_days=options["renewal_days"])
    if options["purge"] and options["access_only"]:
        raise InputError("The option 'purge' removes users, and nobody is removed with 'access_only'.")

    def read(csr_fingerprint: Callable[[str], str]) -> Wanted:
        password = options["pkcs12_password"] or ""
        reading = Reading(csr_fingerprint, now, options["pkcs12"], password, options["access_only"])
        return parse_wanted(options["users"], reading)

    try:
        return read(issuance.csr_fingerprint)
    except MissingLibraryError:
        if not lenient:
            raise
        return read(lambda _csr: "")


def read_gateway(options: Mapping[str, Any], *, lenient: bool) -> WantedDevice:
    """Check the options of ``pki_certificate``; see :func:`read_users`."""
    issuance.check_days(validity_days=options["validity_days"], renewal_days=options["renewal_days"])
    common_name, key = gateway_common_name(options["name"]), ""
    try:
        key = issuance.csr_fingerprint(options["csr_content"])
    except MissingLibraryError:
        if not lenient:
            raise
    return WantedDevice(options["name"], "", common_name, csr=options["csr_content"], csr_key_sha256=key)


@dataclass(frozen=True)
class UserRun:
    """Bring the certificates of users to the state that is wanted."""

    wanted: Wanted
    options: Mapping[str, Any]
    book: Book
    tools: Tools
    files: Files
    signed: list[int] = field(default_factory=list)

    @paused_garbage_collection()
    def decide(self) -> Plan:
        """Compare what is wanted with what there is; nothing is written."""
        options, profile, now = self.options, CLIENT, self.tools.clock()
        known = [*self.book.history(profile=profile.name, names=self.wanted.users)]
        if options["purge"]:
            known += self.book.current(profile=profile.name)
            known = list({certificate.serial: certificate for certificate in known}.values())
        issuer = _issuing(self.book, profile, now) if options["renew_retiring"] else ""
        decisions = reconcile.decide_users(
            self.wanted,
            known,
            reconcile.Policy(now, options["renewal_days"], issuer),
            purge=options["purge"],
            missing_ok=options["missing_ok"],
        )
        plan = access.plan_access(
            self.wanted,
            decisions,
            known=known,
            suspensions=self.book.suspensions(),
            usable=self.book.usable_devices(now=now),
            missing_ok=options["missing_ok"],
        )
        change = change_of(decisions)
        once = sorted({each.name for each in known if each.state == GONE and each.name in self.wanted.users})
        result = {**change.result, **plan.result, "once_revoked": once, "ca_certificate": ca_chain(self.book)}
        before, after = {**change.before, **plan.before}, {**change.after, **plan.after}
        return Change(before, after, (*plan.steps, *change.steps), result)

    @paused_garbage_collection()
    def apply(self, change: Plan) -> Mapping[str, Any]:
        """Disable, enable, revoke and issue; every input is tried before.

        :raises PartialError: the token did not sign all of them; what it signed is stored and in the error.
        """
        if all(isinstance(step, SetAccess) for step in change.steps):
            self.book.withdraw((), _access_of(change.steps))
            return {}
        deliveries = Deliveries(change.result["ca_certificate"], self._server_key(), self.tools.random_bytes)
        job = draft(change.steps, self.book, self.tools, profile=CLIENT, days=self.options["validity_days"])
        done, failure = carry_out(change.steps, job, self.book, self.tools, keep=deliveries.keep)
        results = deliveries.results(change.result["users"], job.batch)
        self.signed.extend(issued.serial for issued in deliveries.issued)
        disabled = access.in_force(self.book.suspensions())
        results.update(describe_access(self.book.usable_devices(now=self.tools.clock()), disabled))
        if failure is not None:
            raise partial_error(failure, done=done, total=len(job.batch.drafts), results=results) from failure
        return results

    def told(self) -> None:
        """Store that what was signed has left this process with its keys.

        Only then: a certificate whose run ends before is issued anew by the next one, since nobody may have its key.
        """
        self.book.deliver(self.signed)

    def _server_key(self) -> str | None:
        path = self.options["tls_crypt_v2_server_key"]
        if path is None:
            return None
        content = self.files.read(Path(path))
        if content is None:
            raise InputError(
                f"There is no tls-crypt-v2 server key at {path}.",
                remedy="The module privatespace.gateway.pki_authority makes one.",
            )
        server_key = content.decode("ascii", "replace")
        check_server_key(server_key)
        return server_key


@dataclass(frozen=True)
class GatewayRun:
    """Bring the certificate of one gateway to the state that is wanted."""

    wanted: WantedDevice
    options: Mapping[str, Any]
    book: Book
    tools: Tools

    def decide(self) -> Plan:
        """Compare what is wanted with what there is; nothing is written."""
        profile, now = parse_profile(self.options["profile"]), self.tools.clock()
        known = self.book.history(profile=profile.name, names=[self.wanted.user])
        issuer = _issuing(self.book, profile, now)
        policy = reconcile.Policy(now, self.options["renewal_days"], issuer, deliveries=False, moves=True)
        change = reconcile.plan_certificate(self.wanted, known, policy)
        planned = change.result["users"][0]
        result = {name: planned[name] for name in ("common_name", "outcome", "serial", "not_after")}
        der = self.book.certificate(int(planned["serial"])) if planned["serial"] else b""
        result.update(certificate=encode_pem(der) if der else "", ca_chain=ca_chain(self.book))
        return Change(change.before, change.after, change.steps, result)

    def apply(self, change: Plan) -> Mapping[str, Any]:
        """Revoke what another key replaces, and issue."""
        profile, days = parse_profile(self.options["profile"]), self.options["validity_days"]
        job, signed = draft(change.steps, self.book, self.tools, profile=profile, days=days), list[issuance.Issued]()
        _done, failure = carry_out(change.steps, job, self.book, self.tools, keep=signed.extend)
        if failure is not None:
            raise failure
        (issued,) = signed
        self.book.deliver([issued.serial])
        return {
            "certificate": encode_pem(issued.certificate),
            "serial": str(issued.serial),
            "not_after": issued.not_after.isoformat(),
        }


@dataclass(frozen=True)
class Job:
    """A batch, and the authority that is to sign it.

    :param issuer: As the book gives it.
    :param certificate: Its certificate, an object of ``cryptography``.
    """

    batch: issuance.Batch
    issuer: Any
    certificate: Any
    pss: bool


def draft(steps: Sequence[Step], book: Book, tools: Tools, *, profile: Profile, days: int) -> Job:
    """Draft what the steps want to be issued.

    :param days: For how many days, at most until the authority's certificate expires.
    :raises StateError: the authority has not been set up, or its certificate has expired.
    """
    now = tools.clock()
    issuer = book.issuer(profile=profile.name, now=now)
    ca, settings = issuance.load_der(issuer.certificate), issuer.settings
    first, last = validity(now, days=days, issuer_certificate=ca)
    pattern = CertificateSpec(
        common_name="",
        profile=profile,
        public_key=None,
        serial=0,
        not_before=first,
        not_after=last,
        crl_urls=tuple(settings.get("crl_urls") or ()),
        issuer_urls=tuple(settings.get("issuer_urls") or ()),
    )
    pss = bool(settings.get("rsa_pss"))
    batch = issuance.draft_batch(
        [step for step in steps if isinstance(step, Issue)],
        pattern=pattern,
        issuer_certificate=ca,
        pss=pss,
        random_bytes=tools.random_bytes,
    )
    return Job(batch, issuer, ca, pss)


def carry_out(
    steps: Sequence[Step], job: Job, book: Book, tools: Tools, *, keep: Callable[[Sequence[issuance.Issued]], None]
) -> tuple[int, CollectionError | None]:
    """Store revocations and who is disabled, then sign the drafts; the token is opened before, and only to sign.

    :param keep: Takes what was signed, part by part.
    :returns: See :func:`issuance.issue_batch`.
    """
    ledger = issuance.Ledger(partial(book.intend, issuer=job.issuer), book.recording, keep, tools.progress)
    with _opened(tools) if job.batch.drafts else nullcontext() as signer:
        public_key = job.certificate.public_key()
        sign = signer(job.issuer.label, public_key, pss=job.pss) if signer else None
        at = tools.clock()
        book.withdraw([issuance.withdraw(step, at=at) for step in steps if isinstance(step, Revoke)], _access_of(steps))
        if sign is None:
            return 0, None
        return issuance.issue_batch(job.batch, sign=sign, make_key=tools.make_key, ledger=ledger)


def _access_of(steps: Sequence[Step]) -> list[SetAccess]:
    return [step for step in steps if isinstance(step, SetAccess)]


@contextmanager
def _opened(tools: Tools) -> Iterator[Callable[..., issuance.Signatures]]:
    if tools.open_signer is not None:
        with tools.open_signer() as signer:
            yield signer
        return
    with tools.open_keys() as keys:
        yield lambda label, public_key, pss: partial(map, signing_function(keys(label, public_key), pss=pss))


def _issuing(book: Book, profile: Profile, now: datetime) -> str:
    """The label of the authority that issues now; empty where there is none yet."""
    return str(book.issuer(profile=profile.name, now=now).label) if book.trusted() else ""


def ca_chain(book: Book) -> str:
    """The PEM of every certificate that has to be trusted; empty where the authority has not been set up."""
    return trust_chain(book.trusted())
