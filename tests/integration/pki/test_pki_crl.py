"""The CRL of a real token, judged by openssl; its files, its numbers, its dates."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from integration.pki.authority_host import AuthorityHost

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import load_crl

GONE = {"name": "alice", "state": "absent"}


def verify(host: AuthorityHost, certificate: str) -> str:
    """What openssl says of a certificate, with the CRL in the file."""
    done = subprocess.run(
        ["openssl", "verify", "-crl_check_all", "-x509_strict", "-CAfile", "ca.pem", "-CRLfile", str(host.crl)],
        input=certificate, capture_output=True, text=True, cwd=host.folder, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_removed_user_is_refused_and_others_are_not(host: AuthorityHost) -> None:
    issued = host.users("alice", "bob")
    alice, bob = (delivery["certificate"] for delivery in issued["deliveries"])
    (host.folder / "ca.pem").write_text(issued["ca_certificate"], encoding="utf-8")
    first = host("pki_crl")
    assert (first.changed, first["number"], first["revoked_count"]) == (True, 1, 0)
    assert "OK" in verify(host, alice)

    host.users(GONE)
    assert host("pki_crl", check=True).changed
    second = host("pki_crl")
    assert (second.changed, second["number"], second["revoked_count"]) == (True, 2, 1)
    assert abs(second["signed_at"] - time.time()) < 60
    assert "certificate revoked" in verify(host, alice)
    assert "OK" in verify(host, bob)
    assert host.crl.read_text(encoding="ascii") == second["crl"]
    assert load_crl(host.crl_der.read_bytes()) == load_crl(host.crl.read_bytes())
    assert {path.stat().st_mode & 0o777 for path in (host.crl, host.crl_der)} == {0o644}
    assert first["this_update"] < second["this_update"], "OpenVPN tells CRLs apart by whole seconds"

    unchanged = host("pki_crl", {"hsm_pin": "wrong"})
    assert not unchanged.changed
    assert (unchanged["number"], unchanged["crl"]) == (2, second["crl"])


def test_files_are_mended(host: AuthorityHost) -> None:
    """From each other without a login, and by a new CRL when neither is right."""
    signed = host("pki_crl")
    for spoil in (host.crl.unlink, lambda: host.crl.write_bytes(b"junk"), lambda: host.crl.chmod(0o600)):
        spoil()
        result = host("pki_crl", {"hsm_pin": "wrong"})
        assert (result.changed, result["number"]) == (True, 1)
        assert (host.crl.read_text(encoding="ascii"), host.crl.stat().st_mode & 0o777) == (signed["crl"], 0o644)
    host.crl_der.write_bytes(b"")
    assert host("pki_crl", {"hsm_pin": "wrong"}).changed
    assert load_crl(host.crl_der.read_bytes()).number == 1
    host.crl.unlink()
    host.crl_der.unlink()
    assert host("pki_crl")["number"] == 2


def test_it_is_signed_when_due_and_when_asked(host: AuthorityHost) -> None:
    assert host("pki_crl", {"return_content": False}).values.get("crl") is None
    assert not host("pki_crl", {"renewal_days": 29}).changed
    host("pki_authority", {"crl_validity_days": 60})
    due = host("pki_crl", {"renewal_days": 31})
    assert (due.changed, due["number"]) == (True, 2)
    assert not host("pki_crl", {"renewal_days": 31}).changed
    assert host("pki_crl", {"force": True})["number"] == 3
    assert "renewal_days" in host("pki_crl", {"renewal_days": 60}, fails=True).message
    assert host("pki_info")["crl"]["days_left"] > 59


def test_a_folder_that_cannot_be_written_is_an_error_and_a_rerun_completes(host: AuthorityHost) -> None:
    elsewhere = host.folder / "missing" / "crl.pem"
    result = host("pki_crl", {"crl_path": str(elsewhere)}, fails=True)
    assert f"Cannot write {elsewhere}" in result.message
    completed = host("pki_crl", {"hsm_pin": "wrong"})
    assert completed.changed
    assert load_crl(host.crl.read_bytes()).number == completed["number"] == 1, "it was signed, and is in the other file"


def test_a_store_from_an_old_backup_signs_nothing(host: AuthorityHost) -> None:
    """Its next CRL would give a removed user access again."""
    host.users("alice")
    host("pki_crl")
    backup = host.store.read_bytes()
    host.users(GONE)
    newest = host("pki_crl")
    host.store.write_bytes(backup)
    result = host("pki_crl", {"force": True}, fails=True)
    assert "holds the CRL 2 of this authority, and the store knows of none after 1" in result.message
    assert host.crl.read_text(encoding="ascii") == newest["crl"]


def test_a_wrong_pin_leaves_the_old_crl(host: AuthorityHost) -> None:
    before = host("pki_crl")["crl"]
    assert "PIN" in host("pki_crl", {"force": True, "hsm_pin": "wrong"}, fails=True).message
    assert host.crl.read_text(encoding="ascii") == before
    assert host("pki_crl", {"force": True})["number"] == 2


def test_check_mode_on_a_fresh_host(bare_host: AuthorityHost) -> None:
    result = bare_host("pki_crl", check=True)
    assert (result.changed, result["number"], result["crl"]) == (True, None, "")
    assert not Path(bare_host.folder).exists()


def test_without_an_authority_there_is_no_crl(bare_host: AuthorityHost) -> None:
    assert "pki_authority" in bare_host("pki_crl", fails=True).message
