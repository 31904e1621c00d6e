"""Chains that are right or wrong because of what a certificate allows, and of the names in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from unit.chains.chain import (
    BAD_SIGNATURE,
    MAY_NOT_SIGN_CRL,
    NO_ISSUER,
    NOT_AN_AUTHORITY,
    OUTSIDE_NAMES,
    REVOKED,
    ROOT,
    SELF_SIGNED_LEAF,
    TOO_LONG,
    UNKNOWN_CRITICAL,
    VALID,
    WRONG_PURPOSE,
    Issuer,
    Judge,
    key,
    misissued,
    root,
)

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles


def test_a_client_among_clients_and_a_server_among_servers(judge: Judge) -> None:
    """Valid, each for its own purpose.

    root ─┬─ alice@laptop (client)
          ├─ gateway-a (server)
          └─ CRL
    """
    ca = root()
    client, server = ca.issue("alice@laptop"), ca.issue("gateway-a", profiles.SERVER)
    assert judge(client, trusted=[ca], crls=[ca.crl()], purpose="sslclient") == VALID
    assert judge(server, trusted=[ca], crls=[ca.crl()], purpose="sslserver") == VALID


def test_a_client_that_poses_as_a_server(judge: Judge) -> None:
    """Invalid: its extended key usage is that of clients.

    root ── alice@laptop (client), judged as a server
    """
    ca = root()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()], purpose="sslserver") == (WRONG_PURPOSE, 0)


def test_a_server_that_poses_as_a_client(judge: Judge) -> None:
    """Invalid: its extended key usage is that of servers.

    root ── gateway-a (server), judged as a client
    """
    ca = root()
    assert judge(ca.issue("gateway-a", profiles.SERVER), trusted=[ca], crls=[ca.crl()]) == (WRONG_PURPOSE, 0)


def test_an_authority_below_a_root(judge: Judge) -> None:
    """Valid: the root may have others below it.

    root ── issuer ── leaf
    """
    top = root(profile=ROOT)
    middle = top.authority("Issuer")
    leaf = middle.issue("alice@laptop")
    assert judge(leaf, trusted=[top], below=[middle], crls=[top.crl(), middle.crl()]) == VALID


def test_an_authority_below_one_that_may_have_none(judge: Judge) -> None:
    """Invalid: our authorities have pathlen:0, so that a stolen key makes no further authority.

    root (pathlen:0) ── issuer ── leaf
    """
    top = root()
    middle = top.authority("Issuer")
    leaf = middle.issue("alice@laptop")
    assert judge(leaf, trusted=[top], below=[middle], crls=[top.crl(), middle.crl()]) == (TOO_LONG, 2)


def test_an_authority_two_steps_below_the_root(judge: Judge) -> None:
    """Invalid: the issuer has pathlen:0, and signed an authority all the same.

    root ── issuer (pathlen:0) ── issuer ── leaf
    """
    top = root(profile=ROOT)
    middle = top.authority("Issuer")
    low = middle.authority("Low", subject_key=key(which=51))
    verdict = judge(low.issue("x@y"), trusted=[top], below=[middle, low], crls=[top.crl(), middle.crl(), low.crl()])
    assert verdict == (TOO_LONG, 2)


def test_an_issuer_without_the_right_to_sign_certificates(judge: Judge) -> None:
    """Invalid: key usage without keyCertSign; our own check refuses it, too.

    root (cRLSign only) ── leaf
    """
    ca = root(profile=replace(profiles.CA, key_usages=("crl_sign",), path_length=None))
    leaf = ca.issue("alice@laptop")
    assert judge(leaf, trusted=[ca], crls=[ca.crl()]) == (NOT_AN_AUTHORITY, 1)
    with pytest.raises(StateError, match="does not allow key_cert_sign"):
        certificates.verify_issued(leaf, ca.certificate)


def test_an_issuer_without_the_right_to_sign_crls(judge: Judge) -> None:
    """Invalid: the CRL counts for nothing.

    root (keyCertSign only) ─┬─ leaf
                             └─ CRL
    """
    ca = root(profile=replace(profiles.CA, key_usages=("key_cert_sign",)))
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()]) == (MAY_NOT_SIGN_CRL, 0)


def test_a_leaf_that_plays_the_authority(judge: Judge) -> None:
    """Invalid: a device signed a certificate for somebody else with its own key.

    root ── alice@laptop (client) ── mallory@laptop
    """
    ca, own = root(), key(which=60)
    alice = Issuer(own, ca.issue("alice@laptop", subject_key=own))
    mallory = alice.issue("mallory@laptop", days=100)
    verdict = judge(mallory, trusted=[ca], below=[alice], crls=[ca.crl(), alice.crl()])
    assert verdict == (NOT_AN_AUTHORITY, 1)
    with pytest.raises(StateError, match="is not that of an authority"):
        certificates.verify_issued(mallory, alice.certificate)


def test_a_leaf_that_signed_itself(judge: Judge) -> None:
    """Invalid: nobody whom we trust signed it.

    root     mallory@laptop (self-signed)
    """
    ca, mallory = root(), root("mallory@laptop", which=61, profile=profiles.CLIENT)
    verdict = judge(mallory.certificate, trusted=[ca], crls=[ca.crl()])
    assert verdict == (SELF_SIGNED_LEAF, 0)


def test_a_leaf_of_a_stranger(judge: Judge) -> None:
    """Invalid: its issuer is not known here.

    root     other root ── leaf
    """
    ca, stranger = root(), root("Another root", which=62)
    assert judge(stranger.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()]) == (NO_ISSUER, 0)


def test_a_chain_with_a_gap(judge: Judge) -> None:
    """Invalid: a profile without the issuer's certificate cannot be followed up to the root.

    root ── (issuer missing) ── leaf
    """
    top = root(profile=ROOT)
    middle = top.authority("Issuer")
    verdict = judge(middle.issue("alice@laptop"), trusted=[top], crls=[top.crl(), middle.crl()])
    assert verdict == (NO_ISSUER, 0)


def test_an_authority_of_the_same_name_with_another_key(judge: Judge) -> None:
    """Invalid: the key identifiers tell the two apart before any signature is tried.

    Root (key 1) trusted     Root (key 2) ── leaf
    """
    ca, namesake = root(), root(which=63)
    leaf = namesake.issue("alice@laptop")
    assert judge(leaf, trusted=[ca], crls=[ca.crl()]) == (NO_ISSUER, 0)
    with pytest.raises(StateError, match="was signed with another key of 'Root'"):
        certificates.verify_issued(leaf, ca.certificate)


def test_a_pointer_to_another_key_than_the_one_that_signed(judge: Judge) -> None:
    """Invalid: signed by the root, but its authority key identifier names the key of another.

    root ── leaf (AKI of another key)
    """
    ca, other = root(), key(which=64)

    def points_elsewhere(builder: Any) -> Any:
        return builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(other.public_key()), critical=False
        )

    leaf = misissued(ca, "alice@laptop", points_elsewhere)
    assert judge(leaf, trusted=[ca], crls=[ca.crl()]) == (NO_ISSUER, 0)
    with pytest.raises(StateError, match="was signed with another key"):
        certificates.verify_issued(leaf, ca.certificate)


def test_an_unknown_extension_that_is_critical(judge: Judge) -> None:
    """Invalid: what must be understood and is not forbids everything.

    root ── leaf (critical 1.2.3.4)
    """
    ca = root()

    def unknown(builder: Any) -> Any:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        return builder.add_extension(identifier, critical=False).add_extension(extension, critical=True)

    assert judge(misissued(ca, "alice@laptop", unknown), trusted=[ca], crls=[ca.crl()]) == (UNKNOWN_CRITICAL, 0)


def _constrained() -> Issuer:
    return root(permitted_dns=("example.net",))


def test_a_name_inside_the_constraints(judge: Judge) -> None:
    """Valid: the authority may name gateways below example.net, and it does.

    root (permitted: example.net) ── gateway-a (DNS: a.example.net)
    """
    ca = _constrained()
    leaf = ca.issue("gateway-a", profiles.SERVER, dns_names=("a.example.net",))
    assert judge(leaf, trusted=[ca], crls=[ca.crl()], purpose="sslserver") == VALID


def test_a_name_outside_the_constraints(judge: Judge) -> None:
    """Invalid: one of its names is outside.

    root (permitted: example.net) ── gateway-a (DNS: a.example.net, a.example.org)
    """
    ca = _constrained()
    leaf = ca.issue("gateway-a", profiles.SERVER, dns_names=("a.example.net", "a.example.org"))
    assert judge(leaf, trusted=[ca], crls=[ca.crl()], purpose="sslserver") == (OUTSIDE_NAMES, 0)


def test_a_name_that_only_ends_like_a_permitted_one(judge: Judge) -> None:
    """Invalid: badexample.net is not below example.net.

    root (permitted: example.net) ── gateway-a (DNS: badexample.net)
    """
    ca = _constrained()
    leaf = ca.issue("gateway-a", profiles.SERVER, dns_names=("badexample.net",))
    assert judge(leaf, trusted=[ca], crls=[ca.crl()], purpose="sslserver") == (OUTSIDE_NAMES, 0)


def test_a_user_below_an_authority_with_name_constraints(judge: Judge) -> None:
    """Valid: USER@DEVICE is no DNS name, so that constraints of DNS names do not concern it.

    root (permitted: example.net) ── alice@laptop
    """
    ca = _constrained()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()]) == VALID


def test_a_gateway_without_dns_names_below_an_authority_with_name_constraints(judge: Judge) -> None:
    """Worth knowing: without DNS names OpenSSL takes a common name with a dot for one, and then it has to be inside.

    root (permitted: example.net) ─┬─ gateway-a                (valid)
                                   └─ gateway-a.example.org    (invalid)
    """
    ca = _constrained()
    plain, dotted = (ca.issue(name, profiles.SERVER) for name in ("gateway-a", "gateway-a.example.org"))
    assert judge(plain, trusted=[ca], crls=[ca.crl()], purpose="sslserver") == VALID
    assert judge(dotted, trusted=[ca], crls=[ca.crl()], purpose="sslserver") == (OUTSIDE_NAMES, 0)


def test_constraints_hold_for_authorities_below(judge: Judge) -> None:
    """Invalid: the issuer itself has no constraints, the root above it has.

    root (permitted: example.net) ── issuer ── gateway-a (DNS: a.example.org)
    """
    top = root(profile=ROOT, permitted_dns=("example.net",))
    middle = top.authority("Issuer")
    leaf = middle.issue("gateway-a", profiles.SERVER, dns_names=("a.example.org",))
    verdict = judge(leaf, trusted=[top], below=[middle], crls=[top.crl(), middle.crl()], purpose="sslserver")
    assert verdict == (OUTSIDE_NAMES, 0)


@pytest.mark.parametrize("algorithm", ["ec-p384", "rsa-2048", "ed25519"])
def test_every_algorithm_of_an_authority(judge: Judge, algorithm: str) -> None:
    """Valid: an authority of each kind of key signs a leaf of P-256.

    root (algorithm) ─┬─ leaf (P-256)
                      └─ CRL
    """
    ca = root(algorithm=algorithm)
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()]) == VALID


def test_rsa_pss(judge: Judge) -> None:
    """Valid: certificate and CRL signed by RSA-PSS.

    root (RSA, PSS) ─┬─ leaf
                     └─ CRL
    """
    ca = root(algorithm="rsa-2048", pss=True)
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[ca.crl()]) == VALID


def test_a_chain_of_three_algorithms(judge: Judge) -> None:
    """Valid: each signature is of the kind of its issuer's key.

    root (Ed25519) ── issuer (P-384) ── leaf (RSA)
    """
    top = root(algorithm="ed25519", profile=ROOT)
    middle = top.authority("Issuer", subject_key=key("ec-p384", 70))
    leaf = middle.issue("alice@laptop", subject_key=key("rsa-2048", 71))
    assert judge(leaf, trusted=[top], below=[middle], crls=[top.crl(), middle.crl()]) == VALID


def test_the_longest_serial(judge: Judge) -> None:
    """Valid: 20 bytes, all bits set but the first, which would make it negative.

    root ── leaf (serial 7fff…ff)
    """
    ca = root()
    serial = certificates.serial_from(b"\xff" * 20)
    leaf = ca.issue("alice@laptop", serial=serial)
    assert (serial, leaf.serial_number) == (2**159 - 1, serial)
    assert judge(leaf, trusted=[ca], crls=[ca.crl()]) == VALID


def test_a_serial_whose_first_byte_has_its_high_bit_set(judge: Judge) -> None:
    """Valid, and revoked when it is listed: a zero byte goes before it in certificate and CRL alike.

    root ─┬─ leaf (serial 80…01, 19 bytes)
          └─ CRL, with and without it
    """
    ca = root()
    leaf = ca.issue("alice@laptop", serial=2**151 + 1)
    assert judge(leaf, trusted=[ca], crls=[ca.crl()]) == VALID
    assert judge(leaf, trusted=[ca], crls=[ca.crl(leaf)]) == (REVOKED, 0)


def test_a_tampered_certificate(judge: Judge) -> None:
    """Invalid: one letter of the name was changed after it was signed.

    root ── alice@laptop → blice@laptop
    """
    ca = root()
    leaf = ca.issue("alice@laptop")
    forged = x509.load_der_x509_certificate(leaf.public_bytes(Encoding.DER).replace(b"alice@laptop", b"blice@laptop"))
    assert judge(forged, trusted=[ca], crls=[ca.crl()]) == (BAD_SIGNATURE, 0)
    with pytest.raises(StateError, match="does not bear the signature of 'Root'"):
        certificates.verify_issued(forged, ca.certificate)
