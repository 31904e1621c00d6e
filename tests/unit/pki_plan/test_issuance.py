"""A batch of certificates, with keys in software: what is stored when, and what is handed out."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.keys import token_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, issuance
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import Issue
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.deliveries import Deliveries, partial_error
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import signing_function
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pkcs12 import make_password
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CA, CLIENT

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_key() -> Any:
    return generate_private_key("ec-p256")


@dataclass
class FailingSigner:
    """The token at the boundary of ``_hsm``: signs so many digests and goes away then."""

    key: Any
    left: int

    def ecdsa(self, digest: bytes) -> bytes:
        if not self.left:
            raise TokenError("The token failed while signing: DeviceRemoved.", remedy="Connect it.")
        self.left -= 1
        r, s = utils.decode_dss_signature(self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass
class Authority:
    """An authority with a key in software, and a store that is a list."""

    key: Any = field(default_factory=make_key)
    log: list[tuple[str, int]] = field(default_factory=list)
    told: list[tuple[int, int]] = field(default_factory=list)
    kept: list[issuance.Issued] = field(default_factory=list)

    def __post_init__(self) -> None:
        first, last = certificates.validity(NOW, days=3650)
        spec = certificates.CertificateSpec("Example", CA, self.key.public_key(), 1, first, last)
        self.certificate = certificates.build_certificate(spec, issuer_key=self.key)

    def draft(self, *steps: Issue) -> issuance.Batch:
        first, last = certificates.validity(NOW, days=365, issuer_certificate=self.certificate)
        pattern = certificates.CertificateSpec("", CLIENT, None, 0, first, last)
        return issuance.draft_batch(
            steps, pattern=pattern, issuer_certificate=self.certificate, random_bytes=os.urandom
        )

    @contextmanager
    def recording(self) -> Iterator[Callable[[Sequence[issuance.Issued]], None]]:
        stored: list[issuance.Issued] = []
        yield stored.extend
        self.log.append(("recorded", len(stored)))

    def issue(self, batch: issuance.Batch, *, key: Any = None) -> tuple[int, Any]:
        ledger = issuance.Ledger(
            intend=lambda drafts: self.log.append(("intended", len(drafts))),
            recording=self.recording,
            keep=self.kept.extend,
            progress=lambda done, total: self.told.append((done, total)),
        )
        sign = partial(map, signing_function(key or self.key))
        return issuance.issue_batch(batch, sign=sign, make_key=make_key, ledger=ledger)

    def issue_one(self, step: Issue) -> issuance.Issued:
        assert self.issue(self.draft(step)) == (1, None)
        return self.kept[-1]


def step(name: str, csr: str | None = None, password: str | None = None) -> Issue:
    return Issue(name, "default", f"{name}@default", "issued", csr, password)


def steps(count: int) -> list[Issue]:
    return [step(f"u{number}") for number in range(count)]


def make_csr(key: Any) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody-else")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def deliver(*issued: issuance.Issued, chain: str = "chain", server_key: str | None = None) -> Deliveries:
    deliveries = Deliveries(chain, server_key, os.urandom)
    deliveries.keep(issued)
    return deliveries


def test_the_intention_is_stored_first_and_the_batch_as_a_whole() -> None:
    authority = Authority()
    assert authority.issue(authority.draft(step("alice"), step("bob"))) == (2, None)
    assert authority.log == [("intended", 2), ("recorded", 2)]
    found = [issuance.load_der(item.certificate) for item in authority.kept]
    assert [certificates.common_name_of(certificate) for certificate in found] == ["alice@default", "bob@default"]
    for certificate in found:
        certificates.verify_issued(certificate, authority.certificate)


def test_what_was_drafted_is_what_is_stored_and_signed() -> None:
    issued = Authority().issue_one(step("alice"))
    certificate = issuance.load_der(issued.certificate)
    assert (issued.name, issued.device, issued.profile) == ("alice", "default", "client")
    assert issued.serial == certificate.serial_number
    assert issued.public_key_sha256 == certificates.public_key_fingerprint(certificate.public_key())
    assert issued.not_before == certificates.not_before(certificate)
    assert issued.not_after == certificates.not_after(certificate)


def test_a_token_that_signs_with_another_key_is_found_out_before_anything_is_stored() -> None:
    authority = Authority()
    with pytest.raises(StateError, match="signature"):
        authority.issue(authority.draft(step("alice"), step("bob")), key=make_key())
    assert (authority.log, authority.kept) == ([("intended", 2)], [])


@pytest.mark.parametrize("signed", [0, 1, issuance.PART - 1, issuance.PART, issuance.PART + 1, 2 * issuance.PART + 7])
def test_a_token_that_goes_away_leaves_what_it_signed(signed: int) -> None:
    """Stored and handed out are the same, and nothing else is."""
    authority, total = Authority(), 3 * issuance.PART
    signer: Any = FailingSigner(authority.key, signed)
    key = token_key(signer, authority.key.public_key())
    done, failure = authority.issue(authority.draft(*steps(total)), key=key)
    assert (done, len(authority.kept)) == (signed, signed)
    assert authority.log == [("intended", total), ("recorded", signed)]
    assert "DeviceRemoved" in str(failure)
    for issued in authority.kept:
        certificates.verify_issued(issuance.load_der(issued.certificate), authority.certificate)


def test_a_failure_tells_what_is_done_and_what_is_left() -> None:
    authority = Authority()
    signer: Any = FailingSigner(authority.key, 2)
    key = token_key(signer, authority.key.public_key())
    batch = authority.draft(*steps(5))
    done, failure = authority.issue(batch, key=key)
    planned = [
        {"common_name": f"u{number}@default", "outcome": "issued", "serial": None, "not_after": None}
        for number in range(5)
    ] + [{"common_name": "kept@default", "outcome": "kept", "serial": "7", "not_after": "then"}]
    results = deliver(*authority.kept).results(planned, batch)
    assert [user["outcome"] for user in results["users"]] == ["issued"] * 2 + ["failed"] * 3 + ["kept"]
    assert [user["serial"] for user in results["users"][2:]] == [None, None, None, "7"]
    assert (results["counts"]["issued"], results["counts"]["failed"], results["counts"]["kept"]) == (2, 3, 1)
    assert [delivery["common_name"] for delivery in results["deliveries"]] == ["u0@default", "u1@default"]
    error = partial_error(failure, done=done, total=5, results=results)
    assert str(error) == (
        "The token failed while signing: DeviceRemoved. Of 5 certificates 2 were signed and stored; they are in this "
        "result. 3 are left, and nothing was handed out for them. Connect it. Running again completes what is left."
    )


def test_a_store_that_cannot_take_them_hands_out_nothing() -> None:
    authority = Authority()

    @contextmanager
    def full() -> Iterator[Callable[[Sequence[issuance.Issued]], None]]:
        def refuse(_part: Sequence[issuance.Issued]) -> None:
            raise StateError("The store has no room left on its disk.")

        yield refuse

    authority.recording = full  # type: ignore[method-assign]
    with pytest.raises(StateError, match="no room left"):
        authority.issue(authority.draft(step("alice")))
    assert authority.kept == []


def test_progress_is_told_and_ends_with_all() -> None:
    authority = Authority()
    total = 2 * issuance.PART + 1
    authority.issue(authority.draft(*steps(total)))
    assert authority.told == [(issuance.PART, total), (2 * issuance.PART, total), (total, total)]


def test_a_csr_gives_its_key_and_nothing_else() -> None:
    key = make_key()
    csr = make_csr(key)
    issued = Authority().issue_one(step("alice", csr))
    certificate = issuance.load_der(issued.certificate)
    assert certificate.public_key() == key.public_key()
    assert certificates.common_name_of(certificate) == "alice@default"
    assert issued.public_key_sha256 == issuance.csr_fingerprint(csr)
    assert deliver(issued).ready[0]["private_key"] is None


def test_a_delivery_is_complete() -> None:
    issued = Authority().issue_one(step("alice"))
    (delivered,) = deliver(issued).ready
    key = serialization.load_pem_private_key(delivered["private_key"].encode(), None)
    assert certificates.load_certificate(delivered["certificate"]).public_key() == key.public_key()
    rest = {name: delivered[name] for name in delivered.keys() - {"private_key", "certificate"}}
    assert rest == {
        "name": "alice", "device": "default", "common_name": "alice@default", "ca_chain": "chain",
        "tls_crypt_v2": None, "pkcs12": None, "pkcs12_password": None,
    }  # fmt: skip


@pytest.mark.parametrize("password", ["", "given-by-somebody"], ids=["made", "given"])
def test_a_pkcs12_holds_key_certificate_and_chain(password: str) -> None:
    authority = Authority()
    issued = authority.issue_one(step("alice", password=password))
    (delivered,) = deliver(issued, chain=certificates.certificate_pem(authority.certificate)).ready
    if password:
        assert delivered["pkcs12_password"] == password
    content = base64.b64decode(delivered["pkcs12"])
    found = pkcs12.load_pkcs12(content, delivered["pkcs12_password"].encode())
    assert found.cert is not None
    assert found.cert.friendly_name == b"alice@default"
    assert issuance.to_der(found.cert.certificate) == issued.certificate
    assert [each.certificate for each in found.additional_certs] == [authority.certificate]
    assert certificates.private_key_pem(found.key) == delivered["private_key"]
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(content, b"wrong password")


def test_passwords_that_are_made_are_long_and_differ() -> None:
    made = {make_password(os.urandom) for _attempt in range(100)}
    assert len(made) == 100
    assert all(len(password) == 29 and password.count("-") == 4 for password in made)
    assert not set("".join(made)) & set("lo01")


def test_serials_never_repeat() -> None:
    batch = Authority().draft(*steps(200))
    assert len({draft.serial for draft in batch.drafts}) == 200


@pytest.mark.parametrize(("validity", "renewal"), [(0, 0), (-1, 0), (30, 30), (30, 31), (30, -1)])
def test_periods_that_make_no_sense_are_refused(validity: int, renewal: int) -> None:
    with pytest.raises(InputError):
        issuance.check_days(validity_days=validity, renewal_days=renewal)


@pytest.mark.parametrize(("validity", "renewal"), [(1, 0), (30, 29)])
def test_periods_that_make_sense_are_taken(validity: int, renewal: int) -> None:
    issuance.check_days(validity_days=validity, renewal_days=renewal)
