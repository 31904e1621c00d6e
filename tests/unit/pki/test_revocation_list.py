"""CRLs: the same bytes as the builder of cryptography writes, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from unit.pki.authority import NOW, Authority, authority, device, key

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles, signatures
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import signing_hash
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Reason,
    Revocation,
    build_crl,
    crl_to_der,
    crl_to_pem,
    load_crl,
    next_this_update,
    verify_crl,
)

KINDS = [("ec-p256", False), ("ec-p384", False), ("rsa-2048", False), ("rsa-2048", True), ("ed25519", False)]
REVOCATIONS = [
    Revocation(1, NOW),
    Revocation(127, NOW),
    Revocation(128, NOW, Reason.KEY_COMPROMISE),
    Revocation(2**159 - 1, NOW, Reason.SUPERSEDED, NOW - timedelta(days=1)),
    Revocation(2**158, datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), Reason.CESSATION_OF_OPERATION),
    Revocation(2**64, datetime(2050, 1, 1, tzinfo=UTC), Reason.PRIVILEGE_WITHDRAWN),
    Revocation(300, NOW.astimezone(timezone(timedelta(hours=5))), Reason.UNSPECIFIED, NOW),
]


def _build(of: Authority, revocations: list[Revocation], **more: Any) -> bytes:
    values: dict[str, Any] = {"number": 1, "this_update": NOW, "next_update": NOW + timedelta(days=30)} | more
    return build_crl([revocation.encode_entry() for revocation in revocations], **of.issuer, **values)


def _peer(of: Authority, revocations: list[Revocation], *, number: int, this: datetime, until: datetime) -> bytes:
    """The same list by the builder of cryptography."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=of.certificate.subject,
        last_update=this.replace(tzinfo=None),
        next_update=until.replace(tzinfo=None),
        revoked_certificates=[_peer_entry(revocation) for revocation in revocations],
    )
    pointer = of.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(pointer), False)
    builder = builder.add_extension(x509.CRLNumber(number), False)
    padding = signatures.rsa_padding(of.key, pss=of.pss) if of.pss else None
    crl = builder.sign(of.key, signing_hash(of.key), rsa_padding=padding)
    return crl.public_bytes(serialization.Encoding.DER)


def _peer_entry(revocation: Revocation) -> Any:
    moment = revocation.revoked_at.astimezone(UTC).replace(tzinfo=None)
    builder = x509.RevokedCertificateBuilder(revocation.serial, moment)
    if revocation.reason is not Reason.UNSPECIFIED:
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(revocation.reason.value)), False)
    if revocation.invalidity_date is not None:
        since = revocation.invalidity_date.replace(tzinfo=None)
        builder = builder.add_extension(x509.InvalidityDate(since), False)
    return builder.build()


def _signed_part(crl: bytes) -> bytes:
    return x509.load_der_x509_crl(crl).tbs_certlist_bytes


@pytest.mark.parametrize(("algorithm", "pss"), KINDS)
@pytest.mark.parametrize("count", [0, 1, len(REVOCATIONS), 400])
def test_the_bytes_are_those_of_cryptography(algorithm: str, pss: bool, count: int) -> None:
    """Whole where signatures are deterministic (PKCS#1, Ed25519), all but the signature elsewhere."""
    of = authority(algorithm, pss=pss)
    revocations = (REVOCATIONS * 60)[:count]
    until = NOW + timedelta(days=30)
    ours = _build(of, revocations, number=2**80, next_update=until)
    theirs = _peer(of, revocations, number=2**80, this=NOW, until=until)
    assert _signed_part(ours) == _signed_part(theirs)
    if (algorithm, pss) in {("rsa-2048", False), ("ed25519", False)}:
        assert ours == theirs
    verify_crl(ours, of.certificate)
    verify_crl(theirs, of.certificate)


def test_dates_beyond_2049_are_those_of_cryptography() -> None:
    this, until = datetime(2050, 1, 1, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)
    ours = _build(authority("ed25519"), [], this_update=this, next_update=until)
    assert ours == _peer(authority("ed25519"), [], number=1, this=this, until=until)


def test_stored_entries_are_spliced_as_they_are() -> None:
    """A thousand entries concatenated long ago and one new one give the list of all of them."""
    of = authority("ed25519")
    old = [Revocation(serial, NOW) for serial in range(1, 1001)]
    stored = b"".join(revocation.encode_entry() for revocation in old)
    new = Revocation(5000, NOW, Reason.KEY_COMPROMISE)
    dates: dict[str, Any] = {"number": 7, "this_update": NOW, "next_update": NOW + timedelta(days=1)}
    spliced = build_crl([stored, new.encode_entry()], **of.issuer, **dates)
    assert spliced == build_crl([entry.encode_entry() for entry in (*old, new)], **of.issuer, **dates)
    assert load_crl(spliced).revoked_count == 1001


