"""Certificates. Each case draws its chain (issuer -> subject) and says whether it is valid, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from unit.pki.authority import NOW, Authority, authority, device, key

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles

KINDS = [("ec-p256", False), ("ec-p384", False), ("rsa-2048", False), ("rsa-2048", True), ("ed25519", False)]


def _extension(certificate: Any, kind: Any) -> tuple[Any, bool]:
    found = certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


def _usages(certificate: Any) -> set[str]:
    value, critical = _extension(certificate, x509.KeyUsage)
    assert critical
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return {name for name in (*names, "key_cert_sign", "crl_sign") if getattr(value, name)}


@pytest.mark.parametrize(("algorithm", "pss"), KINDS)
def test_every_kind_of_authority_issues_what_verifies(algorithm: str, pss: bool) -> None:
    """CA -> client, for every kind of key of the CA. Valid."""
    ca = authority(algorithm, pss=pss)
    certificates.verify_issued(ca.certificate, ca.certificate)
    certificates.verify_issued(device(ca), ca.certificate)
    device(ca).verify_directly_issued_by(ca.certificate)


def test_an_authority_may_sign_certificates_and_crls_and_nothing_else() -> None:
    """CA. Critical basic constraints with pathlen 0, critical key usage, no extended key usage."""
    ca = authority().certificate
    assert _extension(ca, x509.BasicConstraints) == (x509.BasicConstraints(ca=True, path_length=0), True)
    assert _usages(ca) == {"key_cert_sign", "crl_sign"}
    with pytest.raises(x509.ExtensionNotFound):
        _extension(ca, x509.ExtendedKeyUsage)


@pytest.mark.parametrize(("name", "usage"), [("server", "serverAuth"), ("client", "clientAuth")])
def test_a_leaf_is_for_one_side_of_a_handshake(name: str, usage: str) -> None:
    """CA -> leaf. A stolen client certificate cannot pose as a gateway, nor the other way round."""
    profile = profiles.parse_profile(name)
    leaf = device(authority(), profile=profile)
    assert [oid._name for oid in _extension(leaf, x509.ExtendedKeyUsage)[0]] == [usage]
    assert _usages(leaf) == {"digital_signature"}
    assert _extension(leaf, x509.BasicConstraints) == (x509.BasicConstraints(ca=False, path_length=None), True)
    assert profiles.profile_of(leaf) is profile


def test_the_key_identifiers_link_the_chain() -> None:
    """CA -> client. The AKI of the leaf is the SKI of the CA."""
    ca, leaf = authority().certificate, device(authority())
    own = _extension(ca, x509.SubjectKeyIdentifier)[0].digest
    assert _extension(leaf, x509.AuthorityKeyIdentifier)[0].key_identifier == own
    assert _extension(ca, x509.AuthorityKeyIdentifier)[0].key_identifier == own


def test_addresses_and_constraints_appear_when_they_are_given() -> None:
    """CA -> client with CDP, AIA, SAN and name constraints; without them none of the extensions is there."""
    leaf = device(
        authority(),
        dns_names=("gw.example.net",),
        crl_urls=("http://pki.example.net/ca.crl",),
        issuer_urls=("http://pki.example.net/ca.crt",),
        permitted_dns=("example.net",),
    )
    assert _extension(leaf, x509.CRLDistributionPoints)[0][0].full_name[0].value == "http://pki.example.net/ca.crl"
    access = _extension(leaf, x509.AuthorityInformationAccess)[0][0]
    assert access.access_method._name == "caIssuers"
    assert _extension(leaf, x509.SubjectAlternativeName)[0].get_values_for_type(x509.DNSName) == ["gw.example.net"]
    assert _extension(leaf, x509.NameConstraints)[1]
    assert len(device(authority()).extensions) == 5


def test_a_leaf_of_a_namesake_is_refused() -> None:
    """CA (another key, the same name) -> client, checked against CA. Invalid: the key identifiers differ."""
    with pytest.raises(StateError, match="signed with another key of 'Test CA'"):
        certificates.verify_issued(device(authority(which=1)), authority().certificate)


def test_a_leaf_of_another_authority_is_refused() -> None:
    """Other CA -> client, checked against CA. Invalid: the names differ."""
    with pytest.raises(StateError, match=r"was issued by 'Other CA', not by 'Test CA'\."):
        certificates.verify_issued(device(authority(which=2, name="Other CA")), authority().certificate)


@pytest.mark.parametrize(("algorithm", "pss"), KINDS)
def test_a_forged_leaf_is_refused(algorithm: str, pss: bool) -> None:
    """CA -> client whose last byte was changed. Invalid: the signature does not fit."""
    ca = authority(algorithm, pss=pss)
    content = bytearray(device(ca).public_bytes(serialization.Encoding.DER))
    content[-1] ^= 1
    forged = x509.load_der_x509_certificate(bytes(content))
    with pytest.raises(StateError, match="does not bear the signature"):
        certificates.verify_issued(forged, ca.certificate)


def test_a_leaf_signed_with_another_algorithm_is_refused() -> None:
    """CA -> client, the identifier of the algorithm replaced by a weaker one. Invalid."""
    content = device(authority()).public_bytes(serialization.Encoding.DER)
    weaker = content.replace(bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040301"))
    with pytest.raises(StateError, match="does not bear the signature"):
        certificates.verify_issued(x509.load_der_x509_certificate(weaker), authority().certificate)


def test_a_client_cannot_issue() -> None:
    """CA -> client -> client. Invalid: the issuer is no authority."""
    middle = Authority(key("ec-p256", 7), device(authority()))
    with pytest.raises(StateError, match="'alice@laptop' is not that of an authority"):
        certificates.verify_issued(device(middle, name="mallory@x", days=30), middle.certificate)


def test_an_authority_without_the_right_to_sign_certificates_cannot_issue() -> None:
    """CA (key usage cRLSign only) -> client. Invalid."""
    weak = profiles.Profile("ca", key_usages=("crl_sign",), is_authority=True, path_length=0)
    start, end = certificates.validity(NOW, days=3650)
    own = key("ec-p256")
    spec = certificates.CertificateSpec("Test CA", weak, own.public_key(), 1, start, end)
    issuer = Authority(own, certificates.build_certificate(spec, issuer_key=own))
    with pytest.raises(StateError, match="does not allow key_cert_sign"):
        certificates.verify_issued(device(issuer), issuer.certificate)


def test_nothing_is_issued_that_outlives_the_authority() -> None:
    """CA (10 years) -> client (20 years). Refused when built; the validity that is offered ends with the CA."""
    ca = authority()
    with pytest.raises(StateError, match="outside the life of its issuer"):
        device(ca, not_after=NOW + timedelta(days=7300))
    end = certificates.validity(NOW, days=7300, issuer_certificate=ca.certificate)[1]
    assert end == certificates.not_after(ca.certificate)


def test_nothing_is_issued_by_an_expired_authority() -> None:
    with pytest.raises(StateError, match="Check the clock of this host, or renew the certificate"):
        certificates.validity(NOW + timedelta(days=4000), days=1, issuer_certificate=authority().certificate)
    with pytest.raises(StateError, match="Check the clock"):
        certificates.validity(NOW - timedelta(hours=2), days=1, issuer_certificate=authority().certificate)


def test_a_validity_is_backdated_and_never_before_its_issuer() -> None:
    assert certificates.validity(NOW, days=1) == (NOW - timedelta(hours=1), NOW + timedelta(days=1))
    later = NOW + timedelta(microseconds=5)
    start = certificates.validity(later, days=1, issuer_certificate=authority().certificate)[0]
    assert start == certificates.not_before(authority().certificate)
    with pytest.raises(InputError, match="at least one day"):
        certificates.validity(NOW, days=0)


def test_dates_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(InputError, match="would expire before it begins"):
        device(authority(), not_before=NOW, not_after=NOW)


def test_a_serial_has_159_bits_and_all_of_them_are_used() -> None:
    assert certificates.serial_from(b"\xff" * 20) == 2**159 - 1
    assert certificates.serial_from(bytes(19) + b"\x02") == 1
    for wrong in (b"", b"\xff" * 19, b"\xff" * 21, bytes(20)):
        with pytest.raises(InputError, match="20 random bytes"):
            certificates.serial_from(wrong)
    assert device(authority(), serial=2**159 - 1).serial_number == 2**159 - 1


def test_renewal_is_due_inside_the_window_only() -> None:
    leaf = device(authority(), days=100)
    assert not certificates.needs_renewal(leaf, now=NOW + timedelta(days=70), renewal_days=30)
    assert certificates.needs_renewal(leaf, now=NOW + timedelta(days=70, seconds=1), renewal_days=30)


def test_the_facts_are_those_of_the_certificate() -> None:
    facts = certificates.certificate_facts(device(authority(), serial=2**158))
    assert facts["serial"] == str(2**158)
    assert (facts["common_name"], facts["issuer"], facts["profile"]) == ("alice@laptop", "Test CA", "client")
    assert (facts["algorithm"], facts["not_before"]) == ("ec-p256", "2026-11-01T11:00:00+00:00")
    assert facts["public_key_fingerprint"] == certificates.public_key_fingerprint(key("ec-p256", 7).public_key())
    assert certificates.certificate_facts(authority().certificate)["profile"] == "ca"


def test_dates_beyond_2049_are_written_and_read() -> None:
    """CA (50 years). From 2050 on dates are of another ASN.1 type."""
    own = key("ec-p256")
    start, end = certificates.validity(NOW, days=18250)
    spec = certificates.CertificateSpec("Long CA", profiles.CA, own.public_key(), 1, start, end)
    assert certificates.not_after(certificates.build_certificate(spec, issuer_key=own)).year == 2076


def test_pss_is_for_rsa_only() -> None:
    with pytest.raises(InputError, match="RSA-PSS was asked of a key of the kind ec-p256"):
        certificates.build_certificate(
            certificates.CertificateSpec(
                "x", profiles.CA, key("ec-p256").public_key(), 1, NOW, datetime(2030, 1, 1, tzinfo=UTC)
            ),
            issuer_key=key("ec-p256"),
            pss=True,
        )


def test_pem_goes_there_and_back() -> None:
    leaf = device(authority())
    assert certificates.load_certificate(certificates.certificate_pem(leaf)) == leaf
    private = key("ec-p256", 7)
    assert certificates.private_key_pem(private).startswith("-----BEGIN PRIVATE KEY-----\n")
    assert certificates.public_key_pem(private.public_key()).endswith("-----END PUBLIC KEY-----\n")


def test_several_certificates_or_damaged_ones_are_refused() -> None:
    pem = certificates.certificate_pem(device(authority()))
    with pytest.raises(InputError, match="there are 2"):
        certificates.load_certificate(pem + pem)
    with pytest.raises(InputError, match="there are 0"):
        certificates.load_certificate("")
    with pytest.raises(InputError, match="damaged"):
        certificates.load_certificate(pem.replace("MII", "AAA"))


def _csr(private: Any) -> str:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "any")]))
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_csr_is_accepted_with_its_own_signature_and_a_known_kind_of_key_only() -> None:
    good = _csr(key("ec-p256", 7))
    assert certificates.common_name_of(certificates.load_csr(good)) == "any"
    der = bytearray(x509.load_pem_x509_csr(good.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(InputError, match="signature of the CSR does not fit its key"):
        certificates.load_csr(forged)
    with pytest.raises(InputError, match="secp521r1"):
        certificates.load_csr(_csr(ec.generate_private_key(ec.SECP521R1())))


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "ü"])
def test_what_is_no_csr_is_refused(content: str) -> None:
    with pytest.raises(InputError, match=r"The CSR cannot be read\. Give the PEM text that begins with"):
        certificates.load_csr(content)
    with pytest.raises(InputError, match="at most 65536"):
        certificates.load_csr("A" * 70_000)
