"""hsm_crl without a token: when a CRL is signed, what it lists, what is refused. NOW stands still."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from unit.pki.authority import NOW, Authority, authority, device, key
from unit.pki_standalone.desk import Desk, reasons

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    build_crl,
    crl_to_pem,
    load_crl,
    verify_crl,
)

KINDS = [("ec-p256", False), ("ec-p384", False), ("rsa-2048", False), ("rsa-2048", True), ("ed25519", False)]
FILES: dict[str, Any] = {"path": "ca.crl.pem", "der_path": "ca.crl"}


def _ca(of: Authority | None = None) -> tuple[Desk, dict[str, Any]]:
    """A desk with the key of an authority, and the options that name it and both files."""
    issuer = of or authority()
    return Desk(issuer.key), {"ca_content": certificates.certificate_pem(issuer.certificate), **FILES}


def _listed(desk: Desk, path: str = "ca.crl") -> dict[int, x509.RevokedCertificate]:
    crl = x509.load_der_x509_crl(desk.contents[Path(path)][0])
    return {revoked.serial_number: revoked for revoked in crl}


@pytest.mark.parametrize(("algorithm", "pss"), KINDS)
def test_every_kind_of_key_signs_once(algorithm: str, pss: bool) -> None:
    """Two entries, signed, then kept without a login."""
    issuer = authority(algorithm, pss=pss)
    desk, options = _ca(issuer)
    entries = ({"serial": "4660", "reason": "keyCompromise"}, {"serial": "0x1235"})
    change, made = desk.crl(*entries, **options, rsa_pss=pss)
    assert reasons(change) == ["the first"]
    verify_crl(desk.contents[Path("ca.crl")][0], issuer.certificate)
    assert sorted(_listed(desk)) == [4660, 4661]
    assert desk.text("ca.crl.pem") == made["crl"]
    assert (made["number"], made["revoked_count"], made["issuer"]) == (1, 2, "CN=Test CA")
    assert (made["this_update"], made["next_update"]) == ("2026-11-01T11:00:00+00:00", "2026-12-01T12:00:00+00:00")
    change, again = desk.crl(*reversed(entries), **options, rsa_pss=pss)
    assert (change.needed, again, desk.logins) == (False, made, 1)


def test_all_that_is_said_of_a_revocation_is_in_its_entry() -> None:
    desk, options = _ca()
    desk.crl(
        {
            "serial": "7",
            "reason": "cessationOfOperation",
            "revoked_at": "2026-10-31T13:30:00+02:00",
            "invalidity_date": "2026-10-01T00:00:00Z",
        },
        {"serial": "8", "reason": "unspecified"},
        **options,
    )
    entry = _listed(desk)[7]
    assert entry.revocation_date_utc.isoformat() == "2026-10-31T11:30:00+00:00"
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value == "cessationOfOperation"
    since = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
    assert since.invalidity_date_utc.isoformat() == "2026-10-01T00:00:00+00:00"
    assert not _listed(desk)[8].extensions
    extensions = x509.load_der_x509_crl(desk.contents[Path("ca.crl")][0]).extensions
    assert {type(extension.value).__name__ for extension in extensions} == {"CRLNumber", "AuthorityKeyIdentifier"}


def test_a_certificate_is_revoked_by_its_path_or_its_content() -> None:
    desk, options = _ca()
    alice, bob = (device(authority(), serial=serial) for serial in (21, 22))
    desk.contents[Path("alice.pem")] = (certificates.certificate_pem(alice).encode(), 0o644)
    entries = ({"certificate_path": "alice.pem"}, {"certificate_content": certificates.certificate_pem(bob)})
    desk.crl(*entries, **options)
    assert sorted(_listed(desk)) == [21, 22]


def test_a_certificate_of_another_issuer_is_refused() -> None:
    """Test CA (another key, the same name) -> alice. A serial means something under its own issuer only."""
    desk, options = _ca()
    stranger = certificates.certificate_pem(device(authority(which=1)))
    with pytest.raises(InputError, match=r"Entry 1 of 'revocations' is the certificate of 'alice@laptop', which"):
        desk.crl({"certificate_content": stranger}, **options)


def test_numbers_and_dates_only_rise() -> None:
    """Four CRLs in the same second: numbers 1 to 4, thisUpdate a second apart; the clock set back is an error."""
    desk, options = _ca()
    seen = [desk.crl(**options, force=True)[1] for _turn in range(4)]
    assert [each["number"] for each in seen] == [1, 2, 3, 4]
    assert [each["this_update"][14:19] for each in seen] == ["00:00", "00:01", "00:02", "00:03"]
    before, desk.now = dict(desk.contents), NOW - timedelta(hours=1)
    with pytest.raises(StateError, match="is behind the last CRL"):
        desk.crl(**options, force=True)
    assert desk.contents == before


def test_a_date_that_is_not_given_stays() -> None:
    desk, options = _ca()
    desk.crl({"serial": "7"}, **options)
    desk.now = NOW + timedelta(days=2)
    assert not desk.crl({"serial": "7"}, **options)[0].needed
    desk.crl({"serial": "7"}, {"serial": "8"}, **options)
    dates = {serial: entry.revocation_date_utc for serial, entry in _listed(desk).items()}
    assert dates == {7: NOW, 8: NOW + timedelta(days=2)}


OTHER_WISHES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"number": 1}, []),
    ({"number": 5}, ["another number"]),
    ({"force": True}, ["asked for"]),
    ({"renewal_days": 29}, []),
    ({"validity_days": 60, "renewal_days": 31}, ["due"]),
    ({"validity_days": 62}, ["due"]),
    ({"revocations": 2}, ["another list"]),
    ({"reason": "superseded"}, ["another list"]),
    ({"revoked_at": "2026-10-31T00:00:00Z"}, ["another list"]),
    ({"invalidity_date": "2026-10-31T00:00:00Z"}, ["another list"]),
]


@pytest.mark.parametrize(("wish", "expected"), OTHER_WISHES)
def test_it_is_signed_anew_for_a_reason_only(wish: dict[str, Any], expected: list[str]) -> None:
    desk, options = _ca()
    _change, made = desk.crl({"serial": "7"}, **options)
    entry_wish = {name: value for name, value in wish.items() if name in ("reason", "revoked_at", "invalidity_date")}
    entries = [{"serial": str(7 + count), **entry_wish} for count in range(wish.get("revocations", 1))]
    rest = {name: value for name, value in wish.items() if name not in entry_wish and name != "revocations"}
    change, again = desk.crl(*entries, **options, **rest)
    assert reasons(change) == expected
    assert again["number"] == (wish.get("number", 2) if expected else made["number"])
    assert load_crl(desk.contents[Path("ca.crl")][0]).number == again["number"]


def test_another_kind_of_signature_signs_anew() -> None:
    desk, options = _ca(authority("rsa-2048"))
    desk.crl(**options)
    assert reasons(desk.crl(**options, rsa_pss=True)[0]) == ["another signature algorithm"]
    assert not desk.crl(**options, rsa_pss=True)[0].needed


def test_a_crl_of_another_program_is_completed() -> None:
    """A CRL without number and key identifier, as other tools write them, is signed anew with both."""
    desk, options = _ca()
    issuer = authority()
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, NOW, NOW + timedelta(days=20))
    revoked = x509.RevokedCertificateBuilder(7, NOW, [x509.Extension(
        x509.CRLReason.oid, False, x509.CRLReason(x509.ReasonFlags.remove_from_crl)
    )]).build()  # fmt: skip
    signed = builder.add_revoked_certificate(revoked).sign(issuer.key, hashes.SHA256())
    desk.contents[Path("ca.crl")] = (signed.public_bytes(Encoding.DER), 0o644)
    desk.now = NOW + timedelta(hours=1)
    change, made = desk.crl({"serial": "7"}, **options)
    assert reasons(change) == ["another list", "it has no number or no key identifier"]
    assert (made["number"], made["this_update"]) == (1, "2026-11-01T12:00:01+00:00")


def test_a_crl_without_a_number_is_completed() -> None:
    """With a key identifier, and the dates and the list that are asked for."""
    desk, options = _ca()
    issuer = authority()
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, NOW, NOW + timedelta(days=30))
    pointer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    signed = builder.add_extension(pointer, critical=False).sign(issuer.key, hashes.SHA256())
    desk.contents[Path("ca.crl")] = (signed.public_bytes(Encoding.DER), 0o644)
    desk.now = NOW + timedelta(hours=1)
    assert reasons(desk.crl(**options)[0]) == ["it has no number or no key identifier"]


def test_the_mode_is_put_right_without_a_login() -> None:
    desk, options = _ca()
    desk.crl(**options)
    content, _mode = desk.contents[Path("ca.crl")]
    desk.contents[Path("ca.crl")] = (content, 0o600)
    change, _result = desk.crl(**options)
    assert change.before["files"] == {"path": "current, mode 0644", "der_path": "current, mode 0600"}
    assert desk.contents[Path("ca.crl")] == (content, 0o644)
    assert desk.logins == 1
    assert desk.crl(**options, mode="0640")[0].after["files"]["path"] == "current, mode 0640"


@pytest.mark.parametrize("missing", [*FILES, "both"])
def test_a_missing_file_is_written_again(missing: str) -> None:
    """One file is mended from the other one without a login; without either the first CRL is signed again."""
    desk, options = _ca()
    _change, made = desk.crl({"serial": "7"}, **options)
    for name, path in FILES.items():
        if missing in (name, "both"):
            del desk.contents[Path(path)]
    change, _again = desk.crl({"serial": "7"}, **options)
    assert change.needed
    assert desk.logins == (2 if missing == "both" else 1)
    if missing != "both":
        assert change.before["files"][missing] == "absent"
        assert change.after["files"][missing] == "current, mode 0644"
        assert desk.text("ca.crl.pem") == made["crl"]


def test_the_newest_of_two_files_counts() -> None:
    desk, options = _ca()
    desk.crl(**options)
    old = desk.contents[Path("ca.crl")]
    desk.crl({"serial": "7"}, **options)
    newest = desk.contents[Path("ca.crl")]
    desk.contents[Path("ca.crl")] = old
    change, result = desk.crl({"serial": "7"}, **options)
    assert (change.steps, result["number"]) == (("write",), 2)
    assert desk.contents[Path("ca.crl")] == newest


def test_content_alone_is_enough() -> None:
    desk, options = _ca()
    alone: dict[str, Any] = {"ca_content": options["ca_content"]}
    _change, made = desk.crl({"serial": "7"}, **alone, crl_content="")
    change, again = desk.crl({"serial": "7"}, **alone, crl_content=made["crl"])
    assert (change.needed, again, desk.contents) == (False, made, {})
    assert desk.crl({"serial": "7"}, {"serial": "8"}, **alone, crl_content=made["crl"])[1]["number"] == 2


def test_a_revocation_is_not_lost_by_a_shorter_list() -> None:
    desk, options = _ca()
    desk.crl(*({"serial": str(serial)} for serial in range(1, 31)), **options)
    before = dict(desk.contents)
    for force in (False, True):
        with pytest.raises(
            StateError, match=r"The CRL 1 lists 29 certificates that 'revocations' does not: 1, 2, 3,.*"
        ):
            desk.crl({"serial": "30"}, **options, force=force)
    with pytest.raises(StateError, match="19, 20 and 9 more"):
        desk.crl({"serial": "30"}, **options)
    assert desk.contents == before
    change, made = desk.crl({"serial": "30"}, **options, allow_removal=True)
    assert change.after["removed"].endswith("20 and 9 more")
    assert made["revoked_count"] == 1


def test_the_diff_names_what_is_added_and_altered() -> None:
    desk, options = _ca()
    desk.crl({"serial": "7"}, **options)
    change, _made = desk.crl({"serial": "7", "reason": "superseded"}, {"serial": "8"}, **options)
    assert (change.after["altered"], change.after["added"]) == ("7", "8")
    assert "removed" not in change.after
    assert (change.before["number"], change.before["revoked_count"], change.after["revoked_count"]) == (1, 1, 2)


def test_check_mode_tells_and_touches_nothing() -> None:
    desk, options = _ca()
    change, result = desk.crl({"serial": "7"}, **options, check=True)
    assert (change.needed, result["crl"], result["number"]) == (True, "", None)
    change, _result = desk.crl(ca_path="later.pem", **FILES, check=True)
    assert change.needed
    assert (desk.logins, desk.contents) == (0, {})
    with pytest.raises(InputError, match=r"'ca_path' \(later.pem\): there is no such file"):
        desk.crl(ca_path="later.pem", **FILES)


def test_a_run_that_waited_for_the_token_looks_again() -> None:
    """Another run signs between the decision and the login: the number rises above its own, nothing is lost."""
    desk, options = _ca()
    desk.crl(**options)

    class Late(Desk):
        def open_key(self, public_key: Any) -> Any:
            if self.logins == 0:
                self.logins = 1
                desk.crl({"serial": "7"}, **options)
            return super().open_key(public_key)

    late = Late(desk.signer, contents=desk.contents)
    with pytest.raises(StateError, match="lists 1 certificates that 'revocations' does not: 7"):
        late.crl({"serial": "8"}, **options)
    late.logins = 0
    assert late.crl({"serial": "7"}, {"serial": "8"}, **options)[1]["number"] == 3


BAD: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([{"serial": "7"}, {"serial": "8"}, {"serial": "0x7"}], {}, r"The serial 7 stands twice .*as entries 1 and 3"),
    ([{"serial": "0"}], {}, r"Entry 1 of 'revocations' has the serial '0'"),
    ([{"serial": "-1"}], {}, r"has the serial '-1'"),
    ([{"serial": "a1"}], {}, r"has the serial 'a1'"),
    ([{"serial": "0x"}], {}, r"has the serial '0x'"),
    ([{"serial": str(2**160)}], {}, r"a positive number of at most 20 bytes"),
    ([{"serial": "9" * 5000}], {}, r"a positive number of at most 20 bytes"),
    ([{"serial": "7", "revoked_at": "yesterday"}], {}, r"The 'revoked_at' in entry 1 .*is 'yesterday', which is no"),
    ([{"serial": "7", "revoked_at": "1887-01-01"}], {}, r"is '1887-01-01', which is no usable date"),
    ([{"serial": "7", "revoked_at": "0001-01-01T00:00:00+23:00"}], {}, r"which is no usable date"),
    ([{"serial": "7", "revoked_at": "2026-11-01T14:00:00Z"}], {}, r"is in the future: 2026-11-01T14:00:00\+00:00"),
    ([{"serial": "7", "invalidity_date": "2030-01-01"}], {}, r"The 'invalidity_date' in entry 1 .*is in the future"),
    ([{"certificate_path": "x.pem"}], {}, r"Entry 1 of 'revocations', 'certificate_path' \(x\.pem\): there is no such"),
    ([{"certificate_content": "garbage"}], {}, r"'certificate_content': One certificate in PEM was expected"),
    ([], {"ca_content": "garbage"}, r"The option 'ca_content': One certificate in PEM was expected"),
    ([], {"validity_days": 0}, r"'validity_days' must be 1 or more"),
    ([], {"validity_days": 10**9}, r"'validity_days' must be 36525 at most"),
    ([], {"renewal_days": 30}, r"'renewal_days' must be from 0 to 29"),
    ([], {"number": 0}, r"The option 'number' must be 1 or more"),
    ([], {"number": 2**159}, r"The option 'number' must be 1 or more, and fit into 20 bytes"),
    ([], {"number": 2}, r"The CRL number 2 was asked for, and the CRL before has 3"),
    ([], {"number": 3, "force": True}, r"The CRL number 3 was asked for, and the CRL before has 3"),
    ([], {"rsa_pss": True}, r"RSA-PSS was asked of a key of the kind ec-p256"),
    ([], {"mode": "0777"}, r"The option 'mode' is '0777'"),
    ([], {"der_path": "/sealed/ca.crl"}, r"Cannot write /sealed/ca\.crl"),
]


@pytest.mark.parametrize(("entries", "wish", "message"), BAD)
def test_bad_input_is_refused_before_anybody_logs_in(
    entries: list[dict[str, Any]], wish: dict[str, Any], message: str
) -> None:
    desk, options = _ca()
    desk.crl(**options, number=3)
    files = dict(desk.contents)
    with pytest.raises(CollectionError, match=message):
        desk.crl(*entries, **{**options, **wish})
    assert (desk.contents, desk.logins) == (files, 1)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("ca.crl.pem", b"-----BEGIN PRIVATE KEY-----", r"ca\.crl\.pem: One CRL in PEM was expected, and there are 0"),
        ("ca.crl", b"-----BEGIN PRIVATE KEY-----", r"ca\.crl holds something else than a CRL of 'Test CA'"),
        ("ca.crl", b"0\x03\x02\x01\x00", r"ca\.crl holds something else than a CRL of 'Test CA'"),
    ],
)
def test_something_else_in_a_file_is_not_overwritten(path: str, content: bytes, message: str) -> None:
    desk, options = _ca()
    desk.contents[Path(path)] = (content, 0o600)
    with pytest.raises(CollectionError, match=message):
        desk.crl(**options, force=True, allow_removal=True)
    assert desk.contents == {Path(path): (content, 0o600)}


def test_the_crl_of_another_authority_is_not_replaced() -> None:
    """Test CA (another key, the same name) signed the CRL at the path."""
    desk, options = _ca()
    other = authority(which=1)
    dates: dict[str, Any] = {"this_update": NOW, "next_update": NOW + timedelta(days=9)}
    der = build_crl([], issuer_certificate=other.certificate, issuer_key=other.key, number=9, **dates)
    desk.contents[Path("ca.crl.pem")] = (crl_to_pem(der), 0o644)
    with pytest.raises(StateError, match="signed with another key of 'Test CA'"):
        desk.crl(**options, force=True)


def test_an_issuer_that_is_no_authority_is_refused() -> None:
    alice = certificates.certificate_pem(device(authority(), days=300))
    desk = Desk(key("ec-p256", 7))
    with pytest.raises(StateError, match="'alice@laptop' is not that of an authority"):
        desk.crl(ca_content=alice, **FILES)
    assert desk.logins == 0


def test_an_issuer_that_may_not_sign_crls_is_refused() -> None:
    """CA (key usage keyCertSign only). Invalid as an issuer of CRLs."""
    weak, own = replace(profiles.CA, key_usages=("key_cert_sign",)), key("ec-p256")
    start, end = certificates.validity(NOW, days=3650)
    spec = certificates.CertificateSpec("Weak", weak, own.public_key(), 1, start, end)
    pem = certificates.certificate_pem(certificates.build_certificate(spec, issuer_key=own))
    desk = Desk(own)
    with pytest.raises(StateError, match="does not allow crl_sign"):
        desk.crl(ca_content=pem, **FILES)
    assert desk.logins == 0


def test_a_wrong_signature_of_the_token_is_not_used() -> None:
    desk, options = _ca()
    desk.liar = key("ec-p256", 1)
    with pytest.raises(StateError, match=r"signature .*'Test CA'"):
        desk.crl(**options)
    assert desk.contents == {}


def test_an_expired_issuer_signs_nothing() -> None:
    desk, options = _ca()
    desk.now = NOW + timedelta(days=4000)
    with pytest.raises(StateError, match="The certificate of the issuer 'Test CA' is valid from"):
        desk.crl(**options)
    assert desk.contents == {}


def test_a_key_that_is_not_the_issuers_signs_nothing() -> None:
    desk, options = _ca()
    desk.signer = key("ec-p256", 1)
    with pytest.raises(StateError, match="does not belong to the public key"):
        desk.crl(**options)
    assert desk.contents == {}
