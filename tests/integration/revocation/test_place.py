# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs come into place, and with them the files of serial numbers, in an order that lets nobody in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Authority
from integration.run_module import ModuleResult, RunModule


@dataclass
class Place:
    """The files of a gateway in a folder of its own; no OpenVPN runs."""

    folder: Path
    run: RunModule
    authority: Authority = field(default_factory=Authority)

    def __post_init__(self) -> None:
        (self.folder / "ca.crt").write_text(self.authority.pem)

    @property
    def crl(self) -> Path:
        return self.folder / "crl.pem"

    @property
    def revoked(self) -> Path:
        return self.folder / "revoked"

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.revoked.iterdir()}

    def deny(self, path: str, serials: list[str] | None = None) -> Path:
        """An entry of the register of denials."""
        entry = self.folder / "denied" / path
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(json.dumps({"since": 1, "reason": "removal", "serials": serials}))
        return entry

    def session(self, *, check: bool = False, diff: bool = False, fails: bool = False, **options: Any) -> ModuleResult:
        paths = {
            "crl_path": str(self.crl), "ca_path": str(self.folder / "ca.crt"), "serial_folder": str(self.revoked),
            "denial_folder": str(self.folder / "denied"), "management_sockets": [],
        }  # fmt: skip
        return self.run("openvpn_session", {**paths, **options}, check=check, diff=diff, fails=fails)


@pytest.fixture
def place(tmp_path: Path, run_module: RunModule) -> Place:
    return Place(tmp_path, run_module)


def test_a_file_for_each_serial_is_there_and_goes_again(place: Place) -> None:
    place.authority.revoked = [5, 2**158 + 1]
    text = place.authority.crl()
    foretold = place.session(crl_content=text, revocation="serials", check=True, diff=True)
    assert foretold.changed
    assert '"missing": 2' in foretold["diff"]["before"]
    assert not place.revoked.exists()
    assert not place.crl.exists()

    assert place.session(crl_content=text, revocation="serials", serials=["5"])["refused"] == {"5": True}
    assert place.files == {"5", str(2**158 + 1)}
    assert place.revoked.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in place.revoked.iterdir()} == {0o644}
    assert place.crl.read_text() == text
    assert not place.session(crl_content=text, revocation="serials").changed

    place.authority.revoked = [7]
    assert place.session(crl_content=place.authority.crl(), revocation="serials").changed
    assert place.files == {"7"}


def test_what_is_missing_from_the_folder_is_added_although_the_crl_is_in_place(place: Place) -> None:
    place.authority.revoked = [5, 6]
    text = place.authority.crl()
    place.session(crl_content=text, revocation="serials")
    (place.revoked / "5").unlink()
    (place.revoked / "keep.txt").write_text("not a number")
    assert place.session(serials=["5", "6"], revocation="serials")["refused"] == {"5": False, "6": True}
    assert place.session(crl_content=text, revocation="serials").changed
    assert place.files == {"5", "6", "keep.txt"}


def test_a_folder_that_is_there_is_kept_right_while_the_other_way_is_introduced(place: Place) -> None:
    place.authority.revoked = [5]
    place.session(crl_content=place.authority.crl(), revocation="serials")
    place.authority.revoked = [5, 6]
    place.session(crl_content=place.authority.crl(), revocation="crl")
    assert place.files == {"5", "6"}


def test_without_the_folder_a_crl_makes_none(place: Place) -> None:
    place.authority.revoked = [5]
    place.session(crl_content=place.authority.crl())
    assert not place.revoked.exists()


def test_serials_of_a_crl_that_nobody_has_verified_make_no_file(place: Place) -> None:
    """The CRL of a CA that this gateway does not know may lie beside; whoever forges one would lock anybody out."""
    stranger = Authority("Stranger CA")
    stranger.revoked, place.authority.revoked = [99], [5]
    own = place.authority.crl()
    both = own + stranger.crl()
    result = place.session(crl_content=both, revocation="serials", serials=["5", "99"])
    assert (place.files, place.crl.read_text()) == ({"5"}, own)
    # Whoever has a certificate of a CA that is not known here cannot come in, so that a removal need not wait.
    assert result["refused"] == {"5": True, "99": True}
    assert not place.session(crl_content=both, revocation="serials", serials=["99"]).changed
    (place.folder / "ca.crt").write_text(place.authority.pem + stranger.pem)
    assert place.session(crl_content=both, revocation="serials").changed
    assert (place.files, place.crl.read_text()) == ({"5", "99"}, both)


def test_a_bad_crl_changes_neither_the_file_nor_the_folder(place: Place) -> None:
    place.authority.revoked = [5]
    before = place.authority.crl()
    place.session(crl_content=before, revocation="serials")
    forger = Authority(place.authority.name)
    forger.revoked = [6]
    assert "not signed" in place.session(crl_content=forger.crl(), revocation="serials", fails=True).message
    assert (place.crl.read_text(), place.files) == (before, {"5"})


def test_the_newer_crl_of_another_removal_stays_and_is_no_error(place: Place) -> None:
    place.authority.revoked = [5]
    first = place.authority.crl()
    place.authority.revoked = [5, 6]
    second = place.authority.crl()
    place.session(crl_content=second, revocation="serials", serials=["6"])
    result = place.session(crl_content=first, revocation="serials", serials=["5"])
    assert not result.changed
    assert (result["crl"]["number"], result["refused"]) == (2, {"5": True})
    assert (place.crl.read_text(), place.files) == (second, {"5", "6"})


def test_denials_are_lifted_once_the_crl_keeps_out_whom_they_keep_out(place: Place) -> None:
    place.authority.revoked = [5]
    text = place.authority.crl()
    of_user, of_device = place.deny("users/al", ["5"]), place.deny("devices/al@phone")
    waiting, other = place.deny("devices/bo@phone", ["6"]), place.deny("users/alice")
    options: dict[str, Any] = {
        "crl_content": text,
        "serials": ["5"],
        "lift_users": ["al"],
        "lift_names": ["bo@phone", "nobody@x"],
    }

    foretold = place.session(**options, check=True)
    assert foretold["lifted"] == ["devices/al@phone", "users/al"]
    assert of_user.exists()

    result = place.session(**options)
    assert result["lifted"] == ["devices/al@phone", "users/al"]
    assert [path.exists() for path in (of_user, of_device, waiting, other)] == [False, False, True, True]
    again = place.session(**options)
    assert (again.changed, again["lifted"]) == (False, [])


def test_a_crl_alone_lifts_what_waited_for_it_and_nothing_else(place: Place) -> None:
    place.authority.revoked = [5]
    arrived, waiting = place.deny("devices/al@phone", ["5"]), place.deny("devices/bo@phone", ["5", "6"])
    on_purpose = place.deny("users/al")
    assert place.session(crl_content=place.authority.crl())["lifted"] == ["devices/al@phone"]
    assert [path.exists() for path in (arrived, waiting, on_purpose)] == [False, True, True]


def test_no_denial_is_lifted_while_the_crl_does_not_list_what_it_is_for(place: Place) -> None:
    place.session(crl_content=place.authority.crl())
    entry = place.deny("users/al")
    result = place.session(serials=["5"], lift_users=["al"], fails=True)
    assert "does not list the serial number 5" in result.message
    assert entry.exists()