def test_the_facts_are_those_of_the_list() -> None:
    of = authority()
    facts = load_crl(_build(of, REVOCATIONS, number=42))
    assert (facts.issuer, facts.number, facts.revoked_count) == ("CN=Test CA", 42, len(REVOCATIONS))
    assert (facts.this_update, facts.next_update) == (NOW, NOW + timedelta(days=30))
    pointer = of.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert facts.authority_key_identifier == pointer.digest.hex()
    assert len(facts.fingerprint) == 64


@pytest.mark.parametrize("count", [0, 1, 3000, 8000])
def test_pem_is_that_of_cryptography_and_goes_back(count: int) -> None:
    """... for lists below, at and above the size of the blocks in which lines are cut."""
    der = _build(authority("ed25519"), [Revocation(2**150 + serial, NOW) for serial in range(count)])
    pem = crl_to_pem(der)
    assert pem == x509.load_der_x509_crl(der).public_bytes(serialization.Encoding.PEM)
    assert crl_to_der(pem) == der
    assert load_crl(pem) == load_crl(der)


def test_pem_of_every_length_of_the_last_line() -> None:
    for length in range(48 * 3):
        pem = crl_to_pem(b"\x30" * length)
        assert crl_to_der(pem) == b"\x30" * length
        assert max(len(line) for line in pem.splitlines()[1:-1] or [b""]) <= 64


def test_a_list_of_another_key_of_the_same_name_is_refused() -> None:
    """CA (another key, the same name) -> CRL, checked against CA. OpenVPN would let revoked users in with it."""
    with pytest.raises(StateError, match="The CRL was signed with another key of 'Test CA'"):
        verify_crl(_build(authority(which=1), REVOCATIONS), authority().certificate)


def test_a_list_of_another_authority_is_refused() -> None:
    with pytest.raises(StateError, match=r"The CRL was issued by 'CN=Other CA', not by 'Test CA'\."):
        verify_crl(_build(authority(which=2, name="Other CA"), REVOCATIONS), authority().certificate)


@pytest.mark.parametrize(("algorithm", "pss"), KINDS)
@pytest.mark.parametrize("position", [-1, 200])
def test_a_list_that_was_changed_is_refused(algorithm: str, pss: bool, position: int) -> None:
    of = authority(algorithm, pss=pss)
    content = bytearray(_build(of, [Revocation(2**150 + n, NOW) for n in range(9)]))
    content[position] ^= 1
    with pytest.raises((StateError, InputError)):
        verify_crl(bytes(content), of.certificate)


def test_a_list_signed_by_a_client_is_refused() -> None:
    """CA -> client -> CRL. Invalid: the issuer is no authority."""
    client = Authority(key("ec-p256", 7), device(authority()))
    with pytest.raises(StateError, match="'alice@laptop' is not that of an authority"):
        verify_crl(_build(client, []), client.certificate)


def test_a_list_of_an_authority_that_may_sign_none_is_refused() -> None:
    """CA (key usage keyCertSign only) -> CRL. Invalid."""
    weak = profiles.Profile("ca", key_usages=("key_cert_sign",), is_authority=True, path_length=0)
    start, end = certificates.validity(NOW, days=3650)
    spec = certificates.CertificateSpec("Test CA", weak, key("ec-p256").public_key(), 1, start, end)
    of = Authority(key("ec-p256"), certificates.build_certificate(spec, issuer_key=key("ec-p256")))
    with pytest.raises(StateError, match="does not allow crl_sign"):
        verify_crl(_build(of, []), of.certificate)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x30\x80", b"\x30\x03\x02\x01\x01", b"-----BEGIN X509 CRL-----"]
)
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        load_crl(content)
    with pytest.raises(InputError):
        verify_crl(content, authority().certificate)


def test_a_truncated_list_is_refused() -> None:
    content = _build(authority(), REVOCATIONS)
    for length in range(0, len(content), 37):
        with pytest.raises(InputError):
            verify_crl(content[:length], authority().certificate)
    with pytest.raises(InputError):
        crl_to_der(crl_to_pem(content)[:-40])
    with pytest.raises(InputError, match="there are 2"):
        crl_to_der(crl_to_pem(content) * 2)


def test_this_update_is_backdated_and_always_later_than_the_one_before() -> None:
    """Also when the clock stands still, or was set back: OpenVPN takes a list of the same second for the old one."""
    now = NOW + timedelta(microseconds=7)
    first = next_this_update(now, None)
    assert first == NOW - timedelta(hours=1)
    assert next_this_update(now, first) == first + timedelta(seconds=1)
    assert next_this_update(now - timedelta(days=9), first) == first + timedelta(seconds=1)
    assert next_this_update(now + timedelta(days=1), first) == first + timedelta(days=1)


def test_a_list_that_expires_before_it_begins_is_refused() -> None:
    for wrong in ({"next_update": NOW}, {"number": -1}):
        with pytest.raises(InputError, match="is negative, or the CRL would expire"):
            _build(authority(), [], **wrong)


def test_a_serial_of_more_than_20_bytes_is_refused() -> None:
    assert load_crl(_build(authority(), [Revocation(2**160 - 1, NOW)])).revoked_count == 1
    with pytest.raises(InputError, match="longer than the 20 bytes that RFC 5280 allows"):
        Revocation(2**168, NOW).encode_entry()
