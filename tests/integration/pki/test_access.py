"""Disabling and enabling on a real store: without the token, at once for all, told to the audit trail."""

from __future__ import annotations

import shutil
import sqlite3
from typing import Any

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.pki.database_host import DatabaseHost
from integration.run_module import ModuleResult

LAPTOP, PHONE = {"name": "laptop"}, {"name": "phone"}
ALICE = {"name": "alice", "devices": [LAPTOP, PHONE]}


def access(host: AuthorityHost, *users: dict[str, Any], **more: Any) -> ModuleResult:
    return host.users(*users, access_only=True, **more)


def told(host: AuthorityHost) -> list[tuple[str, str, str]]:
    with sqlite3.connect(host.store) as store:
        return store.execute(
            "SELECT action, subject, detail FROM audit WHERE action LIKE 'access.%' ORDER BY sequence"
        ).fetchall()


def test_disabled_and_enabled_without_the_token(host: AuthorityHost) -> None:
    issued = host.users(ALICE, "bob")
    assert issued["disabled"] == []
    assert [device["common_name"] for device in issued["devices"]] == ["alice@laptop", "alice@phone", "bob@default"]
    shutil.rmtree(host.token.objects_folder)

    wish = {"name": "alice", "access": "disabled", "access_reason": "on leave"}
    done = access(host, wish, hsm_module="/nowhere.so")
    assert done.changed
    assert done["disabled"] == ["alice@laptop", "alice@phone"]
    assert (done["users"], done["deliveries"], done["revoked"]) == ([], [], [])
    assert not access(host, wish).changed
    assert told(host) == [("access.disabled", "alice", '{"why":"on leave"}')]

    info = host("pki_info")
    assert (info["disabled"], info["audit"]["valid"]) == (done["disabled"], True)
    assert info["devices"] == done["devices"]
    assert [(each["user"], each["device"], each["reason"]) for each in info["suspensions"]] == [
        ("alice", "", "on leave")
    ]
    assert {item["state"] for item in info["certificates"]} == {"valid"}

    back = access(host, {"name": "alice", "access": "enabled"})
    assert (back.changed, back["disabled"], back["once_disabled"]) == (True, [], True)
    assert host("pki_info")["suspensions"] == []


def test_a_device_of_a_disabled_user_is_issued_disabled_and_a_removed_name_begins_enabled(host: AuthorityHost) -> None:
    host.users({**ALICE, "access": "disabled"}, {"name": "bob", "devices": [{**PHONE, "access": "disabled"}]})
    added = host.users({"name": "alice", "devices": [{"name": "tablet"}]})
    assert added["once_revoked"] == []
    assert added["disabled"] == ["alice@laptop", "alice@phone", "alice@tablet", "bob@phone"]
    removed = host.users({"name": "alice", "state": "absent"}, {"name": "bob", "state": "absent"})
    assert (removed["devices"], removed["disabled"], removed["once_disabled"]) == ([], [], True)
    assert told(host)[-2:] == [
        ("access.enabled", "alice", '{"why":"removed"}'),
        ("access.enabled", "bob@phone", '{"why":"removed"}'),
    ]
    again = host.users(ALICE)
    assert (again["disabled"], again["once_disabled"]) == ([], True)
    assert again["once_revoked"] == ["alice"], "a gateway that was away meanwhile may deny the name still"
    assert host("pki_info")["audit"]["valid"]


def test_check_mode_and_diff_show_it_and_write_nothing(host: AuthorityHost) -> None:
    host.users(ALICE)
    before = host.store.read_bytes()
    wish = {"users": [{"name": "alice", "devices": [{**PHONE, "access": "disabled"}]}], "access_only": True}
    result = host("pki_users", wish, check=True, diff=True)
    assert (result.changed, result["disabled"]) == (True, ["alice@phone"])
    assert '"alice@phone": "disabled"' in result["diff"]["after"]
    assert '"alice@phone": "enabled"' in result["diff"]["before"]
    assert host.store.read_bytes() == before
    assert host("pki_info")["disabled"] == []


@pytest.mark.parametrize(
    ("user", "more", "words"),
    [
        ({"name": "zoe", "access": "disabled"}, {}, "no certificate of 'zoe'"),
        ({"name": "alice", "devices": [{"name": "old", "access": "enabled"}]}, {}, "no certificate of 'alice@old'"),
        ({"name": "alice", "access": "disabled"}, {"purge": True}, "'purge' removes users"),
        ({"name": "alice"}, {}, "neither disabled nor enabled"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    host: AuthorityHost, user: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    host.users(ALICE)
    before = host.store.read_bytes()
    assert words in access(host, user, fails=True, **more).message
    assert host.store.read_bytes() == before


def test_a_wrong_pin_disables_nobody_in_a_call_that_signs(host: AuthorityHost) -> None:
    host.users(ALICE)
    assert "PIN" in host.users({**ALICE, "access": "disabled"}, "bob", hsm_pin="wrong", fails=True).message
    assert host("pki_info")["disabled"] == []


def test_a_backup_carries_it(host: AuthorityHost) -> None:
    host.users(ALICE)
    access(host, {"name": "alice", "access": "disabled", "access_reason": "on leave"})
    saved = host("pki_backup", {"folder": str(host.folder / "backups")})
    host.store.unlink()
    for left in host.folder.glob("authority.db-*"):
        left.unlink()
    host("pki_restore", {"archive": saved["path"]})
    info = host("pki_info")
    assert (info["disabled"], info["audit"]["valid"]) == (["alice@laptop", "alice@phone"], True)


def test_in_a_database_server_it_is_the_same(database_host: DatabaseHost) -> None:
    database_host.set_up()
    database_host.users(ALICE, "bob")
    wish = {"name": "alice", "access": "disabled"}
    assert access(database_host, wish)["disabled"] == ["alice@laptop", "alice@phone"]
    assert not access(database_host, wish).changed
    assert access(database_host, {**wish, "access": "enabled"})["disabled"] == []
    assert database_host("pki_info")["audit"]["valid"]
