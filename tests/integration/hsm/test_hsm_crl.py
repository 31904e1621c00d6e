"""The module hsm_crl against a real SoftHSM token, judged by pkilint, OpenSSL and GnuTLS."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from integration.hsm.authority import authority
from integration.hsm.judges import pkilint, run_program
from integration.run_module import ModuleResult, RunModule
from integration.softhsm import SoftToken

from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles

KINDS = [("ec-p384", False), ("rsa-2048", False), ("rsa-2048", True), ("rsa-3072", True), ("ed25519", False)]
FILES = ("crl.pem", "crl.der")
VERIFY = ("openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "-CRLfile", "crl.pem", "-crl_check_all")


def _authority(token: SoftToken, folder: Path, *, algorithm: str = "ec-p256", pss: bool = False) -> tuple[Any, Any]:
    """An authority in the token with alice and bob, as ``ca.crt``, ``alice.crt`` and ``bob.crt``."""
    with authority(token, folder, algorithm=algorithm, pss=pss) as ca:
        return ca.issue("alice", profiles.CLIENT), ca.issue("bob", profiles.CLIENT)


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = [folder / name for name in FILES if (folder / name).exists()]
    return {path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in paths}


@pytest.fixture
def sign(run_module: RunModule, soft_token: SoftToken, tmp_path: Path) -> Any:
    """A function that runs the module with both files in ``tmp_path``; the PIN must be in no output."""

    def runner(
        *revocations: dict[str, str], check: bool = False, diff: bool = False, fails: bool = False, **options: Any
    ) -> ModuleResult:
        files = {"path": str(tmp_path / "crl.pem"), "der_path": str(tmp_path / "crl.der")}
        values = {**soft_token.options, "ca_path": str(tmp_path / "ca.crt"), **files, **options}
        given = {name: value for name, value in values.items() if value is not None}
        arguments = {"revocations": list(revocations), **given}
        result = run_module("hsm_crl", arguments, check=check, diff=diff, fails=fails)
        assert soft_token.pin not in result.output
        return result

    return runner


def _every_judge_accepts(folder: Path) -> None:
    """The CRL is complete, bob is accepted, and alice is revoked."""
    pkilint("lint_crl", "-t", "CRL", "-p", "PKIX", "crl.pem", cwd=folder)
    run_program(*VERIFY, "bob.crt", cwd=folder)
    assert "certificate revoked" in run_program(*VERIFY, "alice.crt", cwd=folder, fails=True)
    for form in ("PEM", "DER"):
        name = f"crl.{form.lower()}"
        text = run_program(
            "openssl", "crl", "-in", name, "-inform", form, "-CAfile", "ca.crt", "-noout", "-text", cwd=folder
        )
        for expected in ("verify OK", "CRL Number", "Authority Key Identifier", "Key Compromise", "Invalidity Date"):
            assert expected in text
    judge = ("certtool", "--verify-crl", "--load-ca-certificate", "ca.crt", "--infile", "crl.pem")
    assert "Verification output: Verified." in run_program(*judge, cwd=folder)


REVOKED = {"reason": "keyCompromise", "invalidity_date": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(("algorithm", "pss"), KINDS, ids=str)
def test_every_kind_of_key_signs_what_every_judge_accepts(
    sign: Any, soft_token: SoftToken, tmp_path: Path, algorithm: str, pss: bool
) -> None:
    """CA -> alice (revoked) and bob."""
    _authority(soft_token, tmp_path, algorithm=algorithm, pss=pss)
    made = sign({"certificate_path": str(tmp_path / "alice.crt"), **REVOKED}, rsa_pss=pss)
    assert made.changed
    _every_judge_accepts(tmp_path)
    assert ("rsassaPss" in run_program("openssl", "crl", "-in", "crl.pem", "-noout", "-text", cwd=tmp_path)) is pss


def test_check_real_check_real(sign: Any, soft_token: SoftToken, tmp_path: Path) -> None:
    """It is told before, signed once, never again; then one more entry, a missing file, and force."""
    alice, bob = _authority(soft_token, tmp_path)
    entry = {"serial": hex(alice.serial_number), **REVOKED}
    planned = sign(entry, check=True, diff=True, hsm_pin="not-the-pin")
    assert (planned.changed, planned["crl"], planned["number"]) == (True, "", None)
    assert '"the first"' in planned["diff"]["after"]
    assert _files(tmp_path) == {}

    made = sign(entry, diff=True)
    assert (made.changed, made["number"], made["revoked_count"]) == (True, 1, 1)
    _every_judge_accepts(tmp_path)
    files = _files(tmp_path)
    assert {mode for _content, mode in files.values()} == {0o644}
    assert files["crl.pem"][0].decode() == made["crl"]
    assert str(alice.serial_number) in made["diff"]["after"]
    assert made["this_update"] < datetime.now(UTC).isoformat() < made["next_update"]
    for check in (True, False):
        again = sign({**entry, "serial": str(alice.serial_number)}, check=check, hsm_pin="not-the-pin")
        assert (again.changed, again["fingerprint"]) == (False, made["fingerprint"])
    assert _files(tmp_path) == files

    more = sign(entry, {"certificate_path": str(tmp_path / "bob.crt"), "reason": "superseded"})
    assert (more["number"], more["revoked_count"]) == (2, 2)
    assert more["this_update"] > made["this_update"]
    (tmp_path / "crl.der").unlink()
    mended = sign(entry, {"serial": str(bob.serial_number), "reason": "superseded"}, hsm_pin="not-the-pin")
    assert (mended.changed, mended["number"]) == (True, 2)
    assert len(x509.load_der_x509_crl((tmp_path / "crl.der").read_bytes())) == 2


def test_content_alone_writes_nothing(sign: Any, soft_token: SoftToken, tmp_path: Path) -> None:
    _authority(soft_token, tmp_path)
    alone: dict[str, Any] = {"path": None, "der_path": None}
    first = sign(**alone)
    assert (first["number"], first["revoked_count"]) == (1, 0)
    assert not sign(**alone, crl_content=first["crl"]).changed
    assert sign({"serial": "7"}, **alone, crl_content=first["crl"])["number"] == 2
    assert _files(tmp_path) == {}


def test_what_would_let_somebody_back_in_is_refused(sign: Any, soft_token: SoftToken, tmp_path: Path) -> None:
    """... until it is asked for by name; numbers never go back."""
    _authority(soft_token, tmp_path)
    sign({"serial": "7"}, {"serial": "8"}, number=5)
    files = _files(tmp_path)
    refused = sign({"serial": "7"}, force=True, fails=True)
    assert refused.message == (
        "The CRL 5 lists 1 certificates that 'revocations' does not: 8. Without its entry a certificate is accepted "
        "again. Put it back into the list; or, if it has expired or is to be accepted again, set 'allow_removal: true'."
    )
    back = sign({"serial": "7"}, {"serial": "8"}, number=4, fails=True)
    assert "The CRL number 4 was asked for, and the CRL before has 5" in back.message
    assert _files(tmp_path) == files
    removed = sign({"serial": "7"}, allow_removal=True, diff=True)
    assert (removed["number"], removed["revoked_count"]) == (6, 1)
    assert '"removed": "8"' in removed["diff"]["after"]


def test_bad_input_touches_nothing(sign: Any, soft_token: SoftToken, tmp_path: Path) -> None:
    """Each is refused with its reason, and the CRL that is there stays as it is."""
    _authority(soft_token, tmp_path)
    sign({"serial": "7"})
    alice = (tmp_path / "alice.crt").read_text()
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    seven = {"serial": "7"}
    bad: list[tuple[list[dict[str, str]], dict[str, Any], str]] = [
        ([seven, {"serial": "0x7"}], {}, "The serial 7 stands twice in 'revocations', as entries 1 and 2."),
        ([{"serial": "seven"}], {}, "Entry 1 of 'revocations' has the serial 'seven'"),
        ([{"serial": "7", "certificate_content": alice}], {}, "mutually exclusive"),
        ([{"reason": "superseded"}], {}, "one of the following is required: serial, certificate_path"),
        ([{"serial": "7", "reason": "boredom"}], {}, "value of reason must be one of"),
        ([{"serial": "7", "revoked_at": "tomorrow"}], {}, "is 'tomorrow', which is no usable date."),
        ([seven], {"ca_path": None, "ca_content": alice}, "The certificate of 'alice' is not that of an authority."),
        ([seven], {"ca_path": None, "ca_content": "garbage"}, "The option 'ca_content': One certificate in PEM"),
        ([seven], {"rsa_pss": True}, "RSA-PSS was asked of a key of the kind ec-p256."),
        ([seven], {"path": "/nonexistent/crl.pem"}, "Cannot write /nonexistent/crl.pem: there is no folder"),
        ([seven], {"path": str(tmp_path / "key.pem")}, "One CRL in PEM was expected, and there are 0. It is not over"),
        ([seven], {"der_path": str(tmp_path / "key.pem")}, "holds something else than a CRL of 'Test CA'"),
        ([seven], {"force": True, "hsm_pin": "not-the-pin"}, "The PIN of the token 'privatespace' is wrong."),
    ]
    files = _files(tmp_path)
    for entries, options, message in bad:
        assert message in sign(*entries, **options, fails=True).message
        assert _files(tmp_path) == files


def test_an_issuer_that_has_expired_or_is_another_signs_nothing(
    sign: Any, soft_token: SoftToken, tmp_path: Path
) -> None:
    """A root whose life is over, and one of the same name whose key is not in the token."""
    now = datetime.now(UTC)
    with authority(soft_token, tmp_path) as ca:
        spec = certificates.CertificateSpec(
            "Test CA", profiles.CA, ca.key.public_key(), 1, now - timedelta(days=9), now - timedelta(days=1)
        )
        old = certificates.certificate_pem(certificates.build_certificate(spec, issuer_key=ca.key))
        ca.issue("stranger", profiles.CA)
    refused = sign(ca_path=None, ca_content=old, fails=True)
    assert refused.message.startswith("The certificate of the issuer 'Test CA' is valid from")
    refused = sign(ca_path=str(tmp_path / "stranger.crt"), fails=True)
    assert "The private key in the token does not belong to the public key" in refused.message
    assert _files(tmp_path) == {}
