"""What an administrator asks for is read whole, and every bad entry is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import (
    REASONS,
    AbsentUser,
    Reading,
    Wanted,
    WantedDevice,
    parse_wanted,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def fingerprint(csr: str) -> str:
    if csr == "bad":
        raise InputError("The CSR cannot be read.")
    return f"key of {csr}"


def read(*users: dict[str, Any], **more: Any) -> Wanted:
    return parse_wanted(users, Reading(fingerprint, NOW, **more))


def refusal(*users: dict[str, Any], **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(*users, **more)
    assert "Nothing was changed." in str(caught.value)
    return str(caught.value)


def test_a_name_alone_is_a_user_with_the_default_device() -> None:
    assert read({"name": "alice"}).devices == (WantedDevice("alice", "default", "alice@default"),)


def test_devices_come_in_the_order_in_which_they_were_given() -> None:
    wanted = read({"name": "bob", "devices": [{"name": "b"}, {"name": "a"}]}, {"name": "alice"})
    assert [device.common_name for device in wanted.devices] == ["bob@b", "bob@a", "alice@default"]
    assert wanted.users == {"alice", "bob"}


def test_a_device_may_bring_its_own_key() -> None:
    (device,) = read({"name": "alice", "devices": [{"name": "a", "csr_content": "x", "reissue": True}]}).devices
    assert (device.csr, device.csr_key_sha256, device.reissue) == ("x", "key of x", True)


def test_an_absent_user_without_devices_loses_all() -> None:
    assert read({"name": "alice", "state": "absent"}) == Wanted(absent_users=(AbsentUser("alice"),))


def test_an_absent_user_with_devices_loses_those() -> None:
    wanted = read({"name": "alice", "state": "absent", "devices": [{"name": "a", "csr_content": "x", "reissue": True}]})
    assert wanted == Wanted(devices=(WantedDevice("alice", "a", "alice@a", present=False),))


BAD_NAMES = [
    "", " ", "a" * 64, "a" * 10_000, "../../etc", "a..b", "al ice", "alice\n", "alice\nup x", "a'b", 'a"b', "a:b",
    "a@b", "a/b", "älice", "Alice", "-a", ".a", "a\0b", "$(id)", "{{ a }}", "ａ",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("place", ["user", "device", "absent user", "absent device"])
def test_bad_names_are_refused(name: str, place: str) -> None:
    users: dict[str, dict[str, Any]] = {
        "user": {"name": name},
        "device": {"name": "alice", "devices": [{"name": name}]},
        "absent user": {"name": name, "state": "absent"},
        "absent device": {"name": "alice", "state": "absent", "devices": [{"name": name}]},
    }
    with pytest.raises(InputError) as caught:
        read(users[place])
    assert "Nothing was changed." in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


def test_both_names_together_have_to_fit_into_a_certificate() -> None:
    assert len(read({"name": "a" * 32, "devices": [{"name": "b" * 31}]}).devices) == 1
    with pytest.raises(InputError, match="holds 64"):
        read({"name": "a" * 32, "devices": [{"name": "b" * 32}]})


def test_every_bad_entry_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read({"name": "a b"}, {"name": "good"}, {"name": "c:d"}, {"name": "x", "devices": [{"name": "e/f"}]})
    assert all(f"'{name}'" in str(caught.value) for name in ("a b", "c:d", "e/f"))


def test_a_flood_of_bad_entries_is_cut() -> None:
    with pytest.raises(InputError, match=r"And 80 more\."):
        read(*({"name": f"BAD{number}"} for number in range(100)))


@pytest.mark.parametrize(
    ("users", "says"),
    [
        ([{"name": "alice"}, {"name": "alice"}], "The user 'alice' is in the list twice"),
        ([{"name": "alice"}, {"name": "alice", "state": "absent"}], "The user 'alice' is in the list twice"),
        (
            [{"name": "alice", "devices": [{"name": "a"}, {"name": "a"}]}],
            "The device 'a' of the user 'alice' is in the",
        ),
        ([{"name": "alice", "devices": [{"name": "a", "csr_content": "bad"}]}], "The CSR of 'alice@a': The CSR cannot"),
    ],
)
def test_contradictions_are_refused(users: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(*users)


def lost(**details: Any) -> dict[str, Any]:
    return {"name": "alice", "devices": [{"name": "a", "reissue": True, **details}]}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reissue_may_say_why_and_since_when(reason: str) -> None:
    (device,) = read(lost(reason=reason, invalidity_date="2026-11-20T17:30:00Z")).devices
    assert (device.reason, device.invalidity_date) == (reason, datetime(2026, 11, 20, 17, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20 17:30:00", datetime(2026, 11, 20, 17, 30, tzinfo=UTC)),
        ("2026-11-20T17:30:00+02:00", datetime(2026, 11, 20, 15, 30, tzinfo=UTC)),
    ],
)
def test_dates_are_utc_unless_they_say_otherwise(text: str, moment: datetime) -> None:
    assert read(lost(invalidity_date=text)).devices[0].invalidity_date == moment


def test_the_reason_of_a_user_to_remove_goes_for_devices_without_one() -> None:
    why = {"reason": "privilegeWithdrawn", "invalidity_date": "2026-11-20"}
    gone = {"name": "alice", "state": "absent", **why}
    since = datetime(2026, 11, 20, tzinfo=UTC)
    assert read(gone).absent_users == (AbsentUser("alice", "privilegeWithdrawn", since),)
    own, users = read({**gone, "devices": [{"name": "a", "reason": "keyCompromise"}, {"name": "b"}]}).devices
    assert (own.reason, users.reason) == ("keyCompromise", "privilegeWithdrawn")
    assert (own.invalidity_date, users.invalidity_date) == (since, since)


@pytest.mark.parametrize("reason", ["", "lost", "cACompromise", "certificateHold", "removeFromCRL", "\n", "x" * 999])
def test_other_reasons_are_refused(reason: str) -> None:
    if reason:
        message = refusal(lost(reason=reason))
        assert "there is no reason" in message
        assert len(message) < 500
    else:
        assert read(lost(reason=reason)).devices[0].reason == ""


@pytest.mark.parametrize("date", ["yesterday", "2026-13-01", "20.11.2026", "\n"])
def test_what_is_no_date_is_refused(date: str) -> None:
    assert "no date in ISO 8601" in refusal(lost(invalidity_date=date))


def test_a_key_is_not_compromised_in_the_future() -> None:
    assert "lies in the future" in refusal(lost(invalidity_date="2026-11-22T12:00:01Z"))
    assert read(lost(invalidity_date="2026-11-22T12:00:00Z")).devices


@pytest.mark.parametrize(
    "user",
    [
        {"name": "alice", "reason": "superseded"},
        {"name": "alice", "invalidity_date": "2026-11-20"},
        {"name": "alice", "devices": [{"name": "a", "reason": "keyCompromise"}]},
        {"name": "alice", "devices": [{"name": "a", "invalidity_date": "2026-11-20"}]},
    ],
)
def test_a_reason_without_anything_to_revoke_is_refused(user: dict[str, Any]) -> None:
    assert "nothing of it is asked to be revoked" in refusal(user)


def test_a_pkcs12_has_the_password_of_the_device_or_that_of_the_call_or_one_that_is_made() -> None:
    users: dict[str, Any] = {
        "name": "alice",
        "devices": [{"name": "a", "pkcs12_password": "own-password"}, {"name": "b"}],
    }
    assert [device.pkcs12_password for device in read(users).devices] == ["own-password", None]
    assert [device.pkcs12_password for device in read(users, pkcs12=True).devices] == ["own-password", ""]
    passwords = [device.pkcs12_password for device in read(users, pkcs12_password="for-everybody").devices]
    assert passwords == ["own-password", "for-everybody"]
    assert "own-password" not in repr(read(users))


@pytest.mark.parametrize("more", [{"pkcs12": True}, {"pkcs12_password": "for-everybody"}])
def test_there_is_no_pkcs12_without_the_key(more: dict[str, Any]) -> None:
    own = {"name": "alice", "devices": [{"name": "a", "csr_content": "x"}]}
    assert "'alice@a' brings a CSR" in refusal(own, **more)


@pytest.mark.parametrize("password", ["short", "x" * 129, "pässword-pässword", "line\nline-line", "nul\0nul-nul"])
def test_passwords_that_a_program_may_not_take_are_refused_and_not_told(password: str) -> None:
    device = {"name": "alice", "devices": [{"name": "a", "pkcs12_password": password}]}
    assert password not in refusal(device)
    assert password not in refusal({"name": "alice"}, pkcs12_password=password)
