"""Users and devices through a real token: issued, kept, renewed, reissued, revoked, and refused."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from integration.pki.authority_host import DIRECT_RUN, AuthorityHost
from integration.run_module import ModuleResult, collections_path
from integration.softhsm import make_token

from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import unwrap_client_key

LAPTOP = {"name": "alice", "devices": [{"name": "laptop"}]}
REISSUE = {"name": "alice", "devices": [{"name": "laptop", "reissue": True}]}
GONE = {"name": "alice", "state": "absent"}


def outcomes(result: ModuleResult) -> dict[str, str]:
    return {user["common_name"]: user["outcome"] for user in result["users"]}


def contents(host: AuthorityHost) -> dict[Path, bytes]:
    """Everything that a run could have written."""
    folders = (host.folder, host.token.objects_folder)
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_the_life_of_a_device(host: AuthorityHost) -> None:
    """Issued, kept, lost and reissued, removed, removed again, and back."""
    issued = host.users(LAPTOP, "bob", tls_crypt_v2_server_key=str(host.server_key))
    assert outcomes(issued) == {"alice@laptop": "issued", "bob@default": "issued"}
    assert [delivery["common_name"] for delivery in issued["deliveries"]] == ["alice@laptop", "bob@default"]

    kept = host.users(LAPTOP, "bob", hsm_pin="wrong")
    assert not kept.changed, "and without a login, since the PIN was wrong"
    assert outcomes(kept) == {"alice@laptop": "kept", "bob@default": "kept"}
    assert kept["deliveries"] == []
    assert kept["users"][0]["serial"] == issued["users"][0]["serial"]

    reissued = host.users(REISSUE)
    assert outcomes(reissued) == {"alice@laptop": "reissued"}
    assert reissued["revoked"] == [{"common_name": "alice@laptop", "serial": issued["users"][0]["serial"]}]
    assert reissued["users"][0]["serial"] != issued["users"][0]["serial"]

    removed = host.users(GONE)
    serials = {issued["users"][0]["serial"], reissued["users"][0]["serial"]}
    assert outcomes(removed) == {"alice@laptop": "revoked"}
    assert {entry["serial"] for entry in removed["revoked"]} == serials

    again = host.users(GONE)
    assert not again.changed
    assert outcomes(again) == {"alice@laptop": "already_revoked"}
    assert {entry["serial"] for entry in again["revoked"]} == serials, "a rerun can finish the job on the gateways"

    assert outcomes(host.users(LAPTOP)) == {"alice@laptop": "issued"}
    assert host("pki_info")["audit"]["valid"]


def test_a_delivery_works(host: AuthorityHost) -> None:
    """Key, certificate and chain fit each other, and the tls-crypt-v2 key fits the server's."""
    (delivery,) = host.users(LAPTOP, tls_crypt_v2_server_key=str(host.server_key))["deliveries"]
    for name in ("certificate", "ca_chain", "private_key"):
        (host.folder / name).write_text(delivery[name], encoding="utf-8")
    purpose = ("-purpose", "sslclient", "-x509_strict")
    assert "OK" in host.openssl("verify", *purpose, "-CAfile", "ca_chain", "certificate")
    assert host.openssl("pkey", "-in", "private_key", "-pubout") == host.openssl(
        "x509", "-in", "certificate", "-pubkey", "-noout"
    )
    assert "CN = alice@laptop" in host.openssl("x509", "-in", "certificate", "-subject", "-noout")
    metadata = unwrap_client_key(host.server_key.read_text(encoding="ascii"), delivery["tls_crypt_v2"]).metadata
    assert "alice@laptop" in str(metadata)


def test_a_device_may_keep_its_key_to_itself(host: AuthorityHost) -> None:
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "device.key")
    csr = host.openssl("req", "-new", *new_key, "-subj", "/CN=whatever")
    user = {"name": "alice", "devices": [{"name": "laptop", "csr_content": csr}]}
    (delivery,) = host.users(user)["deliveries"]
    assert delivery["private_key"] is None
    public_key = host.openssl("pkey", "-in", "device.key", "-pubout")
    assert host.openssl("x509", "-pubkey", "-noout", stdin=delivery["certificate"]) == public_key
    assert not host.users(user).changed
    other = host.openssl("req", "-new", *new_key, "-subj", "/CN=whatever")
    assert outcomes(host.users({"name": "alice", "devices": [{"name": "laptop", "csr_content": other}]})) == {
        "alice@laptop": "reissued"
    }


