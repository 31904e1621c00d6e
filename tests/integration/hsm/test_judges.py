"""Everything that an authority signs, judged by programs that are not ours: pkilint, OpenSSL and GnuTLS.

Every profile, bare and with all that it can hold, by every kind of key; a CRL with every reason, and an empty one.
All of it is signed once, in a token, and then judged as files.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.hsm.authority import opened, self_signed
from integration.hsm.judges import run_program
from integration.softhsm import make_token
from pkilint.bin import lint_crl, lint_pkix_cert, lint_pkix_signer_signee_cert_chain

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Token
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import profiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Reason,
    Revocation,
)

Kind = tuple[str, bool]
KINDS: tuple[Kind, ...] = (*((name, False) for name in ALGORITHM_NAMES), ("rsa-2048", True), ("rsa-3072", True))
ROOT = replace(profiles.CA, path_length=1)
ADDRESSES: dict[str, Any] = {
    "crl_urls": ("http://pki.example.net/ca.crl", "http://pki2.example.net/ca.crl"),
    "issuer_urls": ("http://pki.example.net/ca.crt",),
}
NAMES = ("cambridge.example.net", "cambridge2.example.net")
PURPOSES = {
    "client": "sslclient",
    "client-full": "sslclient",
    "server": "sslserver",
    "server-full": "sslserver",
}
AUTHORITIES = ("issuer", "issuer-full")
CRLS = ("empty", "reasons")
LARGE_NUMBER = 2**100


@dataclass(frozen=True)
class Signed:
    """The folder with all that one authority signed, and what is revoked there."""

    folder: Path
    pss: bool
    revoked: Any

    def judge(self, *command: str, fails: bool = False) -> str:
        return run_program(*command, cwd=self.folder, fails=fails)


def _sign_everything(token: Token, folder: Path, kind: Kind) -> Signed:
    algorithm, pss = kind
    folder.mkdir()
    key = token.find_key(algorithm) or token.generate_key(algorithm, algorithm)
    ca = self_signed(key, folder, pss=pss, profile=ROOT)
    ca.issue("client", profiles.CLIENT)
    ca.issue("client-full", profiles.CLIENT, algorithm="ed25519", **ADDRESSES)
    ca.issue("server", profiles.SERVER)
    ca.issue("server-full", profiles.SERVER, algorithm="ec-p384", dns_names=NAMES, **ADDRESSES)
    ca.issue("issuer", profiles.CA)
    ca.issue("issuer-full", profiles.CA, permitted_dns=("example.net", "example.org"), **ADDRESSES)
    revoked = ca.issue("revoked", profiles.CLIENT)
    ca.publish([], number=1, name="empty.pem")
    ca.publish(_every_reason(revoked.serial_number), number=LARGE_NUMBER, name="reasons.pem")
    return Signed(folder, pss, revoked)


def _every_reason(serial: int) -> list[Revocation]:
    """An entry of each reason, with and without an invalidity date; the first one is of that serial."""
    now = datetime.now(UTC)
    dates = (None, now - timedelta(days=30))
    pairs = [(reason, date) for reason in Reason for date in dates]
    return [Revocation(serial + number, now, *pair) for number, pair in enumerate(pairs)]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Signed]:
    """What every kind of key signed, in one session of one token."""
    folder = tmp_path_factory.mktemp("judges")
    soft_token = make_token(folder / "softhsm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(soft_token.configuration))
        with opened(soft_token) as token:
            return {kind: _sign_everything(token, folder / "-".join(map(str, kind)), kind) for kind in KINDS}


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0]}{'-pss' if kind[1] else ''}")
def signed(request: Any, everything: dict[Kind, Signed]) -> Signed:
    return everything[request.param]


def _pkilint(lint: Callable[[list[str]], int], *arguments: str) -> None:
    """Run a linter of pkilint at WARNING; it must have nothing to say. In this process: starting one takes a second."""
    said = io.StringIO()
    with redirect_stdout(said):
        findings = lint(["lint", *arguments, "-s", "WARNING"])
    assert (findings, said.getvalue().strip()) == (0, "")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # pkilint leaves the files that it reads open
def test_pkilint_finds_nothing_in_a_certificate(signed: Signed) -> None:
    for name in ("ca", *AUTHORITIES, *PURPOSES):
        _pkilint(lint_pkix_cert.main, str(signed.folder / f"{name}.crt"))


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_pkilint_finds_nothing_between_issuer_and_subject(signed: Signed) -> None:
    """Names, key identifiers and dates; and the signature."""
    if signed.pss:
        # pkilint 0.13.3 verifies every RSA signature of a chain as PKCS#1 v1.5; OpenSSL and GnuTLS verify those of PSS.
        return
    for name in (*AUTHORITIES, *PURPOSES):
        pair = [str(signed.folder / "ca.crt"), str(signed.folder / f"{name}.crt")]
        _pkilint(lint_pkix_signer_signee_cert_chain.main, *pair)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_pkilint_finds_nothing_in_a_crl(signed: Signed) -> None:
    for name in CRLS:
        _pkilint(lint_crl.main, "-t", "CRL", "-p", "PKIX", str(signed.folder / f"{name}.pem"))


def test_openssl_accepts_what_is_valid_and_refuses_what_is_not(signed: Signed) -> None:
    """Each leaf for its own purpose and no other, with both CRLs; who is listed is revoked."""
    verify = ("openssl", "verify", "-x509_strict", "-crl_check_all", "-CAfile", "ca.crt", "-CRLfile")
    for crl in CRLS:
        for name, purpose in PURPOSES.items():
            signed.judge(*verify, f"{crl}.pem", "-purpose", purpose, f"{name}.crt")
    for name, purpose in (("client", "sslserver"), ("server", "sslclient")):
        signed.judge(*verify, "empty.pem", "-purpose", purpose, f"{name}.crt", fails=True)
    signed.judge(*verify, "empty.pem", *(f"{name}.crt" for name in AUTHORITIES))
    assert "certificate revoked" in signed.judge(*verify, "reasons.pem", "revoked.crt", fails=True)


def test_openssl_reads_every_reason_of_a_crl(signed: Signed) -> None:
    text = signed.judge("openssl", "crl", "-in", "reasons.pem", "-CAfile", "ca.crt", "-noout", "-text")
    assert "verify OK" in text
    assert text.count("Serial Number: ") == 2 * len(Reason)
    assert text.count("Invalidity Date") == len(Reason)
    assert text.count("X509v3 CRL Reason Code") == 2 * (len(Reason) - 1), "unspecified is left out"
    assert "No Revoked Certificates." in signed.judge("openssl", "crl", "-in", "empty.pem", "-noout", "-text")
    number = signed.judge("openssl", "crl", "-in", "reasons.pem", "-noout", "-crlnumber")
    assert int(number.partition("=")[2], 16) == LARGE_NUMBER


def test_gnutls_verifies_crls_and_chains(signed: Signed) -> None:
    for crl in CRLS:
        judged = signed.judge("certtool", "--verify-crl", "--load-ca-certificate", "ca.crt", "--infile", f"{crl}.pem")
        assert "Verification output: Verified." in judged
    for name in PURPOSES:
        chain = "".join((signed.folder / f"{each}.crt").read_text(encoding="ascii") for each in (name, "ca"))
        (signed.folder / "chain.pem").write_text(chain, encoding="ascii")
        judged = signed.judge("certtool", "--verify-chain", "--infile", "chain.pem")
        assert "Chain verification output: Verified." in judged


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_judge_that_finds_something_is_heard(everything: dict[Kind, Signed]) -> None:
    """The linter that runs in this process: one authority did not sign what the other one did."""
    leaf = everything["ec-p256", False].folder / "client.crt"
    stranger = everything["ec-p384", False].folder / "ca.crt"
    with pytest.raises(AssertionError):
        _pkilint(lint_pkix_signer_signee_cert_chain.main, str(stranger), str(leaf))


def test_serials_have_20_bytes_at_most_and_are_positive(signed: Signed) -> None:
    assert 0 < signed.revoked.serial_number < 2**159
