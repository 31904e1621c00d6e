# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway in a folder, with the real certbot, BIND and nginx, and Pebble as the CA."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.acme.servers import Authority, Gateway, Web, Zones
from integration.dns.name_server import CONTROLLER, free_port, new_secret

CHECKOUT = Path(__file__).resolve().parents[3]
REQUIREMENTS = CHECKOUT / "roles/acme/files"
GATEWAY = "ely.lab.example"


@pytest.fixture(scope="session")
def certbot() -> Path:
    """The program, installed as the role does it; kept for the next tests."""
    wanted = REQUIREMENTS / "requirements-rfc2136.txt"
    mark = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CHECKOUT / ".lab/cache" / f"certbot-{mark}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        # What the host has, as a gateway does: not the environment of the tests.
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(wanted)], check=True, capture_output=True)
        (folder / "complete").touch()
    return folder / "bin/certbot"


@pytest.fixture(scope="session")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zones]:
    """Name servers of the gateway's zone and everything above it."""
    server = Zones(
        tmp_path_factory.mktemp("zones"), free_port(), {name: new_secret() for name in (CONTROLLER, GATEWAY)}
    )
    server.write()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The gateway's web server, and the front of the CA."""
    server = Web(tmp_path_factory.mktemp("web"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def authority(web: Web, zones: Zones) -> Iterator[Authority]:
    """Pebble, behind a front that can be busy or broken."""
    server = Authority(web, zones)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def gateway(tmp_path: Path, certbot: Path, web: Web, zones: Zones, authority: Authority) -> Iterator[Gateway]:
    """A gateway that has no certificate yet, with a name that leads to it."""
    zones.have("ely", "127.0.0.1", "::1")
    made = Gateway(tmp_path, certbot, web, zones, authority)
    made.write()
    try:
        yield made
    finally:
        authority.front.reset()
        web.forget()