def test_a_renewal_keeps_the_old_certificate_usable_and_a_removal_gets_both(host: AuthorityHost) -> None:
    first = host.users(LAPTOP, validity_days=10, renewal_days=1)["users"][0]["serial"]
    renewed = host.users(LAPTOP, validity_days=365, renewal_days=30)
    assert outcomes(renewed) == {"alice@laptop": "renewed"}
    assert renewed["revoked"] == []
    assert len(renewed["deliveries"]) == 1
    states = {item["serial"]: item["state"] for item in host("pki_info")["certificates"]}
    second = renewed["users"][0]["serial"]
    assert states == {first: "superseded", second: "valid"}
    assert {entry["serial"] for entry in host.users(GONE)["revoked"]} == {first, second}


def test_purge_removes_who_is_not_in_the_list(host: AuthorityHost) -> None:
    host.users(LAPTOP, "bob", "carol")
    assert not host.users("bob").changed, "without purge others are left alone"
    result = host.users("bob", purge=True)
    assert outcomes(result) == {"bob@default": "kept", "alice@laptop": "revoked", "carol@default": "revoked"}
    assert not host.users("bob", purge=True).changed


def test_check_mode_tells_everything_and_touches_nothing(host: AuthorityHost) -> None:
    host.users(LAPTOP, "bob")
    before = contents(host)
    result = host.users(REISSUE, "carol", {"name": "bob", "state": "absent"}, check=True, hsm_pin="wrong")
    assert result.changed
    assert outcomes(result) == {"alice@laptop": "reissued", "carol@default": "issued", "bob@default": "revoked"}
    assert result["deliveries"] == []
    assert contents(host) == before


def test_check_mode_on_a_fresh_host_plans_to_issue_all(bare_host: AuthorityHost) -> None:
    result = bare_host.users(LAPTOP, "bob", check=True, tls_crypt_v2_server_key=str(bare_host.server_key))
    assert result["counts"]["issued"] == 2
    assert result["ca_certificate"] == ""
    assert not bare_host.folder.exists()


def test_a_playbook_shows_no_secret_in_a_diff(host: AuthorityHost) -> None:
    result = host.play("pki_users", {"users": [REISSUE]}, diff=True)
    diff = str(result["diff"])
    assert "alice@laptop" in diff
    assert "PRIVATE" not in diff
    assert "BEGIN" not in diff
    assert host.token.pin not in result.output


@pytest.mark.parametrize(
    "users",
    [
        [
            {"name": "good"},
            {"name": "../../etc"},
            {"name": "a\nup /bin/sh"},
            {"name": "b", "devices": [{"name": "c:d"}]},
        ],
        [{"name": "a" * 10_000}, {"name": ""}, {"name": "é"}, {"name": "'"}],
    ],
    ids=["injection", "nonsense"],
)
def test_bad_names_are_all_named_before_anything_is_touched(host: AuthorityHost, users: list[dict[str, Any]]) -> None:
    before = contents(host)
    result = host.users(*users, fails=True)
    assert "Nothing was changed" in result.message
    assert result.message.count(" name '") == 3 if users[0]["name"] == "good" else 4
    assert contents(host) == before


def test_an_unknown_user_is_named_before_anything_is_changed(host: AuthorityHost) -> None:
    before = contents(host)
    result = host.users("bob", GONE, {"name": "zoe", "state": "absent"}, fails=True)
    assert "'alice', 'zoe'" in result.message
    assert contents(host) == before
    assert host.users("bob", GONE, missing_ok=True)["counts"]["issued"] == 1


def test_a_wrong_pin_changes_nothing(host: AuthorityHost) -> None:
    """Not even the revocation that is part of a reissue."""
    host.users(LAPTOP)
    result = host.users(REISSUE, "bob", hsm_pin="wrong", fails=True)
    assert "PIN" in result.message
    info = host("pki_info")
    assert info["counts"]["valid"] == 1
    assert info["counts"]["revoked"] == 0


def test_a_missing_tls_crypt_key_changes_nothing(host: AuthorityHost) -> None:
    host.users(LAPTOP)
    host.server_key.unlink()
    result = host.users(REISSUE, tls_crypt_v2_server_key=str(host.server_key), fails=True)
    assert "no tls-crypt-v2 server key" in result.message
    assert host("pki_info")["counts"]["valid"] == 1


