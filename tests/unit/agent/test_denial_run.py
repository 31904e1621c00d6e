"""A denial on a gateway whose OpenVPN does not run: the register, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.openvpn.test_removal import Listener, session

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import denial_run
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    add_entries,
    read_denials,
    read_group,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_run import DenialRun
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    InputError,
    PartialError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Entry


@pytest.fixture
def register(tmp_path: Path) -> Path:
    return tmp_path / "denied"


def run(register: Path, *, only_look: bool = False, **options: Any) -> DenialRun:
    defaults: dict[str, Any] = {
        "state": "present", "users": [], "common_names": [], "serials": {}, "reason": None, "lockdown": "",
        "lockdown_groups": [], "lockdown_except": None, "path": str(register), "timeout": 1.0, "cut": True,
        "client_folder": str(register.parent / "ccd"),
        "management_sockets": [str(register.parent / "udp.sock")],
    }  # fmt: skip
    return DenialRun({**defaults, **options}, only_look=only_look)


def test_deciding_writes_nothing_and_applying_writes_what_was_decided(register: Path) -> None:
    work = run(register, users=["al"])
    change = work.decide()
    assert change.needed
    assert not register.exists()
    results = work.apply(change)
    assert set(read_denials(register).entries) == {"users/al"}
    assert results["denials"] == work.denials.as_list()
    assert [(one["name"], one["state"]) for one in results["listeners"]] == [("udp", "not_running")]
    moments = [results["timeline"][key] for key in ("denied_at", "snapshot_at", "verified_at")]
    assert moments == sorted(moments)
    assert results["timeline"]["cut_at"] is None


def test_what_stands_is_not_written_again(register: Path) -> None:
    add_entries(register, {"users/al": Entry(1, "removal")})
    change = run(register, users=["al"]).decide()
    assert not change.needed
    assert change.result["timeline"]["denied_at"] is None
    assert change.result["timeline"]["verified_at"] is not None


def test_check_mode_tells_and_proves_nothing(register: Path) -> None:
    change = run(register, only_look=True, users=["al"]).decide()
    assert change.needed
    assert change.after["denials"][0]["entry"] == "users/al"
    assert change.result["timeline"]["verified_at"] is None
    assert change.result["timeline"]["snapshot_at"] is not None


def test_lifting_asks_no_listener(register: Path) -> None:
    add_entries(register, {"users/al": Entry(1, "removal"), "lockdown/everybody": Entry(1, "lockdown")})
    work = run(register, state="absent", users=["al"])
    results = work.apply(work.decide())
    assert [one["entry"] for one in results["denials"]] == ["lockdown/everybody"]
    assert (results["listeners"], results["sessions_cut"]) == ([], [])
    assert results["timeline"]["denied_at"] is None
    assert results["timeline"]["verified_at"] is not None
    assert not run(register, state="absent", users=["al"]).decide().needed


def test_without_cutting_nothing_is_proved(register: Path) -> None:
    work = run(register, users=["al"], cut=False)
    results = work.apply(work.decide())
    assert (results["listeners"], results["timeline"]["verified_at"]) == ([], None)
    assert set(read_denials(register).entries) == {"users/al"}


def test_what_another_run_denied_meanwhile_stays(register: Path) -> None:
    work = run(register, users=["al"])
    change = work.decide()
    add_entries(register, {"users/bob": Entry(1, "removal")})
    assert [one["entry"] for one in work.apply(change)["denials"]] == ["users/al", "users/bob"]


def listening(register: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Listener:
    """Have the server know some devices."""
    listener = Listener(*(session(name, number) for number, name in enumerate(names)))
    monkeypatch.setattr(denial_run, "open_management", lambda path, **_options: listener.opener()(path))
    return listener


def unwritable(register: Path) -> None:
    """Nothing can be changed there, as on a disk that is full."""
    (register / ".lock").mkdir(parents=True)


def test_who_cannot_be_denied_is_cut_all_the_same(register: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unwritable(register)
    listener = listening(register, monkeypatch, "al@x", "alice@x")
    work = run(register, users=["al"])
    change = work.decide()
    with pytest.raises(PartialError, match="can come back until that is mended") as caught:
        work.apply(change)
    assert "cannot be locked" in str(caught.value)
    results = caught.value.results
    assert [one["common_name"] for one in results["sessions_cut"]] == ["al@x"]
    assert [one.common_name for one in listener.present] == ["alice@x"]
    assert results["denials"] == []
    assert (results["timeline"]["denied_at"], results["timeline"]["verified_at"]) == (None, None)
    assert results["timeline"]["cut_at"] is not None


@pytest.mark.parametrize("options", [{"cut": False}, {"state": "absent"}])
def test_where_nobody_is_to_be_cut_a_broken_register_is_all_there_is_to_tell(
    register: Path, options: dict[str, Any]
) -> None:
    add_entries(register, {"users/al": Entry(1, "removal")})
    (register / ".lock").unlink()
    unwritable(register)
    work = run(register, users=["al"], reason="stolen", **options)
    with pytest.raises(StateError, match="cannot be locked"):
        work.apply(work.decide())


def test_a_bad_name_is_refused_before_anything_is_written(register: Path) -> None:
    with pytest.raises(InputError, match="no name"):
        run(register, users=["al", "../bob"]).decide()
    with pytest.raises(InputError, match="The timeout"):
        run(register, users=["al"], timeout=0).decide()
    with pytest.raises(InputError, match="a folder named 'denied'"):
        run(register.with_name("other"), users=["al"]).decide()
    assert not register.exists()


def test_the_group_of_a_device_is_found_as_openvpn_finds_its_file(tmp_path: Path) -> None:
    (tmp_path / "udp").mkdir()
    (tmp_path / "udp" / "DEFAULT").write_text("# Managed\n# Group: staff\n")
    (tmp_path / "udp" / "al@x").write_text("# Managed\n# Group: sales\n")
    (tmp_path / "udp" / "bob@x").write_text("# Managed\nping 5\n# Group: sales\n")
    found = [read_group(tmp_path, "udp", name) for name in ("al@x", "alice@x", "bob@x", "../udp/al@x")]
    assert found == ["sales", "staff", "staff", "staff"]
    assert read_group(tmp_path, "tcp", "al@x") is None
