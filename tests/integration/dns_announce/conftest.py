# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of these tests: BIND with the policy that the role writes, moto, and what tells addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.dns import amazon as amazon_server
from integration.dns.amazon import Amazon
from integration.dns.name_server import CONTROLLER, ZONE, NameServer, free_port, new_secret
from integration.dns_announce import services
from integration.dns_announce.services import Service

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import announcement
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.tsig_key import TsigKey, render_key
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.update_policy import render_update_policy

OWN, OTHER = f"ely.{ZONE}", f"bath.{ZONE}"


class GuardedServer(NameServer):
    """BIND with the update policy that the role writes."""

    def _policy(self) -> str:
        # A comment ends with its line.
        return "\n" + render_update_policy([OWN, OTHER], zone=ZONE, controller_key=CONTROLLER)


@pytest.fixture(scope="session")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    keys = {name: new_secret() for name in (CONTROLLER, OWN, OTHER)}
    server = GuardedServer(tmp_path_factory.mktemp("guarded"), free_port(), keys)
    server.write()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def amazon() -> Iterator[Amazon]:
    with amazon_server.running() as server:
        yield server


@pytest.fixture
def service() -> Iterator[Service]:
    with services.running() as service:
        yield service


@dataclass
class Gateway:
    """A configuration and a state in a folder of their own, and the program that works with them."""

    folder: Path
    settings: dict[str, Any]

    def write(self, **changes: Any) -> None:
        self.settings.update(changes)
        (self.folder / "announce.json").write_text(json.dumps(self.settings))

    def have_key(self, name: str, secret: str) -> None:
        path = self.folder / "dns.key"
        path.write_text(render_key(TsigKey(name, "hmac-sha256", secret)))
        path.chmod(0o600)

    @property
    def arguments(self) -> list[str]:
        return ["--config", str(self.folder / "announce.json"), "--state", str(self.folder / "run" / "state.json")]

    def run(self, *options: str) -> int:
        return announcement.main([*self.arguments, *options])

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "run" / "state.json").read_text())
        return found


@pytest.fixture
def gateway(tmp_path: Path, bind: NameServer) -> Gateway:
    """A gateway whose metadata nobody answers for, with the right key."""
    made = Gateway(
        tmp_path,
        {
            "name": OWN, "ttl": 60, "addresses": [], "sources": ["metadata"], "interface": "",
            "private_addresses": False, "echo_urls": [], "metadata_url": "http://127.0.0.1:1", "verify_seconds": 5,
            "key_file": str(tmp_path / "dns.key"),
            "provider": {
                "provider": "rfc2136", "zone": ZONE, "servers": ["127.0.0.1"], "port": bind.port, "timeout_seconds": 2,
            },
        },
    )  # fmt: skip
    made.have_key(OWN, bind.key_secrets[OWN])
    made.write()
    return made
