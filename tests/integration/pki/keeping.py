# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that keeps the CRL fresh, installed as a role installs it and run as systemd runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from integration.pki.authority_host import AuthorityHost

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import load_crl

CHECKOUT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 120


@dataclass
class Program:
    """The program with its files.

    :param settings: Those of its configuration, to be altered by a test.
    """

    host: AuthorityHost
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    validity_days: int = 30

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def pin_source(self) -> Path:
        return self.folder / "pin-source"

    @property
    def metrics(self) -> str:
        return (self.folder / "authority.prom").read_text(encoding="utf-8")

    @property
    def state(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.host.folder / "crl-state.json").read_bytes())
        return content

    @property
    def number(self) -> int:
        """That of the CRL that is given away."""
        return load_crl((self.public / "crl.pem").read_bytes()).number or 0

    def install(self) -> None:
        self.host("authority_program", {"path": str(self.folder / "python")})
        shutil.copy(CHECKOUT / "roles/openvpn/files/run_program.py", self.folder)
        token = self.host.token
        self.settings = {
            "hsm_module": token.module,
            "hsm_token": token.label,
            "store": str(self.host.store),
            "crl_path": str(self.host.crl),
            "crl_der_path": str(self.host.crl_der),
            "public_folder": str(self.public),
            "state_path": str(self.host.folder / "crl-state.json"),
            "metrics_path": str(self.folder / "authority.prom"),
            "pin_source": str(self.pin_source),
            "lock_wait": 20,
        }
        self.give_pin(token.pin)

    def give_pin(self, pin: str) -> None:
        """As systemd does: a file in a folder for this service."""
        (self.folder / "credentials").mkdir(exist_ok=True)
        (self.folder / "credentials" / "privatespace-hsm-pin").write_text(pin, encoding="utf-8")
        self.pin_source.unlink(missing_ok=True)
        self.pin_source.write_text("as it lies on the disk", encoding="utf-8")

    def make_due(self) -> None:
        """Have CRLs be valid for longer from now on, so that the last one is due and the next one is not."""
        self.validity_days += 30
        self.host("pki_authority", {"crl_validity_days": self.validity_days})
        self.settings["renewal_days"] = self.validity_days - 29

    def start(self, *arguments: str, pin: bool = True) -> subprocess.Popen[str]:
        config = self.folder / "authority.json"
        config.write_text(json.dumps(self.settings), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "PRIVATESPACE_HSM_PIN"}
        environment |= {"CREDENTIALS_DIRECTORY": str(self.folder / "credentials")} if pin else {}
        argv = [sys.executable, "-I", str(self.folder / "run_program.py"), "authority_crl", "--config", str(config)]
        return subprocess.Popen(
            [*argv, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self, *arguments: str, status: int = 0, pin: bool = True) -> str:
        """Run it; what it said to the journal, or with arguments what it printed."""
        process = self.start(*arguments, pin=pin)
        output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        if process.returncode != status:
            pytest.fail(f"it ended with status {process.returncode}:\n{output}{errors}")
        assert self.host.token.pin not in output + errors
        return output if arguments else errors

    def show(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self("--show"))
        return shown


@pytest.fixture
def program(host: AuthorityHost, tmp_path: Path) -> Program:
    """An authority that has no CRL yet, and the program with its PIN."""
    folder = tmp_path / "program"
    folder.mkdir()
    made = Program(host, folder)
    made.install()
    return made
