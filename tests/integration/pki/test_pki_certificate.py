"""The certificate of a gateway, from its CSR."""

from __future__ import annotations

import pytest
from integration.pki.authority_host import AuthorityHost

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null")


@pytest.fixture
def csr(host: AuthorityHost) -> str:
    return host.openssl("req", "-new", *KEY, "-subj", "/CN=evil/O=Ignored", "-addext", "basicConstraints=CA:TRUE")


def test_the_life_of_a_gateway(host: AuthorityHost, csr: str) -> None:
    """Issued, kept without a login, renewed, and replaced when its key is another."""
    issued = host("pki_certificate", {"name": "cambridge", "csr_content": csr, "validity_days": 40})
    assert issued.changed
    assert (issued["common_name"], issued["outcome"]) == ("gateway-cambridge", "issued")
    assert issued["serial"].isdigit()

    kept = host("pki_certificate", {"name": "cambridge", "csr_content": csr, "hsm_pin": "wrong"})
    assert not kept.changed
    assert (kept["certificate"], kept["serial"]) == (issued["certificate"], issued["serial"])

    renewed = host("pki_certificate", {"name": "cambridge", "csr_content": csr, "renewal_days": 60})
    assert (renewed.changed, renewed["outcome"]) == (True, "renewed")
    assert renewed["certificate"] != issued["certificate"]

    other = host.openssl("req", "-new", *KEY, "-subj", "/CN=x")
    check = host("pki_certificate", {"name": "cambridge", "csr_content": other}, check=True)
    assert (check["outcome"], check["certificate"], check["serial"]) == ("reissued", "", None)
    replaced = host("pki_certificate", {"name": "cambridge", "csr_content": other})
    assert replaced["outcome"] == "reissued"
    info = host("pki_info", {"names": ["cambridge"]})
    assert [item["state"] for item in info["certificates"]] == ["revoked", "revoked", "valid"]
    assert info["audit"]["valid"]


def test_only_the_key_is_taken_from_the_csr(host: AuthorityHost, csr: str) -> None:
    result = host("pki_certificate", {"name": "cambridge", "csr_content": csr})
    (host.folder / "ca.pem").write_text(result["ca_chain"], encoding="utf-8")
    text = host.openssl("x509", "-text", "-noout", stdin=result["certificate"])
    assert "Subject: CN = gateway-cambridge\n" in text
    assert "CA:TRUE" not in text
    assert "Ignored" not in text
    verify = ("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem")
    assert "OK" in host.openssl(*verify, stdin=result["certificate"])


def test_a_user_and_a_gateway_of_one_name_do_not_meet(host: AuthorityHost, csr: str) -> None:
    host.users("cambridge")
    assert host("pki_certificate", {"name": "cambridge", "csr_content": csr})["outcome"] == "issued"
    host.users({"name": "cambridge", "state": "absent"})
    assert host("pki_certificate", {"name": "cambridge", "csr_content": csr})["outcome"] == "kept"


def test_bad_input_is_refused(host: AuthorityHost, csr: str) -> None:
    broken = csr.replace("M", "N", 1)
    assert "CSR" in host("pki_certificate", {"name": "cambridge", "csr_content": broken}, fails=True).message
    assert "CSR" in host("pki_certificate", {"name": "cambridge", "csr_content": "x" * 10_000}, fails=True).message
    message = host("pki_certificate", {"name": "Cam/bridge", "csr_content": csr}, fails=True).message
    assert "gateway name 'Cam/bridge'" in message
    assert host("pki_info")["certificates"] == []


def test_check_mode_on_a_fresh_host(bare_host: AuthorityHost, tmp_path_factory: pytest.TempPathFactory) -> None:
    csr = AuthorityHost(bare_host.token, tmp_path_factory.mktemp("csr"), bare_host.run).openssl(
        "req", "-new", *KEY, "-subj", "/CN=x"
    )
    result = bare_host("pki_certificate", {"name": "cambridge", "csr_content": csr}, check=True)
    assert (result.changed, result["certificate"], result["ca_chain"]) == (True, "", "")
    assert not bare_host.folder.exists()
