"""The module hsm_certificate against a real SoftHSM token, judged by pkilint, OpenSSL and GnuTLS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from integration.hsm.authority import authority
from integration.hsm.judges import pkilint, run_program
from integration.run_module import ModuleResult, RunModule
from integration.softhsm import SoftToken

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles

KINDS = [
    ("ec-p256", False),
    ("ec-p384", False),
    ("rsa-2048", False),
    ("rsa-2048", True),
    ("rsa-3072", True),
    ("rsa-4096", False),
    ("ed25519", False),
]
ADDRESSES = {"crl_urls": ["http://pki.example.net/ca.crl"], "issuer_urls": ["http://pki.example.net/ca.crt"]}
VERIFY = ("openssl", "verify", "-x509_strict", "-CAfile", "root.pem")


def _csr(folder: Path, name: str = "www", *options: str) -> str:
    """The path of a new CSR with the subject ``NAME.example.net``; its key is beside it."""
    new = options or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    subject = ("-subj", f"/CN={name}.example.net", "-nodes")
    run_program("openssl", "req", "-new", *new, *subject, "-keyout", f"{name}.key", "-out", f"{name}.csr", cwd=folder)
    return str(folder / f"{name}.csr")


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = [path for path in folder.iterdir() if path.is_file() and path.name != "play.json"]
    return {path.name: (path.read_bytes(), path.stat().st_mode) for path in found}


@pytest.fixture
def sign(run_module: RunModule, soft_token: SoftToken, tmp_path: Path) -> Any:
    """A function that runs the module with a file name as ``path``; the PIN must be in no output."""

    def runner(
        name: str | None, *, check: bool = False, diff: bool = False, fails: bool = False, **options: Any
    ) -> Any:
        path = {} if name is None else {"path": str(tmp_path / name)}
        given = {name: value for name, value in options.items() if value is not None}
        arguments = {**soft_token.options, **path, **given}
        result: ModuleResult = run_module("hsm_certificate", arguments, check=check, diff=diff, fails=fails)
        assert soft_token.pin not in result.output
        return result

    return runner


@pytest.fixture
def root(run_module: RunModule, soft_token: SoftToken, sign: Any, tmp_path: Path) -> str:
    """The path of the certificate of an authority with a P-256 key in the token, which may sign an intermediate."""
    run_module("hsm_key", soft_token.options)
    sign("root.pem", common_name="Test root", path_length=1)
    return str(tmp_path / "root.pem")


@pytest.mark.parametrize(("algorithm", "pss"), KINDS, ids=str)
def test_every_kind_of_key_signs_what_every_judge_accepts(
    run_module: RunModule, soft_token: SoftToken, sign: Any, tmp_path: Path, algorithm: str, pss: bool
) -> None:
    """Root -> www and client, made by the module alone."""
    run_module("hsm_key", {**soft_token.options, "algorithm": algorithm})
    sign("root.pem", common_name="Test root", rsa_pss=pss)
    leaf = {"ca_path": str(tmp_path / "root.pem"), "csr_path": _csr(tmp_path), "rsa_pss": pss}
    sign("www.pem", profile="server", dns_names=["www.example.net"], **ADDRESSES, **leaf)
    sign("client.pem", profile="client", common_name="alice@laptop", **leaf)

    for name in ("root", "www", "client"):
        pkilint("lint_pkix_cert", f"{name}.pem", cwd=tmp_path)
    # pkilint 0.13.3 verifies every RSA signature of a chain as PKCS#1 v1.5; OpenSSL and GnuTLS verify those of PSS.
    if not pss:
        pkilint("lint_pkix_signer_signee_cert_chain", "root.pem", "www.pem", cwd=tmp_path)
    run_program(*VERIFY, "-purpose", "sslserver", "-verify_hostname", "www.example.net", "www.pem", cwd=tmp_path)
    run_program(*VERIFY, "-purpose", "sslclient", "client.pem", cwd=tmp_path)
    run_program(*VERIFY, "-purpose", "sslserver", "client.pem", cwd=tmp_path, fails=True)
    chain = (tmp_path / "client.pem").read_text() + (tmp_path / "root.pem").read_text()
    (tmp_path / "chain.pem").write_text(chain)
    judged = run_program("certtool", "--verify-chain", "--infile", "chain.pem", cwd=tmp_path)
    assert "Chain verification output: Verified." in judged
    used = run_program("openssl", "x509", "-in", "client.pem", "-noout", "-text", cwd=tmp_path)
    assert ("rsassaPss" in used) is pss


def test_an_offline_root_signs_an_intermediate_that_issues(
    run_module: RunModule, soft_token: SoftToken, sign: Any, root: str, tmp_path: Path
) -> None:
    """Root (path length 1) -> VPN (0, example.net only) -> www; both keys in the token."""
    middle_key = {"hsm_key_label": "vpn", "algorithm": "ec-p384"}
    run_module("hsm_key", {**soft_token.options, **middle_key})
    csr = _csr(tmp_path, "vpn")
    foreign = sign(None, ca_path=root, csr_path=csr, profile="ca", common_name="VPN", permitted_dns=["example.net"])
    leaf = {"csr_path": _csr(tmp_path), "profile": "server", "dns_names": ["www.example.net"]}
    refused = sign("www.pem", ca_content=foreign["certificate"], **leaf, hsm_key_label="vpn", fails=True)
    assert refused.message.startswith("The private key in the token does not belong to the public key")

    (tmp_path / "vpn.pem").write_text(foreign["certificate"])
    pkilint("lint_pkix_cert", "vpn.pem", cwd=tmp_path)
    run_program(*VERIFY, "vpn.pem", cwd=tmp_path)
    assert "CA:TRUE, pathlen:0" in run_program("openssl", "x509", "-in", "vpn.pem", "-noout", "-text", cwd=tmp_path)
    outside = {**leaf, "dns_names": ["www.example.org"]}
    refused = sign("www.pem", ca_content=foreign["certificate"], **outside, fails=True)
    assert "may certify names in example.net only, not 'www.example.org'" in refused.message
    assert not (tmp_path / "www.pem").exists()


def test_check_real_check_real(sign: Any, root: str, soft_token: SoftToken, tmp_path: Path) -> None:
    """It is told before, signed once, and never again; then an altered mode is mended, and force signs anew."""
    options = {"ca_path": root, "csr_path": _csr(tmp_path), "profile": "server", "dns_names": ["www.example.net"]}
    before = _files(tmp_path)
    planned = sign("www.pem", check=True, diff=True, **{**options, "hsm_pin": "not-the-pin"})
    assert (planned.changed, planned["certificate"], planned["serial"]) == (True, "", None)
    assert '"reasons": [\n    "there is none"' in planned["diff"]["after"]
    assert _files(tmp_path) == before

    made = sign("www.pem", diff=True, **options)
    path = tmp_path / "www.pem"
    assert (made.changed, path.read_text(), path.stat().st_mode & 0o777) == (True, made["certificate"], 0o644)
    assert "BEGIN" not in made["diff"]["after"]
    certificate = certificates.load_certificate(made["certificate"])
    assert made["serial"] == str(certificate.serial_number)
    assert made["fingerprint"] == certificates.certificate_fingerprint(certificate)
    assert (made["subject"], made["issuer"]) == ("CN=www.example.net", "CN=Test root")
    assert made["not_after"] == certificates.not_after(certificate).isoformat()

    for check in (True, False):
        again = sign("www.pem", check=check, **{**options, "hsm_pin": "not-the-pin"})
        assert (again.changed, again["certificate"]) == (False, made["certificate"])
    path.chmod(0o600)
    assert sign("www.pem", **options).changed
    assert path.stat().st_mode & 0o777 == 0o644
    assert sign("www.pem", **options, force=True)["serial"] != made["serial"]


def test_content_alone_writes_nothing(sign: Any, root: str, tmp_path: Path) -> None:
    csr = Path(_csr(tmp_path)).read_text()
    options = {"ca_content": Path(root).read_text(), "csr_content": csr, "profile": "client"}
    before = _files(tmp_path)
    made = sign(None, **options)
    assert not sign(None, **options, certificate_content=made["certificate"]).changed
    assert _files(tmp_path) == before


def test_a_root_is_kept_and_never_replaced_by_another(sign: Any, root: str, run_module: RunModule) -> None:
    before = Path(root).read_bytes()
    assert not sign("root.pem", common_name="Test root", path_length=1).changed
    refused = sign("root.pem", common_name="Another root", path_length=1, force=True, fails=True)
    assert "There is a certificate of 'Test root' already, with another subject." in refused.message
    assert Path(root).read_bytes() == before


def test_a_key_that_is_not_there_is_named(sign: Any, tmp_path: Path) -> None:
    assert sign("root.pem", common_name="Root", check=True).changed
    refused = sign("root.pem", common_name="Root", fails=True)
    assert "holds no key labelled 'ca'" in refused.message
    assert not (tmp_path / "root.pem").exists()


def _broken(csr: str) -> str:
    """The CSR with the last bit of its signature changed."""
    der = bytearray(x509.load_pem_x509_csr(csr.encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()


def test_bad_input_touches_nothing(sign: Any, root: str, tmp_path: Path) -> None:
    """Each is refused with its reason, and no file is made or altered."""
    csr = Path(_csr(tmp_path)).read_text()
    weak = Path(_csr(tmp_path, "weak", "-newkey", "rsa:1024")).read_text()
    good = {"ca_path": root, "csr_content": csr, "profile": "server"}
    leaf = sign(None, **good)["certificate"]
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"csr_content": "garbage"}, "The option 'csr_content': The CSR cannot be read."),
        ({"csr_content": _broken(csr)}, "The option 'csr_content': The signature of the CSR does not fit its key."),
        ({"csr_content": weak}, "A key of the kind 'rsa-1024' is not accepted."),
        (
            {"csr_content": None, "csr_path": "/nonexistent.csr"},
            "The option 'csr_path' (/nonexistent.csr): there is no",
        ),
        ({"ca_path": None, "ca_content": leaf}, "The certificate of 'www.example.net' is not that of an authority."),
        ({"rsa_pss": True}, "RSA-PSS was asked of a key of the kind ec-p256."),
        ({"dns_names": ["no name"]}, "The option 'dns_names' holds 'no name', which is not a DNS name."),
        ({"path": "/nonexistent/www.pem"}, "Cannot write /nonexistent/www.pem: there is no folder /nonexistent."),
        ({"path": str(tmp_path)}, f"Cannot read {tmp_path}: Is a directory."),
        ({"path": str(tmp_path / "key.pem")}, "holds something that cannot be read as one certificate in PEM"),
        ({"hsm_pin": "not-the-pin"}, "The PIN of the token 'privatespace' is wrong."),
    ]
    before = _files(tmp_path)
    for options, message in bad:
        refused = sign("www.pem", **{**good, **options}, fails=True)
        assert message in refused.message
        assert _files(tmp_path) == before


def test_an_issuer_that_has_expired_signs_nothing(sign: Any, soft_token: SoftToken, tmp_path: Path) -> None:
    """A root whose life is over; its key is in the token."""
    with authority(soft_token, tmp_path) as ca:
        start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
        spec = certificates.CertificateSpec("Old root", profiles.CA, ca.key.public_key(), 1, start, end)
        old = certificates.certificate_pem(certificates.build_certificate(spec, issuer_key=ca.key))
    refused = sign("www.pem", ca_content=old, csr_path=_csr(tmp_path), profile="server", fails=True)
    assert refused.message.startswith("The certificate of the issuer 'Old root' is valid from 2020-01-01")
    assert not (tmp_path / "www.pem").exists()


def test_a_key_that_is_not_the_issuers_signs_nothing(sign: Any, root: str, tmp_path: Path) -> None:
    """A certificate of the same name with a key in software."""
    own = generate_private_key("ec-p256")
    start, end = certificates.validity(datetime.now(UTC), days=9)
    spec = certificates.CertificateSpec("Test root", profiles.CA, own.public_key(), 1, start, end)
    stranger = certificates.certificate_pem(certificates.build_certificate(spec, issuer_key=own))
    options = {"ca_content": stranger, "csr_path": _csr(tmp_path), "profile": "server"}
    refused = sign("www.pem", **options, validity_days=8, renewal_days=0, fails=True)
    assert "The private key in the token does not belong to the public key" in refused.message
    assert not (tmp_path / "www.pem").exists()
