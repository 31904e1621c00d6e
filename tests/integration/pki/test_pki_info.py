"""What the store tells, and that it tells no secret."""

from __future__ import annotations

import sqlite3

from integration.pki.authority_host import AuthorityHost


def test_a_host_without_a_store_is_no_error(bare_host: AuthorityHost) -> None:
    result = bare_host("pki_info")
    assert (result["store_exists"], result["authority"], result["certificates"]) == (False, None, [])
    assert not bare_host.folder.exists()


def test_it_shows_what_there_is(host: AuthorityHost) -> None:
    empty = host("pki_info")
    assert (empty["crl"], empty["audit"]["valid"], empty["authority"]["state"]) == (None, True, "active")
    host.users("alice", "bob", validity_days=100)
    host.users({"name": "bob", "state": "absent"})
    host("pki_crl")
    host.users({"name": "alice", "state": "absent"})
    result = host("pki_info", check=True)
    assert not result.changed
    assert {item["name"]: item["reason"] for item in result["certificates"]} == {
        "alice": "cessationOfOperation",
        "bob": "cessationOfOperation",
    }
    assert 99 < result["certificates"][0]["days_left"] <= 100
    assert (result["crl"]["revoked_count"], result["crl"]["unpublished"]) == (1, 1)
    assert result["counts"]["revoked"] == 2
    assert result["audit"]["records"] > 5
    assert "PRIVATE KEY" not in result.output
    assert host("pki_info", {"names": ["bob"], "check_audit": False})["audit"] is None


def test_a_revocation_that_somebody_took_back_is_shown(host: AuthorityHost) -> None:
    host.users("alice")
    host.users({"name": "alice", "state": "absent"})
    store = sqlite3.connect(host.store)
    store.execute("DELETE FROM revocations")
    store.execute("UPDATE certificates SET state = 'valid'")
    store.commit()
    store.close()
    audit = host("pki_info")["audit"]
    assert not audit["valid"]
    assert "disagree on whether certificate" in audit["problems"][0]
