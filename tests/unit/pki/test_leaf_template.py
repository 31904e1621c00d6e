"""Certificates written from a template are byte for byte those that the builder of ``cryptography`` makes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import signing_hash
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import (
    LeafTemplate,
    encode_object_identifier,
    key_identifier,
    key_infos,
    public_key_info,
    signing_function,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import encode_pem
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.profiles import CA, CLIENT, SERVER, Profile

FIRST = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LAST = datetime(2058, 1, 1, tzinfo=UTC)
ALGORITHMS = ["ec-p256", "ec-p384", "rsa-2048", "ed25519"]
KEYS = {algorithm: generate_private_key(algorithm) for algorithm in ALGORITHMS}
SERIALS = [1, 127, 128, 2**63, 2**158 + 1, 2**159 - 1]
ADDRESSES: dict[str, Any] = {
    "crl_urls": ("http://pki.example.net/a.crl", "http://pki2.example.net/a.crl"),
    "issuer_urls": ("http://pki.example.net/ca.cer",),
}


def make_issuer(key: Any, *, pss: bool = False) -> x509.Certificate:
    spec = certificates.CertificateSpec("Example CA", CA, key.public_key(), 1, FIRST, LAST)
    certificate = certificates.build_certificate(spec, issuer_key=key, pss=pss)
    assert isinstance(certificate, x509.Certificate)
    return certificate


ISSUERS = {algorithm: make_issuer(key) for algorithm, key in KEYS.items()}


def leaf(**changes: Any) -> certificates.CertificateSpec:
    plain = certificates.CertificateSpec(
        "alice@laptop", CLIENT, KEYS["ec-p256"].public_key(), 2**158 + 5, FIRST, FIRST + timedelta(days=365)
    )
    return replace(plain, **changes)


def check(spec: certificates.CertificateSpec, issuer: str = "ec-p256", *, pss: bool = False) -> None:
    """The builder and the template agree, and the certificate that was put together verifies."""
    template = LeafTemplate(spec, issuer_certificate=ISSUERS[issuer], pss=pss)
    expected = certificates.build_certificate(
        spec, issuer_certificate=ISSUERS[issuer], issuer_key=KEYS[issuer], pss=pss
    )
    names: dict[str, Any] = {
        "serial": spec.serial,
        "common_name": spec.common_name,
        "key_info": public_key_info(spec.public_key),
    }
    written = template.to_be_signed(**names)
    assert written == expected.tbs_certificate_bytes
    template.verify(template.assemble(written, signing_function(KEYS[issuer], pss=pss)(written)), **names)


@pytest.mark.parametrize("subject", ALGORITHMS)
@pytest.mark.parametrize("issuer", ALGORITHMS)
def test_every_algorithm_of_issuer_and_subject(issuer: str, subject: str) -> None:
    check(leaf(public_key=KEYS[subject].public_key()), issuer)


@pytest.mark.parametrize("serial", SERIALS)
def test_every_length_of_serial(serial: int) -> None:
    check(leaf(serial=serial))


@pytest.mark.parametrize("profile", [CLIENT, SERVER], ids=lambda profile: profile.name)
@pytest.mark.parametrize("addresses", [{}, ADDRESSES], ids=["bare", "addresses"])
@pytest.mark.parametrize("dns_names", [(), ("cambridge2.example.net", "cambridge2.test")], ids=["no SAN", "SAN"])
def test_every_extension(profile: Profile, addresses: dict[str, Any], dns_names: tuple[str, ...]) -> None:
    check(leaf(profile=profile, dns_names=dns_names, **addresses))


@pytest.mark.parametrize("year", [2049, 2050, 2057])
def test_dates_before_and_after_2050(year: int) -> None:
    check(leaf(not_after=datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)))


@pytest.mark.parametrize("name", ["a@b", "a" * 31 + "@" + "b" * 32, "gateway-cambridge", "é" * 32])
def test_names_of_every_length(name: str) -> None:
    check(leaf(common_name=name))


def test_pss() -> None:
    check(leaf(), "rsa-2048", pss=True)


def test_one_template_serves_many_certificates() -> None:
    template = LeafTemplate(leaf(), issuer_certificate=ISSUERS["ec-p256"])
    for number, algorithm in enumerate(ALGORITHMS, start=1):
        spec = leaf(common_name=f"u{number}@d", serial=number, public_key=KEYS[algorithm].public_key())
        expected = certificates.build_certificate(
            spec, issuer_certificate=ISSUERS["ec-p256"], issuer_key=KEYS["ec-p256"]
        )
        key_info = public_key_info(spec.public_key)
        written = template.to_be_signed(serial=number, common_name=spec.common_name, key_info=key_info)
        assert written == expected.tbs_certificate_bytes


def test_an_issuer_without_a_key_identifier() -> None:
    """Such an issuer is pointed at by the hash of its key."""
    key, subject = KEYS["ec-p256"], certificates.subject_of("Bare CA")
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 5, FIRST, LAST)
    bare = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    issuer = bare.sign(key, signing_hash(key))
    expected = certificates.build_certificate(leaf(), issuer_certificate=issuer, issuer_key=key)
    template = LeafTemplate(leaf(), issuer_certificate=issuer)
    key_info = public_key_info(leaf().public_key)
    written = template.to_be_signed(serial=leaf().serial, common_name=leaf().common_name, key_info=key_info)
    assert written == expected.tbs_certificate_bytes


@pytest.mark.parametrize(
    "dates",
    [
        {"not_after": LAST + timedelta(seconds=1)},
        {"not_before": FIRST - timedelta(seconds=1)},
        {"not_after": FIRST},
    ],
    ids=["after", "before", "never"],
)
def test_nothing_is_written_that_lives_outside_of_its_issuer(dates: dict[str, datetime]) -> None:
    with pytest.raises(StateError, match="life of their issuer"):
        LeafTemplate(leaf(**dates), issuer_certificate=ISSUERS["ec-p256"])


@pytest.mark.parametrize("wrong", ["serial", "common_name", "key_info"])
def test_reading_back_finds_what_is_not_as_it_has_to_be(wrong: str) -> None:
    template = LeafTemplate(leaf(), issuer_certificate=ISSUERS["ec-p256"])
    names: dict[str, Any] = {"serial": 5, "common_name": "a@b", "key_info": public_key_info(leaf().public_key)}
    written = template.to_be_signed(**names)
    certificate = template.assemble(written, signing_function(KEYS["ec-p256"])(written))
    template.verify(certificate, **names)
    others = {"serial": 6, "common_name": "a@c", "key_info": public_key_info(KEYS["ed25519"].public_key())}
    with pytest.raises(StateError, match="does not say what it has to"):
        template.verify(certificate, **{**names, wrong: others[wrong]})


def test_reading_back_finds_extensions_of_another_profile() -> None:
    names: dict[str, Any] = {"serial": 5, "common_name": "a@b", "key_info": public_key_info(leaf().public_key)}
    server = LeafTemplate(leaf(profile=SERVER), issuer_certificate=ISSUERS["ec-p256"])
    written = server.to_be_signed(**names)
    certificate = server.assemble(written, signing_function(KEYS["ec-p256"])(written))
    with pytest.raises(StateError, match="does not say what it has to"):
        LeafTemplate(leaf(), issuer_certificate=ISSUERS["ec-p256"]).verify(certificate, **names)


def test_reading_back_finds_a_wrong_signature() -> None:
    template = LeafTemplate(leaf(), issuer_certificate=ISSUERS["ec-p256"])
    names: dict[str, Any] = {"serial": 5, "common_name": "a@b", "key_info": public_key_info(leaf().public_key)}
    written = template.to_be_signed(**names)
    with pytest.raises(StateError, match="signature"):
        template.verify(template.assemble(written, signing_function(generate_private_key("ec-p256"))(written)), **names)


def assert_written_as_by_the_library(key: Any) -> None:
    private, public = key_infos(key)
    assert encode_pem(private, label="PRIVATE KEY") == certificates.private_key_pem(key)
    assert public == public_key_info(key.public_key())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key_is_written_as_the_library_writes_it(algorithm: str) -> None:
    assert_written_as_by_the_library(KEYS[algorithm])


@pytest.mark.parametrize("value", [1, 2, 2**64, 2**248 - 1, 2**255])
def test_a_small_private_key_is_written_as_the_library_writes_it(value: int) -> None:
    assert_written_as_by_the_library(ec.derive_private_key(value, ec.SECP256R1()))


@pytest.mark.parametrize("dotted", ["2.5.29.15", "1.3.6.1.5.5.7.1.1", "2.999.1", "1.2.840.113549.1.1.10"])
def test_object_identifiers(dotted: str) -> None:
    written = encode_object_identifier(dotted)
    attribute = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(dotted), "x")]).public_bytes()
    assert written in attribute


def test_a_key_identifier_is_taken_of_a_key_only() -> None:
    with pytest.raises(InputError):
        key_identifier(b"\x30\x04\x30\x00\x03\x00")
    with pytest.raises(InputError):
        key_identifier(b"nonsense")
