"""What an administrator asks for is read whole, and every bad entry is named."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import Wanted, WantedDevice, parse_wanted


def fingerprint(csr: str) -> str:
    if csr == "bad":
        raise InputError("The CSR cannot be read.")
    return f"key of {csr}"


def read(*users: dict[str, Any]) -> Wanted:
    return parse_wanted(users, csr_fingerprint=fingerprint)


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
    assert read({"name": "alice", "state": "absent"}) == Wanted(absent_users=("alice",))


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
