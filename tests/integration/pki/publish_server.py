# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server that gives the CRL away: the role's own tasks write its configuration, and a real nginx runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from integration.dns.name_server import free_port
from integration.openvpn.run_playbook import local, run_playbook
from integration.openvpn.vpn import wait_for

ROLE = "privatespace.gateway.pki"
NGINX = "/usr/sbin/nginx"
LIFETIME_SECONDS = 240


@dataclass
class Answer:
    """An answer to a request.

    :param headers: By name in small letters.
    """

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Folders and port of one web server."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def config(self) -> Path:
        return self.folder / "etc/nginx.conf"

    def role(self, entries: str, *flags: str, main_pid: int = 0, fails: bool = False, **variables: Any) -> str:
        """Run task files, one after the other; what was said.

        :param main_pid: The process that systemd takes for the web server.
        """
        systemctl = self.folder / "bin/systemctl"
        systemctl.parent.mkdir(exist_ok=True)
        systemctl.write_text(f"#!/bin/sh\necho MainPID={main_pid}\n")
        systemctl.chmod(0o755)
        # What the role itself has in vars gives way to those of a task only.
        places = {
            "__pki_endpoint_config": str(self.config),
            "__pki_endpoint_folder": f"{self.folder}/state",
            "__pki_endpoint_user": "root",
        }
        tasks = [
            {"name": entry, "ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry, "public": True},
             "vars": places}
            for entry in entries.split()
        ]  # fmt: skip
        path = {"PATH": f"{systemctl.parent}:{os.environ['PATH']}"}
        play = {"name": "Run", "hosts": "all", "gather_facts": False, "tasks": tasks, "environment": path}
        own = {
            "pki_publish_port": self.port,
            "pki_publish_addresses": ["127.0.0.1"],
            "pki_public_folder": str(self.public),
            **variables,
        }
        done = run_playbook(self.folder, [play], {"all": {"hosts": {"authority": local(**own)}}}, *flags)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        assert "[WARNING]" not in done.stdout + done.stderr
        # Long messages are broken into lines by some versions.
        return " ".join((done.stdout + done.stderr).split())

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """For the time of a block."""
        argv = ("timeout", "--foreground", str(LIFETIME_SECONDS), NGINX, "-e", "stderr", "-g", "daemon off;", "-c",
                str(self.config))  # fmt: skip
        with (self.folder / "error.log").open("ab") as stream:
            process = subprocess.Popen(argv, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        try:
            wait_for("web server", 10, self.main_pid)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.main_pid(), signal.SIGQUIT)
            process.wait(10)

    def main_pid(self) -> int:
        pid = self.folder / "state/nginx.pid"
        return int(pid.read_text() or 0) if pid.is_file() else 0

    def ask(self, path: str = "/crl.pem", *, method: str = "GET", **headers: str) -> Answer:
        """Ask for a file; in names of headers an underscore stands for a hyphen."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): each for name, each in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): each for name, each in answer.getheaders()}, answer.read())
        finally:
            connection.close()
