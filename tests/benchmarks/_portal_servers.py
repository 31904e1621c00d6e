"""The service of one-time links behind nginx, as on a gateway: its socket outlives it, and it is started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jinja2
from conftest import CHECKOUT
from integration.portal.service import APPLICATION, CONFIGURATION
from integration.run_module import collections_path

TEMPLATE = CHECKOUT / "roles/portal/templates/links.conf.j2"
PATIENCE_SECONDS = 20.0
# As systemd does with RestartSec=1s.
RESTART_SECONDS = 1.0
BACKLOG = 2048
# Socket activation: the socket has the first free number, and the process is told its own.
ACTIVATE = 'exec 3<&"$FD"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn; user root;
events {{ worker_connections 4096; }}
http {{
    access_log off; default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{ listen 127.0.0.1:{port} backlog=2048; root {folder}/static; include {folder}/links.conf; }}
}}
"""


class Servers:
    """Both of them, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "links"
        self.static = folder / "static"
        self.port = _free_port()
        self.kills = 0
        self._socket = folder / "portal.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have them run for the time of a block."""
        self.spool.mkdir(mode=0o700)
        self.static.mkdir()
        (self.folder / "portal.json").write_text(json.dumps({"folder": str(self.spool)}))
        fragment = jinja2.Template(TEMPLATE.read_text()).render(ansible_managed="", __portal_socket=self._socket)
        (self.folder / "links.conf").write_text(fragment)
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder, port=self.port))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self._socket))
            listening.listen(BACKLOG)
            keeper = threading.Thread(target=self._keep, args=(listening.fileno(),))
            program = str(shutil.which("nginx") or "/usr/sbin/nginx")
            nginx = subprocess.Popen([program, "-e", "stderr", "-c", str(self.folder / "nginx.conf")])
            keeper.start()
            try:
                _wait_for(self.port)
                yield
            finally:
                self._ending.set()
                nginx.terminate()
                nginx.wait(timeout=PATIENCE_SECONDS)
                self._signal()
                keeper.join()

    def kill(self) -> bool:
        """A kill -9 of the service, all of its processes at once; whether it was alive."""
        killed = self._signal()
        self.kills += killed
        return killed

    def _signal(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            return False
        os.killpg(process.pid, signal.SIGKILL)
        return True

    def _keep(self, descriptor: int) -> None:
        while not self._ending.is_set():
            with (self.folder / "service.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        "/bin/sh", "-c", ACTIVATE, "sh", "/usr/bin/gunicorn", "--config", str(CONFIGURATION),
                        "--pythonpath", str(collections_path()), f"{APPLICATION}({str(self.folder / 'portal.json')!r})",
                    ],
                    pass_fds=(descriptor,), start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "FD": str(descriptor)},
                )  # fmt: skip
            self._process.wait()
            self._ending.wait(RESTART_SECONDS)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
