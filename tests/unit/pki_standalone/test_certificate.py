"""hsm_certificate without a token: what is signed, what is kept, what is refused. NOW stands still."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from unit.pki.authority import NOW, Authority, authority, device, key
from unit.pki_standalone.desk import Desk, csr, reasons

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles

KINDS = [
    ("ec-p256", False),
    ("ec-p384", False),
    ("rsa-2048", False),
    ("rsa-2048", True),
    ("ed25519", False),
]
ROOT: dict[str, Any] = {"common_name": "Root"}


def _issuing(**constraints: Any) -> tuple[Desk, dict[str, Any]]:
    """A desk with an authority, and the options for a server's certificate signed by it."""
    desk = Desk(key("ec-p256"))
    _change, root = desk.certificate(common_name="Root", path="ca.pem", **constraints)
    return desk, {
        "ca_content": root["certificate"],
        "csr_content": csr(),
        "profile": "server",
        "dns_names": ["www.example.net"],
        "path": "www.pem",
    }


@pytest.mark.parametrize(("algorithm", "pss"), KINDS)
def test_every_kind_of_key_signs_itself_and_a_leaf_once(algorithm: str, pss: bool) -> None:
    """Root -> www, made, then kept without a login."""
    desk = Desk(key(algorithm))
    change, root = desk.certificate(**ROOT, rsa_pss=pss)
    assert reasons(change) == ["there is none"]
    leaf: dict[str, Any] = {
        "ca_path": "ca.pem",
        "csr_content": csr(),
        "profile": "client",
        "path": "www.pem",
        "rsa_pss": pss,
    }
    change, made = desk.certificate(**leaf)
    assert change.needed
    assert (made["subject"], made["issuer"]) == ("CN=www.example.net", root["subject"])
    certificates.verify_issued(
        certificates.load_certificate(made["certificate"]), certificates.load_certificate(root["certificate"])
    )
    logins = desk.logins
    for options, before in ((ROOT, root), (leaf, made)):
        change, again = desk.certificate(**{"rsa_pss": pss, **options})
        assert (change.needed, again) == (False, before)
    assert desk.logins == logins


def test_all_that_is_asked_for_is_in_the_certificate() -> None:
    desk, leaf = _issuing()
    urls: dict[str, Any] = {
        "crl_urls": ["http://pki.example.net/ca.crl"],
        "issuer_urls": ["http://pki.example.net/ca.crt"],
    }
    names = ["b.example.net", "*.A.example.net", "b.example.net"]
    _change, made = desk.certificate(**{**leaf, **urls, "dns_names": names, "common_name": "the server"})
    certificate = certificates.load_certificate(made["certificate"])
    extensions = certificate.extensions
    alternative = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == ["*.a.example.net", "b.example.net"]
    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name[0].value == "http://pki.example.net/ca.crl"
    assert made["subject"] == "CN=the server"
    assert made["serial"].isdecimal()
    assert (made["not_before"], made["not_after"]) == ("2026-11-01T11:00:00+00:00", "2027-11-01T12:00:00+00:00")
    assert made["fingerprint"] == certificates.certificate_fingerprint(certificate)


OTHER_WISHES: list[tuple[dict[str, Any], list[str]]] = [
    ({"csr_content": csr(which=6)}, ["another public key", "another SubjectKeyIdentifier"]),
    ({"common_name": "other"}, ["another subject"]),
    ({"dns_names": ["other.example.net"]}, ["another SubjectAlternativeName"]),
    ({"dns_names": []}, ["another SubjectAlternativeName"]),
    ({"profile": "client"}, ["another ExtendedKeyUsage"]),
    ({"crl_urls": ["http://x/ca.crl"]}, ["another CRLDistributionPoints"]),
    ({"issuer_urls": ["http://x/ca.crt"]}, ["another AuthorityInformationAccess"]),
    ({"renewal_days": 364, "validity_days": 3000}, []),
    ({"renewal_days": 366, "validity_days": 3000}, ["due"]),
    ({"validity_days": 100}, []),
    ({"force": True}, ["asked for"]),
]


