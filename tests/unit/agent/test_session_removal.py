"""A removal on a gateway where something fails on the way; the server is in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.openvpn.test_removal import Listener, session

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import session_removal
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.crl_place import CrlPlace, Placement
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    add_entries,
    read_denials,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.session_removal import SessionRemoval
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    BusyError,
    CollectionError,
    PartialError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import processes
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import Crl, CrlFile
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Entry
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import Process


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    listener = Listener(session("al@x", 1), session("alice@x", 2))
    monkeypatch.setattr(session_removal, "open_management", lambda path, **_options: listener.opener()(path))
    return listener


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """A CRL that was judged and cannot be put in place."""

    def fails(error: Exception) -> None:
        def put(*_arguments: object) -> Placement:
            raise error

        crl = Crl("CN = Test", 7, 0, 4_000_000_000, b"CRL")
        judged = Placement(CrlFile((crl,), b"CRL"), None, None, is_written=False)
        monkeypatch.setattr(CrlPlace, "judge", lambda *_arguments: judged)
        monkeypatch.setattr(CrlPlace, "put", put)
        monkeypatch.setattr(session_removal, "listed_serials", lambda _crls, serials: dict.fromkeys(serials, True))

    return fails


def run(folder: Path, **options: Any) -> SessionRemoval:
    defaults: dict[str, Any] = {
        "common_names": ["al@x"], "cut_unnamed": True, "crl_content": "CRL", "crl_path": str(folder / "crl.pem"),
        "ca_path": str(folder / "ca.crt"), "revocation": "crl", "serial_folder": str(folder / "revoked"),
        "lift_users": ["al"], "lift_names": [], "denial_folder": str(folder / "denied"), "serials": ["7"],
        "management_sockets": [str(folder / "udp.sock")], "timeout": 1.0,
    }  # fmt: skip
    return SessionRemoval({**defaults, **options})


@pytest.mark.parametrize("error", [FileError("The disk is full."), BusyError("The CRL is in use by another run.")])
def test_whose_crl_cannot_be_put_in_place_is_cut_all_the_same(
    tmp_path: Path, listener: Listener, broken: Callable[[Exception], None], error: CollectionError
) -> None:
    broken(error)
    work = run(tmp_path)
    change = work.decide()
    with pytest.raises(PartialError, match="can come back until that is mended") as caught:
        work.apply(change)
    assert str(caught.value).startswith(str(error))
    results = caught.value.results
    assert [one["common_name"] for one in results["sessions_cut"]] == ["al@x"]
    assert [one.common_name for one in listener.present] == ["alice@x"]
    assert results["refused"] == {"7": False}
    assert (results["timeline"]["crl_installed_at"], results["timeline"]["verified_at"]) == (None, None)
    assert results["timeline"]["cut_at"] is not None
    assert "lifted" not in results


def test_who_survives_is_named_beside_it(
    tmp_path: Path, listener: Listener, broken: Callable[[Exception], None]
) -> None:
    broken(FileError("The disk is full."))
    listener.immortal = True
    work = run(tmp_path, timeout=0.2)
    with pytest.raises(PartialError, match=r"The disk is full\. Still connected: al@x"):
        work.apply(work.decide())


def test_a_crl_that_openvpn_cannot_look_up_is_no_proof_and_lifts_nothing(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_entries(tmp_path / "denied", {"users/al": Entry(1, "removal")})
    crl = Crl("CN = Test", 7, 0, 4_000_000_000, b"CRL")
    monkeypatch.setattr(CrlPlace, "judge", lambda *_arguments: Placement(CrlFile((crl,), b"CRL"), None, None))
    monkeypatch.setattr(session_removal, "listed_serials", lambda _crls, serials: dict.fromkeys(serials, True))
    text = f'crl-verify "{tmp_path}/crl.pem"'
    other = Process(1, tmp_path / "other.sock", tmp_path, 2.0, 1.0, "crl-verify /elsewhere/crl.pem")
    shut = Process(2, tmp_path / "shut.sock", tmp_path, 2.0, 1.0, f"{text}\nchroot {tmp_path}\n")
    ours = Process(3, tmp_path / "udp.sock", tmp_path, 2.0, 1.0, text)
    running = {one.socket: one for one in (other, shut, ours)}
    monkeypatch.setattr(processes, "running_processes", lambda: running)
    monkeypatch.setattr(session_removal, "barrier_of", lambda pid, folder: f"/hard{pid}" if folder == tmp_path else "")
    work = run(tmp_path)
    with pytest.raises(PartialError, match="OpenVPN cannot look into /hard3, so it does not learn") as caught:
        work.apply(work.decide())
    assert "Run chmod a+x /hard3 on this host." in str(caught.value)
    assert (caught.value.results["refused"], work.timeline["verified_at"]) == ({"7": False}, None)
    assert [one["common_name"] for one in caught.value.results["sessions_cut"]] == ["al@x"]
    assert set(read_denials(tmp_path / "denied").entries) == {"users/al"}
    again = run(tmp_path, lift_users=[])
    with pytest.raises(StateError, match="/hard3"):
        again.decide()


def test_where_nobody_is_to_be_cut_the_disk_is_all_there_is_to_tell(
    tmp_path: Path, listener: Listener, broken: Callable[[Exception], None]
) -> None:
    broken(FileError("The disk is full."))
    work = run(tmp_path, common_names=[])
    with pytest.raises(FileError, match="The disk is full"):
        work.apply(work.decide())
    assert listener.killed == []
