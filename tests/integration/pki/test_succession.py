"""Authorities that take over from one another, and authorities below an offline root, through the whole modules."""

from __future__ import annotations

from typing import Any

import pytest
from integration.pki.authority_host import AuthorityHost

WRONG_PIN = {"hsm_pin": "not-the-pin"}
SUCCESSOR = {"hsm_key_label": "ca2", "common_name": "Next authority", "replaces": "ca"}
OFFLINE = {"offline_root": True}
ROOT_CONFIGURATION = """
[ca]
default_ca = root
[root]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = root.pem
private_key = root.key
default_md = sha256
default_crl_days = 90
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[self]
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[crl]
authorityKeyIdentifier = keyid:always
"""


def blocks(pem: str) -> int:
    return pem.count("-----BEGIN CERTIFICATE-----")


def issuer_of(host: AuthorityHost, certificate: str) -> str:
    return host.openssl("x509", "-noout", "-issuer", "-nameopt", "RFC2253", stdin=certificate).strip()


def states(host: AuthorityHost) -> dict[str, str]:
    return {each["key_label"]: each["state"] for each in host("pki_info")["authorities"]}


def gateway(host: AuthorityHost, name: str = "gateway1") -> Any:
    key = host.folder / f"{name}.key"
    if not key.exists():
        host.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    csr = host.openssl("req", "-new", "-key", key, "-subj", f"/CN={name}")
    return host("pki_certificate", {"name": name, "csr_content": csr})


def accepted(host: AuthorityHost, certificate: str) -> None:
    """What OpenVPN asks: the chain to a root, and a CRL of every issuer on it."""
    (host.folder / "leaf.pem").write_text(certificate, encoding="utf-8")
    files = ("-CAfile", "ca.pem", "-CRLfile", host.crl, "leaf.pem")
    assert "OK" in host.openssl("verify", "-crl_check_all", *files)


def publish(host: AuthorityHost, result: Any) -> None:
    """Lay down what everybody trusts, and the CRLs of today."""
    (host.folder / "ca.pem").write_text(result["ca_chain"], encoding="utf-8")
    host("pki_crl")


def test_a_successor_takes_over_and_nobody_is_locked_out(host: AuthorityHost) -> None:
    """First -> alice, gateway1. The next one stands by, takes over, and the first is left by everybody."""
    alice = host.users("alice")["deliveries"][0]["certificate"]
    server = gateway(host)["certificate"]

    standing_by = {**SUCCESSOR, "state": "standby"}
    assert host("pki_authority", {**standing_by, **WRONG_PIN}, check=True).changed
    result = host("pki_authority", standing_by)
    assert (result.changed, result["state"], blocks(result["ca_chain"])) == (True, "standby", 2)
    assert not host("pki_authority", {**standing_by, **WRONG_PIN}).changed
    publish(host, result)
    for certificate in (alice, server):
        accepted(host, certificate)
    bob = host.users("bob")["deliveries"][0]
    assert issuer_of(host, bob["certificate"]) == issuer_of(host, alice), "the one that stands by issues nothing"
    assert blocks(bob["ca_chain"]) == 2, "and new profiles know it already"

    assert host("pki_authority", {**SUCCESSOR, **WRONG_PIN}).changed, "taking over needs no token"
    assert states(host) == {"ca": "retiring", "ca2": "active"}
    assert not host("pki_authority", WRONG_PIN).changed, "an inventory may keep naming the first one"
    carol = host.users("carol")["deliveries"][0]["certificate"]
    assert issuer_of(host, carol) == "issuer=CN=Next authority"
    assert issuer_of(host, gateway(host, "gateway2")["certificate"]) == issuer_of(host, alice), (
        "the profiles of alice and bob may know no other issuer of gateways"
    )
    publish(host, host("pki_authority", SUCCESSOR))
    for certificate in (alice, server, carol):
        accepted(host, certificate)

    refused = host("pki_authority", {"state": "retired"}, fails=True)
    assert "4 certificates of the authority 'ca' can still be used" in refused.message
    host.users({"name": "alice", "devices": [{"reissue": True}]}, {"name": "bob", "state": "absent"})
    for name in ("gateway1", "gateway2"):
        renewed = gateway(host, name)
        assert renewed.changed, "no client is left that knows the first one only"
        assert issuer_of(host, renewed["certificate"]) == "issuer=CN=Next authority"


def test_a_removal_reaches_the_crl_of_its_own_issuer(host: AuthorityHost) -> None:
    serial = host.users("alice")["users"][0]["serial"]
    publish(host, host("pki_authority", SUCCESSOR))
    host.users({"name": "alice", "state": "absent"})
    host("pki_crl")
    both = host.crl.read_text(encoding="ascii").split("-----END X509 CRL-----\n")[:-1]
    texts = [host.openssl("crl", "-noout", "-text", stdin=f"{crl}-----END X509 CRL-----\n") for crl in both]
    lists = {"Next" if "Next authority" in text else "first": f"{int(serial):X}" in text for text in texts}
    assert lists == {"Next": False, "first": True}