@pytest.mark.parametrize(("wish", "expected"), OTHER_WISHES)
def test_it_is_signed_anew_for_a_reason_only(wish: dict[str, Any], expected: list[str]) -> None:
    desk, leaf = _issuing()
    _change, made = desk.certificate(**leaf)
    change, again = desk.certificate(**{**leaf, **wish})
    assert reasons(change) == expected
    assert (again["serial"] == made["serial"]) is not bool(expected)
    assert desk.text("www.pem") == again["certificate"]


def test_another_issuer_of_the_same_name_signs_anew() -> None:
    """Root (key 0) -> www, then Root (key 1) is the issuer. The names are the same, the key identifiers are not."""
    first, second = authority(name="Root"), authority(name="Root", which=1)
    options: dict[str, Any] = {"csr_content": csr(), "profile": "client", "path": "www.pem"}
    desk = Desk(first.key)
    desk.certificate(ca_content=certificates.certificate_pem(first.certificate), **options)
    desk.signer = second.key
    change, _made = desk.certificate(ca_content=certificates.certificate_pem(second.certificate), **options)
    assert reasons(change) == ["another issuer", "another AuthorityKeyIdentifier"]


def test_another_kind_of_signature_signs_anew() -> None:
    desk = Desk(key("rsa-2048"))
    desk.certificate(**ROOT)
    change, _made = desk.certificate(**ROOT, rsa_pss=True)
    assert reasons(change) == ["another signature algorithm"]
    assert not desk.certificate(**ROOT, rsa_pss=True)[0].needed


def test_what_ends_with_its_issuer_is_not_renewed_in_vain() -> None:
    """Root (20 days left) -> www (ends with Root): in its renewal window, and a new one would not live longer."""
    desk, leaf = _issuing()
    desk.now = NOW + timedelta(days=3630)
    _change, made = desk.certificate(**leaf)
    assert made["not_after"] == "2036-10-29T12:00:00+00:00"
    assert not desk.certificate(**leaf)[0].needed