def test_a_token_without_the_key_is_an_error_and_no_new_key(host: AuthorityHost) -> None:
    host("hsm_key", {"state": "absent"})
    result = host.users("alice", fails=True)
    assert "has no key 'ca', though the store knows the authority" in result.message
    assert not host("pki_authority").changed
    assert host("hsm_key", check=True).changed, "there still is no key"


def test_a_key_that_does_not_belong_to_the_authority_is_found_out(host: AuthorityHost, tmp_path: Path) -> None:
    other = make_token(tmp_path / "softhsm", label="other")
    host("hsm_key", other.options)
    result = host("pki_users", {"users": [{"name": "alice"}], **other.options}, fails=True)
    assert "key" in result.message
    assert host("pki_info")["counts"] == dict.fromkeys(host("pki_info")["counts"], 0)


def test_a_host_without_an_authority_says_how_to_get_one(bare_host: AuthorityHost) -> None:
    result = bare_host.users("alice", fails=True)
    assert "pki_authority" in result.message
    assert not bare_host.folder.exists()


def test_a_run_waits_for_the_lock_and_gives_up_with_a_clear_error(host: AuthorityHost) -> None:
    with exclusive_lock(host.folder / "authority.db.lock", wait_seconds=0, what="the test"):
        result = host.users("alice", store_lock_wait=1, fails=True)
        assert "is in use by another run, and was still in use after 1 s" in result.message
        assert host.users("alice", check=True).changed, "a check mode does not wait"
        assert host("pki_info")["store_exists"]


def test_a_damaged_store_is_an_error_that_leaves_it_alone(host: AuthorityHost) -> None:
    damage = b"damaged" + os.urandom(5000)
    host.store.write_bytes(damage)
    assert "is damaged" in host.users("alice", fails=True).message
    assert "is damaged" in host("pki_authority", fails=True).message
    assert host.store.read_bytes() == damage


def test_a_store_that_others_can_read_is_refused(host: AuthorityHost) -> None:
    host.store.chmod(0o644)
    assert "chmod 0600" in host.users("alice", fails=True).message


def test_the_audit_trail_tells_who_and_which_job(host: AuthorityHost) -> None:
    host.users("alice", audit_actor="Ada", audit_job="awx 4711")
    store = sqlite3.connect(host.store)
    told = store.execute("SELECT DISTINCT actor, job FROM audit WHERE action LIKE 'certificate%'").fetchall()
    store.close()
    assert told == [("Ada", "awx 4711")]
    assert "control character" in host.users("bob", audit_job="a\nb", fails=True).message


# Faults that are put into a process of their own before the module runs there, at the edge of our code.
TOKEN_LEAVES = """
import pkcs11.types
sign, left = pkcs11.types.SignMixin.sign, [{signatures}]
def sign_some(self, *arguments, **options):
    left[0] -= 1
    if left[0] < 0:
        raise pkcs11.DeviceRemoved()
    return sign(self, *arguments, **options)
pkcs11.types.SignMixin.sign = sign_some
"""
KILLED_BEFORE_IT_TELLS = """
import os
from ansible.module_utils.basic import AnsibleModule
AnsibleModule.exit_json = lambda *arguments, **values: os._exit(9)
"""
KILLED_ONCE_IT_HAS_TOLD = """
import sqlite3, os
connect = sqlite3.connect
class Connection(sqlite3.Connection):
    def cursor(self, *arguments):
        return super().cursor(Cursor)
class Cursor(sqlite3.Cursor):
    def execute(self, statement, *values):
        return super().execute(self.until_the_delivery(statement), *values)
    def executemany(self, statement, rows):
        return super().executemany(self.until_the_delivery(statement), rows)
    def until_the_delivery(self, statement):
        return os._exit(9) if "delivered_at=" in statement else statement
sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Connection, **options)
"""


