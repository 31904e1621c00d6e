"""Setting up an authority, and everything that must not set it up again."""

from __future__ import annotations

import shutil
from pathlib import Path

from integration.pki.authority_host import AuthorityHost

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityRegistry
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin

WRONG_PIN = {"hsm_pin": "not-the-pin"}


def objects(host: AuthorityHost) -> dict[Path, bytes]:
    """Everything in the token, byte for byte."""
    return {path: path.read_bytes() for path in host.token.objects_folder.rglob("*") if path.is_file()}


def test_check_mode_on_a_fresh_host_neither_writes_nor_logs_in(bare_host: AuthorityHost) -> None:
    before = objects(bare_host)
    result = bare_host("pki_authority", {"tls_crypt_v2_server_key": str(bare_host.server_key), **WRONG_PIN}, check=True)
    assert result.changed
    assert result["certificate"] == ""
    assert not bare_host.folder.exists()
    assert objects(bare_host) == before


def test_a_playbook_sets_it_up_once(bare_host: AuthorityHost) -> None:
    options = {"tls_crypt_v2_server_key": str(bare_host.server_key)}
    assert bare_host.play("pki_authority", options, check=True, diff=True).changed
    result = bare_host.play("pki_authority", options, diff=True)
    assert result.changed
    assert bare_host.token.pin not in result.output
    assert "OpenVPN tls-crypt" not in result.output
    assert not bare_host.play("pki_authority", options, diff=True).changed


def test_it_is_set_up_once(bare_host: AuthorityHost) -> None:
    result = bare_host.set_up()
    assert result.changed
    assert result["key_label"] == "ca"
    (bare_host.folder / "ca.pem").write_text(result["certificate"], encoding="utf-8")
    assert "OK" in bare_host.openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", "ca.pem", "ca.pem")
    modes = {path.name: path.stat().st_mode & 0o777 for path in bare_host.folder.iterdir() if path.name != "ca.pem"}
    assert set(modes.values()) == {0o600}
    assert bare_host.folder.stat().st_mode & 0o777 == 0o700

    again = bare_host("pki_authority", {"tls_crypt_v2_server_key": str(bare_host.server_key), **WRONG_PIN})
    assert not again.changed, "and without a login, since the PIN was wrong"
    assert again["certificate"] == result["certificate"]
    assert again["fingerprint"] == result["fingerprint"]


def test_settings_that_can_change_do_so_without_a_login(host: AuthorityHost) -> None:
    host.server_key.chmod(0o644)
    key = host.server_key.read_bytes()
    options = {"tls_crypt_v2_server_key": str(host.server_key), "crl_validity_days": 7, **WRONG_PIN}
    result = host("pki_authority", options, diff=True)
    assert result.changed
    assert "OpenVPN" not in result.output
    assert host.server_key.stat().st_mode & 0o777 == 0o600
    assert host.server_key.read_bytes() == key
    assert not host("pki_authority", options).changed
    assert host("pki_info")["authority"]["crl_validity_days"] == 7


def test_name_and_algorithm_are_for_life(host: AuthorityHost) -> None:
    assert "has the common_name" in host("pki_authority", {"common_name": "Other"}, fails=True).message
    assert "has the algorithm" in host("pki_authority", {"algorithm": "ed25519"}, fails=True).message


def test_a_wrong_pin_is_tried_once_and_leaves_no_store(bare_host: AuthorityHost) -> None:
    result = bare_host("pki_authority", WRONG_PIN, fails=True)
    assert "PIN" in result.message
    assert "not-the-pin" not in result.output
    assert not bare_host.store.exists()
    assert bare_host.set_up().changed, "the token was not locked"


def test_a_missing_token_is_named(bare_host: AuthorityHost) -> None:
    assert "'elsewhere'" in bare_host("pki_authority", {"hsm_token": "elsewhere"}, fails=True).message
    assert not bare_host.store.exists()


def test_a_lost_store_is_not_replaced_by_an_empty_one(host: AuthorityHost) -> None:
    """It would forget every revocation."""
    shutil.rmtree(host.folder)
    result = host("pki_authority", fails=True)
    assert "already has a key 'ca'" in result.message
    assert "backup" in result.message
    assert not host.store.exists()
    assert host("pki_authority", {"adopt_key": True}).changed
    assert "of the kind ec-p256" in host_without_store(host)


def host_without_store(host: AuthorityHost) -> str:
    shutil.rmtree(host.folder)
    return host("pki_authority", {"adopt_key": True, "algorithm": "rsa-2048"}, fails=True).message


def test_a_run_that_broke_off_is_taken_up(bare_host: AuthorityHost) -> None:
    """Killed after the key was made and before its certificate was stored."""
    registry = AuthorityRegistry(StoreLocation(path=bare_host.store), Origin("test"), utc_now)
    bare_host.folder.mkdir(mode=0o700)
    registry.intend(label="ca", common_name="Private Space VPN authority", algorithm="ec-p256", crl_validity_days=30)
    public_key = bare_host("hsm_key")["public_key"]
    result = bare_host.set_up()
    assert result.changed
    assert bare_host.openssl("x509", "-pubkey", "-noout", stdin=result["certificate"]) == public_key


def test_a_second_authority_does_not_get_into_the_store(host: AuthorityHost) -> None:
    result = host("pki_authority", {"hsm_key_label": "other"}, fails=True)
    assert "already belongs to the authority with the key label 'ca'" in result.message


def test_other_algorithms_work(bare_host: AuthorityHost) -> None:
    result = bare_host("pki_authority", {"algorithm": "rsa-2048", "common_name": "RSA authority"})
    assert "rsaEncryption" in bare_host.openssl("x509", "-text", "-noout", stdin=result["certificate"])
    assert bare_host.users("alice")["counts"]["issued"] == 1