def test_a_root_is_renewed_with_its_key_and_name() -> None:
    desk = Desk(key("ec-p256"))
    _change, old = desk.certificate(**ROOT)
    desk.now = NOW + timedelta(days=3625)
    change, new = desk.certificate(**ROOT)
    assert reasons(change) == ["due"]
    assert new["serial"] != old["serial"]
    keys = {certificates.load_certificate(each["certificate"]).public_key().public_numbers() for each in (old, new)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("other_key", "options", "message"),
    [
        (True, {}, r"with another public key\."),
        (False, {"common_name": "Other"}, r"with another subject\."),
        (True, {"common_name": "Other"}, r"with another public key and another subject\."),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_root_is_never_replaced_by_another(
    other_key: bool, options: dict[str, Any], message: str, force: bool
) -> None:
    desk = Desk(key("ec-p256"))
    desk.certificate(**ROOT)
    before = dict(desk.contents)
    desk.signer = key("ec-p256", 1) if other_key else desk.signer
    with pytest.raises(StateError, match=message):
        desk.certificate(**{**ROOT, **options, "force": force})
    assert desk.contents == before


def test_a_token_that_hides_public_keys_is_logged_in_to_except_in_check_mode() -> None:
    desk = Desk(key("ec-p256"), hidden=True)
    desk.certificate(**ROOT)
    assert desk.logins == 1
    assert not desk.certificate(**ROOT, check=True)[0].needed
    assert desk.logins == 1
    assert not desk.certificate(**ROOT)[0].needed
    assert desk.logins == 2
    desk.signer = key("ec-p256", 1)
    with pytest.raises(StateError, match="another public key"):
        desk.certificate(**ROOT)


def test_the_mode_is_put_right_without_a_login() -> None:
    desk, leaf = _issuing()
    desk.certificate(**leaf)
    content, _mode = desk.contents[Path("www.pem")]
    desk.contents[Path("www.pem")] = (content, 0o600)
    logins = desk.logins
    change, _result = desk.certificate(**leaf)
    assert (change.before["mode"], change.after["mode"]) == ("0600", "0644")
    assert desk.contents[Path("www.pem")] == (content, 0o644)
    assert not desk.certificate(**{**leaf, "mode": 0o644})[0].needed
    assert desk.logins == logins


def test_content_alone_is_enough() -> None:
    desk, leaf = _issuing()
    files = dict(desk.contents)
    _change, made = desk.certificate(**{**leaf, "path": None, "certificate_content": ""})
    change, again = desk.certificate(**{**leaf, "path": None, "certificate_content": made["certificate"]})
    assert (change.needed, again) == (False, made)
    assert desk.contents == files


def test_check_mode_tells_and_touches_nothing() -> None:
    desk = Desk(key("ec-p256"))
    change, result = desk.certificate(check=True, **ROOT)
    assert (change.needed, result["certificate"], result["serial"]) == (True, "", None)
    waiting: dict[str, Any] = {"ca_path": "ca.pem", "csr_path": "www.csr", "profile": "client", "path": "www.pem"}
    change, result = desk.certificate(check=True, **waiting)
    assert reasons(change) == ["what it is signed from is not there yet"]
    assert (desk.logins, desk.contents) == (0, {})
    with pytest.raises(InputError, match=r"The option 'csr_path' \(www.csr\): there is no such file\."):
        desk.certificate(**waiting)


def test_a_path_length_lets_an_intermediate_issue() -> None:
    """Root (path length 1) -> VPN (0) -> www."""
    desk, _leaf = _issuing(path_length=1)
    middle: dict[str, Any] = {
        "ca_path": "ca.pem",
        "csr_content": csr(name="VPN", which=8),
        "profile": "ca",
        "path": "vpn.pem",
    }
    _change, made = desk.certificate(**middle, permitted_dns=["Example.net"])
    certificate = certificates.load_certificate(made["certificate"])
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints == x509.BasicConstraints(ca=True, path_length=0)
    below = Desk(key("ec-p256", 8))
    options: dict[str, Any] = {
        "ca_content": made["certificate"],
        "csr_content": csr(),
        "profile": "server",
        "path": "www.pem",
    }
    below.certificate(**options, dns_names=["*.example.net", "example.net"])
    with pytest.raises(StateError, match=r"may certify names in example\.net only, not 'badexample\.net'"):
        below.certificate(**options, dns_names=["badexample.net"])
    with pytest.raises(StateError, match="may not have authorities below it"):
        below.certificate(**{**options, "profile": "ca", "common_name": "Deep"})


def test_a_subtree_that_the_issuer_may_not_certify_is_refused() -> None:
    """CA (of another program, all of example.net but secret.example.net) -> www. Valid outside of secret only."""
    own = key("ec-p256")
    subtrees = [x509.DNSName("example.net")], [x509.DNSName("secret.example.net")]
    start, end = certificates.validity(NOW, days=3650)
    name = certificates.subject_of("Constrained")
    extensions = (x509.BasicConstraints(ca=True, path_length=None), x509.NameConstraints(*subtrees))
    builder = x509.CertificateBuilder(name, name, own.public_key(), 1, start, end)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    issuer = certificates.certificate_pem(builder.sign(own, hashes.SHA256()))
    options: dict[str, Any] = {"ca_content": issuer, "csr_content": csr(), "profile": "server"}
    assert Desk(own).certificate(**options, dns_names=["www.example.net"])[0].needed
    for outside in ("www.secret.example.net", "secret.example.net", "example.org"):
        with pytest.raises(StateError, match=rf"may certify names in example\.net only, not '{outside}'"):
            Desk(own).certificate(**options, dns_names=[outside])


@pytest.mark.parametrize(("length", "allowed"), [(0, True), (1, False), (-1, False)])
def test_a_path_length_ends_below_that_of_the_issuer(length: int, allowed: bool) -> None:
    desk, _leaf = _issuing(path_length=1)
    options: dict[str, Any] = {"ca_path": "ca.pem", "csr_content": csr(name="VPN"), "profile": "ca", "path": "vpn.pem"}
    if allowed:
        assert desk.certificate(**options, path_length=length)[0].needed
    else:
        with pytest.raises(StateError, match="Give a 'path_length' from 0 to 0"):
            desk.certificate(**options, path_length=length)


def test_no_limit_below_an_issuer_without_a_limit() -> None:
    desk, _leaf = _issuing(path_length=-1)
    options: dict[str, Any] = {"ca_path": "ca.pem", "csr_content": csr(name="VPN"), "profile": "ca", "path": "vpn.pem"}
    _change, made = desk.certificate(**options, path_length=-1)
    constraints = certificates.load_certificate(made["certificate"]).extensions
    assert constraints.get_extension_for_class(x509.BasicConstraints).value.path_length is None


def _pem(of: Authority) -> str:
    return certificates.certificate_pem(of.certificate)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"csr_content": "garbage"}, r"The option 'csr_content': The CSR cannot be read"),
    ({"csr_content": ""}, r"The option 'csr_content': there is nothing in it\."),
    ({"csr_content": None}, r"There is no CSR to sign\. Give 'csr_path' or 'csr_content'\."),
    ({"ca_content": None}, r"There is no certificate of the issuer\. Give 'ca_path' or 'ca_content'\."),
    ({"ca_content": "garbage"}, r"The option 'ca_content': One certificate in PEM was expected, and there are 0"),
    ({"self_signed": True}, r"made from the key in the token alone"),
    ({"profile": None}, r"The option 'profile' is missing"),
    ({"profile": "ca"}, r"The option 'dns_names' is not for the profile 'ca'"),
    ({"permitted_dns": ["example.net"]}, r"The option 'permitted_dns' is not for the profile 'server'"),
    ({"path_length": 1}, r"The option 'path_length' is not for the profile 'server'"),
    ({"profile": "ca", "dns_names": [], "path_length": -2}, r"Give 0 or more; -1 for no limit"),
    ({"validity_days": 0}, r"'validity_days' must be 1 or more"),
    ({"validity_days": 36526}, r"'validity_days' must be 36525 at most"),
    ({"validity_days": 30}, r"'renewal_days' must be from 0 to 29"),
    ({"renewal_days": -1}, r"'renewal_days' must be from 0 to 364"),
    ({"rsa_pss": True}, r"RSA-PSS was asked of a key of the kind ec-p256"),
    ({"common_name": "a\nb"}, r"The common name holds the control character"),
    ({"common_name": "x" * 65}, r"must have 1 to 64 characters"),
    ({"common_name": " "}, r"must have 1 to 64 characters"),
    ({"common_name": "Root"}, r"would have the name of its issuer, 'Root'"),
    ({"csr_content": csr(name=None)}, r"Give the option 'common_name'"),
    ({"dns_names": ["a b"]}, r"'dns_names' holds 'a b', which is not a DNS name"),
    ({"dns_names": ["münchen.example"]}, r"which is not a DNS name"),
    ({"dns_names": ["x" * 64]}, r"which is not a DNS name"),
    ({"dns_names": [""]}, r"which is not a DNS name"),
    ({"crl_urls": ["pki.example.net"]}, r"'crl_urls' holds 'pki\.example\.net', which is not a URL"),
    ({"issuer_urls": ["http://x y"]}, r"'issuer_urls' holds 'http://x y', which is not a URL"),
    ({"mode": "0666"}, r"The option 'mode' is '0666'"),
    ({"mode": "u=rw"}, r"The option 'mode' is 'u=rw'"),
    ({"mode": 644}, r"The option 'mode' is '1204'"),
    ({"path": "/sealed/www.pem"}, r"Cannot write /sealed/www\.pem"),
    ({"path": None, "certificate_content": "garbage"}, r"'certificate_content' holds something that cannot be read"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input_is_refused_before_anybody_logs_in(options: dict[str, Any], message: str) -> None:
    desk, leaf = _issuing()
    files, logins = dict(desk.contents), desk.logins
    with pytest.raises(CollectionError, match=message):
        desk.certificate(**{**leaf, **options})
    assert (desk.contents, desk.logins) == (files, logins)


def test_a_leaf_is_not_self_signed() -> None:
    with pytest.raises(InputError, match="of the profile 'server' is not self-signed"):
        Desk(key("ec-p256")).certificate(**ROOT, profile="server")


def test_an_issuer_that_is_no_authority_is_refused() -> None:
    """Test CA -> alice -> www. Invalid: alice is no authority."""
    alice = certificates.certificate_pem(device(authority(), days=300))
    desk = Desk(key("ec-p256", 7))
    with pytest.raises(StateError, match="'alice@laptop' is not that of an authority"):
        desk.certificate(ca_content=alice, csr_content=csr(), profile="server")
    assert desk.logins == 0


def test_an_issuer_that_may_not_sign_certificates_is_refused() -> None:
    """CA (key usage cRLSign only) -> www. Invalid."""
    weak, own = replace(profiles.CA, key_usages=("crl_sign",)), key("ec-p256")
    start, end = certificates.validity(NOW, days=3650)
    spec = certificates.CertificateSpec("Weak", weak, own.public_key(), 1, start, end)
    issuer = Authority(own, certificates.build_certificate(spec, issuer_key=own))
    desk = Desk(own)
    with pytest.raises(StateError, match="does not allow key_cert_sign"):
        desk.certificate(ca_content=_pem(issuer), csr_content=csr(), profile="server")
    assert desk.logins == 0


def test_an_expired_issuer_signs_nothing() -> None:
    desk, leaf = _issuing()
    desk.now = NOW + timedelta(days=4000)
    for check in (True, False):
        with pytest.raises(StateError, match="The certificate of the issuer 'Root' is valid from"):
            desk.certificate(**leaf, check=check)
    assert Path("www.pem") not in desk.contents


def test_a_key_that_is_not_the_issuers_signs_nothing() -> None:
    desk, leaf = _issuing()
    desk.signer = key("ec-p256", 1)
    with pytest.raises(StateError, match="does not belong to the public key"):
        desk.certificate(**leaf)
    assert Path("www.pem") not in desk.contents


def test_a_wrong_signature_of_the_token_is_not_used() -> None:
    desk, leaf = _issuing()
    desk.liar = key("ec-p256", 1)
    with pytest.raises(StateError, match="does not bear the signature of 'Root'"):
        desk.certificate(**leaf)
    assert Path("www.pem") not in desk.contents


@pytest.mark.parametrize("content", [b"-----BEGIN PRIVATE KEY-----", b"\xff\xfe", b""])
def test_something_else_at_the_path_is_not_overwritten(content: bytes) -> None:
    desk, leaf = _issuing()
    desk.contents[Path("www.pem")] = (content, 0o600)
    with pytest.raises(InputError, match=r"www\.pem holds something that cannot be read as one certificate"):
        desk.certificate(**{**leaf, "force": True})
    assert desk.contents[Path("www.pem")] == (content, 0o600)


def test_the_diff_shows_facts_and_reasons() -> None:
    desk, leaf = _issuing()
    _change, made = desk.certificate(**leaf)
    change, _new = desk.certificate(**leaf, force=True)
    assert change.before["serial"] == made["serial"]
    assert change.before["dns_names"] == change.after["dns_names"] == ["www.example.net"]
    assert change.before["profile"] == "server"
    assert "BEGIN" not in str(change.before) + str(change.after)