def run_with(fault: str, host: AuthorityHost, *users: dict[str, Any] | str, **options: Any) -> tuple[int, ModuleResult]:
    """``pki_users`` in a process with a fault: its status, and its result, empty where it died without one."""
    wanted = [{"name": user} if isinstance(user, str) else user for user in users]
    arguments = {**host.options_of("pki_users"), "users": wanted, **options}
    done = subprocess.run(
        [sys.executable, "-c", fault + DIRECT_RUN, str(collections_path()), "pki_users", "0"],
        input=json.dumps(arguments), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, ModuleResult(json.loads(done.stdout or "{}"), done.stdout + done.stderr)


def test_a_token_that_leaves_in_the_middle(host: AuthorityHost) -> None:
    """What it signed is delivered by the failure; the rest is told, and the next run completes it."""
    host.users("gone", "old")
    names = [f"u{number}" for number in range(600)]
    users: list[dict[str, Any] | str] = ["old", {"name": "gone", "state": "absent"}, *names]
    # One signature proves the key.
    status, result = run_with(TOKEN_LEAVES.format(signatures=1 + 520), host, *users)
    assert (status, result.failed, result.changed) == (1, True, True)
    assert "DeviceRemoved" in result.message
    assert "Of 600 certificates 520 were signed and stored" in result.message
    assert "80 are left" in result.message
    assert "Running again completes" in result.message
    wanted = {"issued": 520, "failed": 80, "revoked": 1, "kept": 1}
    assert {name: count for name, count in result["counts"].items() if count} == wanted
    assert [delivery["name"] for delivery in result["deliveries"]] == names[:520]
    assert [user["name"] for user in result["users"] if user["outcome"] == "failed"] == names[520:]
    told = {user["serial"] for user in result["users"] if user["outcome"] == "issued"}
    assert len(told) == 520
    assert [entry["common_name"] for entry in result["revoked"]] == ["gone@default"]

    info = host("pki_info")
    assert info["audit"]["valid"]
    assert told <= {certificate["serial"] for certificate in info["certificates"]}
    assert info["counts"]["valid"] == 521

    rest = host.users(*users)
    assert (rest["counts"]["issued"], rest["counts"]["kept"]) == (80, 521)
    assert [delivery["name"] for delivery in rest["deliveries"]] == names[520:]
    assert not host.users(*users).changed


def test_a_token_that_leaves_before_the_first_signature(host: AuthorityHost) -> None:
    status, result = run_with(TOKEN_LEAVES.format(signatures=1), host, "alice")
    assert (status, result["deliveries"], result["counts"]["failed"]) == (1, [], 1)
    assert host("pki_info")["certificates"] == []
    assert outcomes(host.users("alice")) == {"alice@default": "issued"}


@pytest.mark.parametrize(("fault", "came_out"), [(KILLED_BEFORE_IT_TELLS, 0), (KILLED_ONCE_IT_HAS_TOLD, 2)])
def test_a_run_that_is_killed_at_its_end_is_done_again(host: AuthorityHost, fault: str, came_out: int) -> None:
    """The keys died with it, or somebody may have them: the next run revokes what it stored and issues anew."""
    status, result = run_with(fault, host, "alice", "bob")
    assert (status, len(result.values.get("deliveries", ()))) == (9, came_out)
    (lost, _other) = host("pki_info")["certificates"]
    assert lost["state"] == "valid", "it was stored"

    planned = host.users("alice", "bob", check=True)
    again = host.users("alice", "bob")
    assert outcomes(planned) == outcomes(again) == {"alice@default": "reissued", "bob@default": "reissued"}
    assert "before it was known to be delivered" in again["users"][0]["note"]
    assert [each["common_name"] for each in again["revoked"]] == ["alice@default", "bob@default"]
    assert len(again["deliveries"]) == 2
    states = {each["serial"]: (each["state"], each["reason"]) for each in host("pki_info")["certificates"]}
    assert states[lost["serial"]] == ("revoked", "superseded")
    assert outcomes(host.users("alice", "bob")) == {"alice@default": "kept", "bob@default": "kept"}


def test_a_lost_device_is_revoked_with_its_reason_and_since_when(host: AuthorityHost) -> None:
    (old,) = host.users(LAPTOP)["users"]
    lost = {"name": "laptop", "reissue": True, "reason": "keyCompromise", "invalidity_date": "2026-11-20T17:30:00Z"}
    assert outcomes(host.users({"name": "alice", "devices": [lost]})) == {"alice@laptop": "reissued"}
    host("pki_crl")
    text = host.openssl("crl", "-in", host.crl, "-noout", "-text")
    assert f"{int(old['serial']):X}" in text
    assert "Key Compromise" in text
    assert "Nov 20 17:30:00 2026 GMT" in text


def test_devices_move_to_the_authority_that_has_taken_over_when_asked(host: AuthorityHost) -> None:
    (old,) = host.users("alice")["users"]
    host("pki_authority", {"hsm_key_label": "ca2", "replaces": "ca", "common_name": "Next authority"})
    assert outcomes(host.users("alice")) == {"alice@default": "kept"}
    planned = host.users("alice", renew_retiring=True, check=True)
    moved = host.users("alice", renew_retiring=True)
    assert outcomes(planned) == outcomes(moved) == {"alice@default": "renewed"}
    assert moved["revoked"] == [], "the old one can be used until it expires"
    issuer = host.openssl("x509", "-noout", "-issuer", stdin=moved["deliveries"][0]["certificate"])
    assert "Next authority" in issuer
    states = {each["serial"]: each["state"] for each in host("pki_info")["certificates"]}
    assert states == {old["serial"]: "superseded", moved["users"][0]["serial"]: "valid"}
    assert not host.users("alice", renew_retiring=True).changed


def test_a_removed_user_is_revoked_with_the_reason_that_was_given(host: AuthorityHost) -> None:
    host.users(LAPTOP)
    host.users({**GONE, "reason": "affiliationChanged"})
    (certificate,) = host("pki_info")["certificates"]
    assert (certificate["state"], certificate["reason"]) == ("revoked", "affiliationChanged")


@pytest.mark.parametrize(
    "users",
    [
        [{"name": "alice", "reason": "superseded"}],
        [{"name": "alice", "devices": [{"name": "laptop", "reissue": True, "invalidity_date": "tomorrow"}]}],
        [{"name": "alice", "devices": [{"name": "laptop", "pkcs12_password": "short"}]}],
    ],
    ids=["reason", "date", "password"],
)
def test_details_that_make_no_sense_change_nothing(host: AuthorityHost, users: list[dict[str, Any]]) -> None:
    before = contents(host)
    assert "Nothing was changed" in host.users("bob", *users, fails=True).message
    assert contents(host) == before


@pytest.mark.parametrize("password", [None, "a password of alice"], ids=["made", "given"])
def test_a_pkcs12_is_read_by_openssl_with_its_password_only(host: AuthorityHost, password: str | None) -> None:
    device = {"name": "laptop", **({"pkcs12_password": password} if password else {})}
    result = host.users({"name": "alice", "devices": [device]}, pkcs12=not password)
    (delivery,) = result["deliveries"]
    if password:
        assert delivery["pkcs12_password"] == password
        assert password not in json.dumps(result["invocation"])
    (host.folder / "alice.p12").write_bytes(base64.b64decode(delivery["pkcs12"]))
    read = ("pkcs12", "-in", "alice.p12", "-nodes", "-passin")
    text = host.openssl(*read, f"pass:{delivery['pkcs12_password']}")
    assert "friendlyName: alice@laptop" in text
    assert text.count("BEGIN CERTIFICATE") == 2, "its own and that of the authority"
    assert "".join(delivery["certificate"].split()) in "".join(text.split())
    assert "".join(delivery["private_key"].split()) in "".join(text.split())
    info = host.openssl(
        "pkcs12", "-in", "alice.p12", "-info", "-noout", "-passin", f"pass:{delivery['pkcs12_password']}"
    )
    wrong = subprocess.run(
        ["openssl", *read, "pass:another one"], cwd=host.folder, capture_output=True, text=True, check=False
    )
    assert wrong.returncode != 0
    assert "invalid password" in wrong.stderr
    assert info == ""


def test_a_pin_that_occurs_in_a_key_by_chance_does_not_damage_it(host: AuthorityHost) -> None:
    """Ansible masks the values of secret options wherever it finds them in a result."""
    result = host.users(*(f"u{number}" for number in range(40)), hsm_pin=host.token.pin, pkcs12_password="CERTIFICATE")
    assert all("-----BEGIN CERTIFICATE-----" in delivery["certificate"] for delivery in result["deliveries"])
    assert "CERTIFICATE" not in json.dumps(result["invocation"])


def test_a_thousand_users_in_one_call(host: AuthorityHost) -> None:
    """What check mode tells is what happens, and the second run has nothing to do."""
    names = [f"user{number}" for number in range(1000)]
    planned = host.users(*names, check=True)
    result = host.users(*names, tls_crypt_v2_server_key=str(host.server_key))
    assert outcomes(planned) == outcomes(result)
    assert planned["counts"] == result["counts"]
    assert result["counts"]["issued"] == len(result["deliveries"]) == 1000
    assert len({user["serial"] for user in result["users"]}) == 1000
    assert not host.users(*names).changed
    assert host("pki_info")["running"] is None
    assert not (host.folder / "progress.json").exists()
