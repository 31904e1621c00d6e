"""A batch of certificates, with keys in software: what is stored when, and what is handed out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, issuance
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CLIENT
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.reconcile import Issue

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_key() -> Any:
    return generate_private_key("ec-p256")


@dataclass
class Authority:
    """An authority with a key in software, and a store that is a list."""

    key: Any = field(default_factory=make_key)
    log: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.certificate = issuance.self_signed(
            "Example",
            key=self.key,
            valid=certificates.validity(NOW, days=3650),
            random_bytes=os.urandom,
        )

    def draft(self, *steps: Issue) -> tuple[issuance.Draft, ...]:
        valid = certificates.validity(NOW, days=365, issuer_certificate=self.certificate)
        return issuance.draft_batch(steps, profile=CLIENT, valid=valid, make_key=make_key, random_bytes=os.urandom)

    def issue(self, drafts: Sequence[issuance.Draft], *, key: Any = None) -> tuple[issuance.Issued, ...]:
        return issuance.issue_batch(
            drafts,
            issuer_certificate=self.certificate,
            issuer_key=key or self.key,
            intend=lambda items: self.log.append(("intended", len(items))),
            record=lambda items: self.log.append(("recorded", len(items))),
        )


def step(name: str, csr: str | None = None) -> Issue:
    return Issue(name, "default", f"{name}@default", "issued", csr)


def make_csr(key: Any) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody-else")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def test_an_authority_signs_itself() -> None:
    certificate = Authority().certificate
    assert certificates.common_name_of(certificate) == "Example"
    assert certificates.not_after(certificate) == NOW + timedelta(days=3650)


def test_the_intention_is_stored_first_and_the_batch_as_a_whole() -> None:
    authority = Authority()
    issued = authority.issue(authority.draft(step("alice"), step("bob")))
    assert authority.log == [("intended", 2), ("recorded", 2)]
    assert [certificates.common_name_of(item.x509) for item in issued] == ["alice@default", "bob@default"]
    for item in issued:
        certificates.verify_issued(item.x509, authority.certificate)


def test_what_was_drafted_is_what_is_stored_and_signed() -> None:
    authority = Authority()
    (draft,) = authority.draft(step("alice"))
    (issued,) = authority.issue([draft])
    assert (draft.name, draft.device, draft.profile) == ("alice", "default", "client")
    assert issued.serial == draft.serial == issued.x509.serial_number
    assert issuance.load_der(issued.certificate) == issued.x509
    assert issued.public_key_sha256 == certificates.public_key_fingerprint(issued.x509.public_key())
    assert draft.not_before == certificates.not_before(issued.x509)
    assert draft.not_after == certificates.not_after(issued.x509)


def test_a_token_that_signs_with_another_key_is_found_out_before_anything_is_stored() -> None:
    authority = Authority()
    with pytest.raises(StateError, match="signature"):
        authority.issue(authority.draft(step("alice"), step("bob")), key=make_key())
    assert authority.log == [("intended", 2)]


def test_an_empty_batch_stores_nothing() -> None:
    authority = Authority()
    assert authority.issue(()) == ()
    assert authority.log == []


def test_a_csr_gives_its_key_and_nothing_else() -> None:
    authority, key = Authority(), make_key()
    csr = make_csr(key)
    (draft,) = authority.draft(step("alice", csr))
    (issued,) = authority.issue([draft])
    assert issued.x509.public_key() == key.public_key()
    assert certificates.common_name_of(issued.x509) == "alice@default"
    assert issued.public_key_sha256 == issuance.csr_fingerprint(csr)
    assert issuance.delivery(issued, ca_chain="", tls_crypt_v2=None)["private_key"] is None


def test_a_delivery_is_complete() -> None:
    authority = Authority()
    (issued,) = authority.issue(authority.draft(step("alice")))
    delivered = issuance.delivery(issued, ca_chain="chain", tls_crypt_v2="wrapped")
    key = serialization.load_pem_private_key(delivered["private_key"].encode(), None)
    assert certificates.load_certificate(delivered["certificate"]).public_key() == key.public_key()
    rest = {name: delivered[name] for name in ("name", "device", "common_name", "ca_chain", "tls_crypt_v2")}
    assert rest == {
        "name": "alice", "device": "default", "common_name": "alice@default", "ca_chain": "chain",
        "tls_crypt_v2": "wrapped",
    }  # fmt: skip


def test_serials_never_repeat() -> None:
    authority = Authority()
    drafts = authority.draft(*(step(f"u{number}") for number in range(200)))
    assert len({draft.serial for draft in drafts}) == 200


def test_the_result_shows_what_was_signed() -> None:
    authority = Authority()
    issued = authority.issue(authority.draft(step("alice")))
    planned: list[dict[str, Any]] = [
        {"common_name": "alice@default", "serial": None, "not_after": None},
        {"common_name": "bob@default", "serial": "7", "not_after": "then"},
    ]
    alice, bob = issuance.updated_users(planned, issued)
    assert alice["serial"] == str(issued[0].serial)
    assert alice["not_after"] == "2027-11-22T12:00:00+00:00"
    assert bob == planned[1]


@pytest.mark.parametrize(("validity", "renewal"), [(0, 0), (-1, 0), (30, 30), (30, 31), (30, -1)])
def test_periods_that_make_no_sense_are_refused(validity: int, renewal: int) -> None:
    with pytest.raises(InputError):
        issuance.check_days(validity_days=validity, renewal_days=renewal)


@pytest.mark.parametrize(("validity", "renewal"), [(1, 0), (30, 29)])
def test_periods_that_make_sense_are_taken(validity: int, renewal: int) -> None:
    issuance.check_days(validity_days=validity, renewal_days=renewal)
