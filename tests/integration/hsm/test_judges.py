"""What the authority signs, judged by programs that are not ours: pkilint, OpenSSL and GnuTLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from integration.hsm.authority import Authority, authority
from integration.hsm.judges import pkilint, run_program
from integration.softhsm import SoftToken, make_token

from ansible_collections.privatespace.gateway.plugins.module_utils._pki import profiles

KINDS = [("ec-p256", False), ("ec-p384", False), ("rsa-2048", False), ("rsa-2048", True), ("ed25519", False)]
ADDRESSES: dict[str, Any] = {
    "crl_urls": ("http://pki.example.net/ca.crl",),
    "issuer_urls": ("http://pki.example.net/ca.crt",),
}


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0]}{'-pss' if kind[1] else ''}")
def issued(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Authority, Any]]:
    """An authority of each kind, with a gateway, alice (revoked) and bob, and a CRL; in ``tmp_path``."""
    token: SoftToken = make_token(tmp_path / "softhsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.configuration))
    algorithm, pss = request.param
    with authority(token, tmp_path, algorithm=algorithm, pss=pss) as ca:
        ca.issue("gateway-cambridge", profiles.SERVER, dns_names=("cambridge.example.net",), **ADDRESSES)
        alice = ca.issue("alice@laptop", profiles.CLIENT)
        ca.issue("bob@phone", profiles.CLIENT, algorithm="ed25519")
        crl = ca.revoke(alice, number=2)
        (tmp_path / "crl.der").write_bytes(crl)
        yield ca, alice


LEAVES = ("gateway-cambridge", "alice@laptop", "bob@phone")


def test_everything_passes_every_judge(issued: tuple[Authority, Any]) -> None:
    """CA -> gateway, alice (revoked), bob. pkilint finds nothing; OpenSSL and GnuTLS accept all but alice."""
    ca, _alice = issued
    _pkilint_has_nothing_to_say(ca)
    _openssl_agrees(ca)
    _gnutls_agrees(ca)


def _pkilint_has_nothing_to_say(ca: Authority) -> None:
    for name in ("ca", *LEAVES):
        pkilint("lint_pkix_cert", f"{name}.crt", cwd=ca.folder)
    # pkilint 0.13.3 verifies every RSA signature of a chain as PKCS#1 v1.5; OpenSSL and GnuTLS verify those of PSS.
    for name in () if ca.pss else LEAVES:
        pkilint("lint_pkix_signer_signee_cert_chain", "ca.crt", f"{name}.crt", cwd=ca.folder)
    pkilint("lint_crl", "-t", "CRL", "-p", "PKIX", "crl.pem", cwd=ca.folder)


def _openssl_agrees(ca: Authority) -> None:
    verify = ("openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "-CRLfile", "crl.pem", "-crl_check_all")
    run_program(*verify, "-purpose", "sslserver", "gateway-cambridge.crt", cwd=ca.folder)
    run_program(*verify, "-purpose", "sslclient", "bob@phone.crt", cwd=ca.folder)
    assert "certificate revoked" in run_program(*verify, "alice@laptop.crt", cwd=ca.folder, fails=True)
    run_program(*verify, "-purpose", "sslserver", "bob@phone.crt", cwd=ca.folder, fails=True)
    assert "verify OK" in run_program("openssl", "crl", "-in", "crl.pem", "-CAfile", "ca.crt", "-noout", cwd=ca.folder)
    text = run_program("openssl", "crl", "-in", "crl.der", "-inform", "DER", "-noout", "-text", cwd=ca.folder)
    for expected in ("X509v3 CRL Number: \n                2", "Superseded", "Invalidity Date"):
        assert expected in text


def _gnutls_agrees(ca: Authority) -> None:
    judged = run_program(
        "certtool", "--verify-crl", "--load-ca-certificate", "ca.crt", "--infile", "crl.pem", cwd=ca.folder
    )
    assert "Verification output: Verified." in judged
    chain = ca.write("chain.pem", (ca.folder / "bob@phone.crt").read_text() + (ca.folder / "ca.crt").read_text())
    assert "Chain verification output: Verified." in run_program(
        "certtool", "--verify-chain", "--infile", str(chain), cwd=ca.folder
    )


def test_serials_have_20_bytes_at_most_and_are_positive(issued: tuple[Authority, Any]) -> None:
    _ca, alice = issued
    assert 0 < alice.serial_number < 2**159
    assert len(alice.public_bytes(Encoding.DER)) > 0
