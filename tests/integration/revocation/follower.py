# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a gateway in a folder of their own, and the program that has it follow the CRL."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.openvpn.vpn import Authority
from integration.run_module import collections_path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import revocation

PROGRAM = "ansible_collections.privatespace.gateway.plugins.module_utils._agent.revocation"


@dataclass
class Follower:
    """A gateway.

    :param folder: Where OpenVPN's files are; configuration, state and notes of sessions lie there, too.
    """

    folder: Path
    authority: Authority = field(default_factory=Authority)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "ca.crt").write_text(self.authority.pem)
        self.settings = {
            "folder": str(self.folder), "sessions_folder": str(self.folder / "sessions"),
            "lock_path": str(self.folder / "lock"), "management_sockets": [], "download_seconds": 2, **self.settings,
        }  # fmt: skip

    def write(self, **changes: Any) -> None:
        self.settings.update(changes)
        (self.folder / "revocation.json").write_text(json.dumps(self.settings))

    @property
    def arguments(self) -> list[str]:
        return ["--config", str(self.folder / "revocation.json"), "--state", str(self.folder / "var" / "state.json")]

    def run(self, *options: str) -> int:
        return revocation.main([*self.arguments, *options])

    def start(self, *, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run the program as a process of its own, below another one if need be."""
        code = f"import sys; from {PROGRAM} import main; sys.exit(main(sys.argv[1:]))"
        argv = (*prefix, sys.executable, "-c", code, *self.arguments)
        return subprocess.run(
            argv, env={"PYTHONPATH": str(collections_path()), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    @property
    def crl(self) -> str:
        return (self.folder / "crl.pem").read_text()

    @property
    def files(self) -> set[str]:
        return {path.name for path in (self.folder / "revoked").iterdir()}

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "var" / "state.json").read_text())
        return found

    def deny(self, path: str, serials: list[str] | None = None) -> Path:
        """An entry of the register of denials."""
        entry = self.folder / "denied" / path
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(json.dumps({"since": 1, "reason": "removal", "serials": serials}))
        return entry
