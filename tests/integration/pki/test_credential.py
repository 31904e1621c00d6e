# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host keeps the PIN for one service, with programs of systemd that work, and with some that do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from integration.run_module import ModuleResult, RunModule

PIN, NAME = "pin-of-the-tests-7391", "privatespace-hsm-pin"
# It seals for one name, as the real one does, and gives back only what it has sealed.
SEALING = """#!/bin/sh
case "$1" in
  encrypt) printf 'sealed %s ' "${2#--name=}"; base64 --wrap=0 ;;
  decrypt) test "$(cut -d' ' -f2 "$3")" = "${2#--name=}" && cut -d' ' -f3 "$3" | base64 --decode ;;
esac
"""


class Host:
    """A folder of credentials, and what systemd's programs do there."""

    def __init__(self, folder: Path, run_module: RunModule) -> None:
        self.folder = folder / "credentials"
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.module = run_module
        self.give("systemd-creds", SEALING)
        self.give("systemd-run", "#!/bin/sh\nexit 0\n")

    def give(self, program: str, text: str) -> None:
        path = self.programs / program
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def __call__(
        self, content: str | None = PIN, *, check: bool = False, fails: bool = False, state: str = "present"
    ) -> ModuleResult:
        options = {"folder": str(self.folder), "state": state} | ({"content": content} if content else {})
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}"}
        result = self.module(
            "authority_credential", options, check=check, diff=True, fails=fails, environment=environment
        )
        assert PIN not in result.output
        return result

    @property
    def files(self) -> dict[str, int]:
        found = {path: path.stat().st_mode & 0o777 for path in self.folder.rglob("*") if path.is_file()}
        return {str(path.relative_to(self.folder)): mode for path, mode in found.items()}


@pytest.fixture
def host(tmp_path: Path, run_module: RunModule) -> Host:
    return Host(tmp_path, run_module)


def test_it_is_encrypted_where_a_service_gets_it(host: Host) -> None:
    foretold = host(check=True)
    assert (foretold.changed, host.folder.exists()) == (True, False)
    result = host()
    assert (result.changed, result["way"], result["reason"]) == (True, "encrypted", "")
    assert result["directive"] == f"LoadCredentialEncrypted={NAME}:{host.folder}/{NAME}.cred"
    assert (host.files, host.folder.stat().st_mode & 0o777) == ({f"{NAME}.cred": 0o400}, 0o700)
    assert PIN not in (host.folder / f"{NAME}.cred").read_text(encoding="utf-8")
    assert not host().changed
    assert not host(check=True).changed
    assert host("another-pin-7391", check=True).changed
    assert host("another-pin-7391").changed


NO_KEY = {"systemd-creds": "#!/bin/sh\necho 'no key' >&2\nexit 1\n"}
NOTHING_ENCRYPTED = {"systemd-run": '#!/bin/sh\ncase "$*" in *LoadCredentialEncrypted*) exit 243 ;; esac\n'}
NOTHING_AT_ALL = {"systemd-run": "#!/bin/sh\nexit 1\n"}


@pytest.mark.parametrize(
    ("programs", "way", "file", "directive", "reason"),
    [
        (NO_KEY, "loaded", NAME, f"LoadCredential={NAME}:{{}}/{NAME}", "it cannot be encrypted: 'systemd-creds' ended"),
        (NOTHING_ENCRYPTED, "loaded", NAME, f"LoadCredential={NAME}:{{}}/{NAME}", "by LoadCredentialEncrypted: "),
        (
            NOTHING_AT_ALL,
            "direct",
            f"direct/{NAME}",
            "Environment=CREDENTIALS_DIRECTORY={}/direct",
            "by LoadCredential: ",
        ),
    ],
    ids=["no key", "nothing encrypted", "nothing at all"],
)
def test_it_is_for_root_only_where_that_does_not_work(
    host: Host, programs: dict[str, str], way: str, file: str, directive: str, reason: str
) -> None:
    for program, text in programs.items():
        host.give(program, text)
    result = host()
    assert (result["way"], result["directive"]) == (way, directive.format(host.folder))
    assert reason in result["reason"]
    assert (result["path"], host.files) == (f"{host.folder}/{file}", {file: 0o400})
    again = host()
    assert (again.changed, again["directive"]) == (False, result["directive"])
    host.give("systemd-creds", SEALING)
    host.give("systemd-run", "#!/bin/sh\nexit 0\n")
    assert host("another-pin-7391")["way"] == "encrypted", "it is tried again when it is written"
    assert host.files == {f"{NAME}.cred": 0o400}


def test_what_this_host_cannot_decrypt_any_more_is_written_anew(host: Host) -> None:
    host()
    host.give("systemd-creds", SEALING.replace("decrypt) test", "decrypt) false && test"))
    assert host(check=True).changed
    host.give("systemd-creds", SEALING)
    (host.folder / f"{NAME}.cred").chmod(0o600)
    (host.folder / f"{NAME}.cred").write_text("sealed elsewhere", encoding="utf-8")
    assert host().changed
    assert not host().changed


def test_nothing_of_it_stays(host: Host) -> None:
    assert not host(None, state="absent").changed
    host()
    assert host(None, state="absent", check=True).changed
    assert host.files
    assert host(None, state="absent").changed
    assert host.files == {}


def test_what_is_no_line_is_refused(host: Host) -> None:
    assert "control character" in host("1234\nSecret", fails=True).message
    assert "content" in host(None, fails=True).message
    assert not host.folder.exists()
