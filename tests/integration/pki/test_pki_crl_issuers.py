"""The CRLs of several authorities in one call, and CRLs that take over the entries of the one before."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from integration.pki.authority_host import AuthorityHost

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_outline import read_outline
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import split_crls
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import load_crl

WRONG_PIN = {"hsm_pin": "wrong"}
SUCCESSOR = {"hsm_key_label": "ca2", "common_name": "Next authority", "replaces": "ca"}


def remove(host: AuthorityHost, name: str) -> None:
    host.users(name)
    host.users({"name": name, "state": "absent"})


def entries(path: Path) -> bytes:
    content = path.read_bytes()
    outline = read_outline(content)
    return content[outline.entries_start : outline.entries_end]


def verified(host: AuthorityHost, certificate: str) -> None:
    """By openssl, which tells whose CRL it is."""
    (host.folder / "ca.pem").write_text(certificate, encoding="ascii")
    host.openssl("crl", "-inform", "DER", "-in", host.crl_der, "-noout", "-CAfile", "ca.pem")


def planned(result: Any) -> str:
    return str(result["diff"]["after"])


def test_one_revocation_more_is_added_to_the_last_crl(host: AuthorityHost) -> None:
    """The list is the same, byte for byte, as one that is built from the store."""
    remove(host, "alice")
    assert "everything from the store" in planned(host("pki_crl", diff=True))
    for count, name in enumerate(("bob", "carol"), start=2):
        before = entries(host.crl_der)
        remove(host, name)
        assert "the last CRL and what was revoked since" in planned(host("pki_crl", check=True, diff=True))
        result = host("pki_crl")
        assert "warnings" not in result.values
        assert entries(host.crl_der).startswith(before)
        assert (result["revoked_count"], load_crl(host.crl_der.read_bytes()).revoked_count) == (count, count)
        verified(host, host("pki_info")["authority"]["certificate"])
    spliced = entries(host.crl_der)
    host("pki_crl", {"force": True})
    assert entries(host.crl_der) == spliced


def test_a_file_that_was_altered_is_not_added_to(host: AuthorityHost) -> None:
    """Neither a file nor the store is believed alone: everything is built anew, and the list is complete."""
    remove(host, "alice")
    host("pki_crl")
    for path in (host.crl, host.crl_der):
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(content)
    remove(host, "bob")
    assert "no file holds the last one" in planned(host("pki_crl", check=True, diff=True))
    assert host("pki_crl")["revoked_count"] == 2


def test_the_last_crl_may_be_in_the_other_file(host: AuthorityHost) -> None:
    remove(host, "alice")
    host("pki_crl")
    host.crl_der.unlink()
    remove(host, "bob")
    assert host("pki_crl")["revoked_count"] == 2
    assert load_crl(host.crl_der.read_bytes()) == load_crl(host.crl.read_bytes())


def test_a_count_that_does_not_add_up_is_told(host: AuthorityHost) -> None:
    """A row is gone from the store: the next CRL is built from what is there, and somebody hears of it."""
    for name in ("alice", "bob"):
        remove(host, name)
    host("pki_crl")
    with sqlite3.connect(host.store) as store:
        store.execute("DELETE FROM revocations WHERE id = 1")
    remove(host, "carol")
    result = host("pki_crl")
    assert "it would list 3 certificates, and the store has 2" in str(result["warnings"])
    assert result["revoked_count"] == load_crl(host.crl_der.read_bytes()).revoked_count == 2
    remove(host, "dave")
    assert "warnings" not in host("pki_crl").values


def test_an_entry_that_is_damaged_is_published_by_nobody(host: AuthorityHost) -> None:
    remove(host, "alice")
    host("pki_crl")
    before = host.crl.read_bytes(), host.crl_der.read_bytes()
    remove(host, "bob")
    with sqlite3.connect(host.store) as store:
        store.execute("UPDATE revocations SET entry = x'3003020101' WHERE id = 2")
    result = host("pki_crl", fails=True)
    assert "entries in the store are damaged" in result.message
    assert (host.crl.read_bytes(), host.crl_der.read_bytes()) == before


def test_two_authorities_sign_with_one_login(host: AuthorityHost) -> None:
    """The active one and the one that stands by; each signs when it has to, and only then."""
    remove(host, "alice")
    host("pki_crl")
    host("pki_authority", {**SUCCESSOR, "state": "standby"})
    other = host.folder / "crl-ca2.der"
    both = host("pki_crl")
    assert [(each["key_label"], each["number"], each["signed"]) for each in both["issuers"]] == [
        ("ca", 1, False),
        ("ca2", 1, True),
    ]
    assert (both["number"], both["revoked_count"], both["issuers"][1]["der_path"]) == (1, 1, str(other))
    assert split_crls(host.crl.read_bytes()) == (host.crl_der.read_bytes(), other.read_bytes())
    assert both["crl"] == host.crl.read_text(encoding="ascii")
    assert both["next_update"] == min(each["next_update"] for each in both["issuers"])
    assert not host("pki_crl", WRONG_PIN).changed

    other.write_bytes(b"junk")
    assert host("pki_crl", WRONG_PIN).changed
    assert load_crl(other.read_bytes()).issuer == "CN=Next authority"
    forced = host("pki_crl", {"force": True})
    assert [each["number"] for each in forced["issuers"]] == [2, 2]
    remove(host, "bob")
    assert [each["signed"] for each in host("pki_crl")["issuers"]] == [True, False]


def test_files_follow_the_authorities(host: AuthorityHost) -> None:
    """Taking over swaps the DER files, without a signature; the one that retires loses its own."""
    host("pki_authority", {**SUCCESSOR, "state": "standby"})
    host("pki_crl")
    before = host.crl.read_bytes()
    host("pki_authority", SUCCESSOR)
    swapped = host("pki_crl", {**WRONG_PIN}, diff=True)
    old, new = host.folder / "crl-ca.der", host.folder / "crl-ca2.der"
    assert swapped.changed
    assert load_crl(host.crl_der.read_bytes()).issuer == "CN=Next authority"
    assert load_crl(old.read_bytes()).issuer != "CN=Next authority"
    assert not new.exists(), "there is one DER file for each"
    assert "of no issuer any more" in str(swapped["diff"]["before"])
    assert host.crl.read_bytes() == before, "gateways get no file for nothing"

    host("pki_authority", {"state": "retired", "hsm_key_label": "ca"})
    assert host("pki_crl", WRONG_PIN, check=True).changed
    assert old.exists()
    assert host("pki_crl", WRONG_PIN).changed
    assert not old.exists()
    assert len(split_crls(host.crl.read_bytes())) == 1
    assert not host("pki_crl", WRONG_PIN).changed


def test_an_authority_that_cannot_sign_holds_up_nobody(host: AuthorityHost) -> None:
    """The key of the one that stands by is gone: the revocation is published first, and the error comes after."""
    host("pki_authority", {**SUCCESSOR, "state": "standby"})
    host("pki_crl")
    remove(host, "alice")
    host("hsm_key", {"hsm_key_label": "ca2", "state": "absent"})
    failed = host("pki_crl", {"force": True}, fails=True)
    assert "has no key 'ca2'" in failed.message
    active, standby = (load_crl(der) for der in split_crls(host.crl.read_bytes()))
    assert (active.number, active.revoked_count, standby.number) == (2, 1, 1)
    assert load_crl(host.crl_der.read_bytes()) == active