def test_one_that_issued_nothing_retires(host: AuthorityHost) -> None:
    host("pki_authority", SUCCESSOR)
    result = host("pki_authority", {"state": "retired", **WRONG_PIN})
    assert (result.changed, result["state"], blocks(result["ca_chain"])) == (True, "retired", 1)
    assert not host("pki_authority", {"state": "retired"}).changed
    assert states(host) == {"ca": "retired", "ca2": "active"}
    host("pki_crl")
    assert host.crl.read_text(encoding="ascii").count("BEGIN X509 CRL") == 1
    assert host("pki_info")["audit"]["valid"]


class OfflineRoot:
    """A root that an administrator keeps elsewhere, made with OpenSSL alone."""

    def __init__(self, host: AuthorityHost) -> None:
        self.host = host
        host.folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in (
            ("index.txt", ""),
            ("serial", "01\n"),
            ("crlnumber", "01\n"),
            ("ca.cnf", ROOT_CONFIGURATION),
        ):
            (host.folder / name).write_text(content, encoding="ascii")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "root.key")
        subject = ("-subj", "/CN=Offline root", "-config", "ca.cnf", "-extensions", "self")
        host.openssl("req", "-new", "-x509", *curve, *subject, "-days", "3650", "-out", "root.pem")

    def sign(self, csr: str) -> str:
        """The chain: the certificate and the root's own."""
        (self.host.folder / "request.pem").write_text(csr, encoding="ascii")
        files = ("-in", "request.pem", "-out", "answer.pem", "-notext")
        self.host.openssl("ca", "-batch", "-config", "ca.cnf", "-extensions", "intermediate", "-days", "1825", *files)
        return "".join((self.host.folder / name).read_text(encoding="ascii") for name in ("answer.pem", "root.pem"))

    def crl(self) -> str:
        self.host.openssl("ca", "-gencrl", "-config", "ca.cnf", "-crlexts", "crl", "-out", "root-crl.pem")
        return (self.host.folder / "root-crl.pem").read_text(encoding="ascii")


@pytest.fixture
def root(bare_host: AuthorityHost) -> OfflineRoot:
    return OfflineRoot(bare_host)


def test_an_authority_below_an_offline_root(bare_host: AuthorityHost, root: OfflineRoot) -> None:
    """Offline root -> authority -> alice. Valid with the CRLs of both issuers in one file."""
    host, options = bare_host, {**OFFLINE, "tls_crypt_v2_server_key": str(bare_host.server_key)}
    asked = host("pki_authority", options)
    assert (asked.changed, asked["state"], asked["certificate"]) == (True, "requested", "")
    assert not host("pki_authority", {**options, **WRONG_PIN}).changed, "it waits"
    assert host("pki_authority", options)["csr"] == asked["csr"]
    assert "no active authority" in host.users("alice", fails=True).message

    answer: dict[str, Any] = {**options, "chain_content": root.sign(asked["csr"]), "chain_crls_content": root.crl()}
    for wrong in (
        {**answer, "chain_content": (host.folder / "root.pem").read_text(encoding="ascii")},
        {**answer, "chain_crls_content": ""},
    ):
        assert "Nothing was changed" in host("pki_authority", wrong, fails=True).message
        assert states(host) == {"ca": "requested"}
    assert host("pki_authority", {**answer, **WRONG_PIN}, check=True).changed
    result = host("pki_authority", {**answer, **WRONG_PIN})
    assert (result.changed, result["state"], blocks(result["ca_chain"])) == (True, "active", 2)
    assert not host("pki_authority", {**answer, **WRONG_PIN}).changed
    stripped = {**answer, "chain_crls_content": answer["chain_crls_content"].rstrip()}
    assert not host("pki_authority", {**stripped, **WRONG_PIN}).changed, "what a lookup of the file makes of it"

    delivery = host.users("alice")["deliveries"][0]
    assert delivery["ca_chain"] == result["ca_chain"]
    publish(host, result)
    assert host.crl.read_text(encoding="ascii").count("BEGIN X509 CRL") == 2
    accepted(host, delivery["certificate"])

    newer = {**answer, "chain_crls_content": root.crl()}
    assert host("pki_authority", newer).changed
    assert "older" in host("pki_authority", answer, fails=True).message
    host("pki_crl")
    accepted(host, delivery["certificate"])


def test_certificates_hold_what_the_settings_say(bare_host: AuthorityHost) -> None:
    options = {
        "algorithm": "rsa-2048",
        "rsa_pss": True,
        "crl_urls": ["http://pki.example/crl.der"],
        "issuer_urls": ["http://pki.example/ca.cer"],
        "permitted_dns": ["vpn.example"],
    }
    root = bare_host("pki_authority", options)
    assert not bare_host("pki_authority", {**options, **WRONG_PIN}).changed
    shown = bare_host.openssl("x509", "-text", "-noout", stdin=root["certificate"])
    assert "rsassaPss" in shown
    assert "DNS:vpn.example" in shown
    leaf = bare_host.users("alice")["deliveries"][0]["certificate"]
    shown = bare_host.openssl("x509", "-text", "-noout", stdin=leaf)
    for expected in ("rsassaPss", "URI:http://pki.example/crl.der", "CA Issuers - URI:http://pki.example/ca.cer"):
        assert expected in shown
    publish(bare_host, root)
    accepted(bare_host, leaf)
    assert bare_host("pki_authority", {**options, "crl_urls": []}).changed
    leaf = bare_host.users("bob")["deliveries"][0]["certificate"]
    assert "crl.der" not in bare_host.openssl("x509", "-text", "-noout", stdin=leaf)
