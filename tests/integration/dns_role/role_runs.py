# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry points of the role, on this machine as gateways, with files in folders of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from integration.openvpn.run_playbook import local, run_playbook

ROLE = "privatespace.gateway.dns"


@dataclass
class Role:
    """A zone, gateways, and what the authority says of their names.

    :param given: The names that it gave, or ``None`` where it was not asked.
    """

    folder: Path
    gateways: dict[str, dict[str, Any]]
    given: dict[str, str] | None = None
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    def run(self, entries: str, *flags: str, **variables: Any) -> CompletedProcess[str]:
        """Run entry points, one after the other, on all gateways, or those of ``--limit``."""
        # What the role itself has in vars gives way to those of a task only.
        own_files = {
            "__dns_key_file": f"{self.folder}/{{{{ inventory_hostname }}}}.key",
            "__dns_command": f"{self.folder}/announce",
            "__dns_config": f"{self.folder}/announce.json",
            "__dns_listener_folder": str(self.folder),
        }
        plays: list[dict[str, Any]] = []
        if self.given is not None:
            names = {"name": "Tell", "ansible.builtin.set_fact": {"dns_gateway_names": self.given}}
            plays.append({"name": "Tell", "hosts": "authority", "gather_facts": False, "tasks": [names]})
        tasks = [
            {
                "name": entry,
                "ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry},
                "vars": {**own_files, **variables},
            }
            for entry in entries.split()
        ]
        plays.append({"name": "Run", "hosts": "gateways", "gather_facts": False, "tasks": tasks})
        settings = {
            "dns_zone": "example.net", "dns_servers": ["127.0.0.1"], "dns_port": 1, "dns_timeout_seconds": 1,
            "dns_verify_seconds": 0, "dns_policy_folder": str(self.policies), "ansible_become": False, **self.shared,
        }  # fmt: skip
        gateways = {name: local(**own) for name, own in self.gateways.items()}
        inventory = {
            "all": {"vars": settings},
            "authority": {"hosts": {"ca": local()}},
            "gateways": {"hosts": gateways},
            "servers": {"hosts": {"ns": local()}},
        }
        return run_playbook(self.folder, plays, inventory, *flags)


def succeeded(done: CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def failed(done: CompletedProcess[str]) -> str:
    assert done.returncode != 0, done.stdout + done.stderr
    # Long messages are broken into lines by some versions.
    return " ".join((done.stdout + done.stderr).split())


def role_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of the module as the role has them."""
    route53 = ("zone_id", "access_key", "secret_key", "endpoint_url")
    return {f"dns_{'route53_' if name in route53 else ''}{name}": value for name, value in options.items()}
