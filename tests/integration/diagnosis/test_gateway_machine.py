"""A gateway's machine and its name servers: asked over a real connection, read from real files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_machine import (
    ask_instance_type,
    look_at_machine,
    read_sysctl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_naming import (
    ask_resolver,
    read_naming_files,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Resolver
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.resolver_readings import find_resolvers


class Cloud(BaseHTTPRequestHandler):
    """The metadata services of three clouds, each with what it wants of who asks."""

    def do_PUT(self) -> None:
        self._tell("a-token" if self.path == "/latest/api/token" else "")

    def do_GET(self) -> None:
        kind = ""
        if self.path.startswith("/latest/meta-data/") and self.headers["X-aws-ec2-metadata-token"] == "a-token":
            kind = "t3.micro"
        elif self.path.startswith("/computeMetadata/") and self.headers["Metadata-Flavor"] == "Google":
            kind = "projects/1/machineTypes/e2-small"
        elif self.path.startswith("/metadata/instance/") and self.headers["Metadata"] == "true":
            kind = "Standard_B2s"
        self._tell(kind)

    def _tell(self, text: str) -> None:
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Cloud) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("cloud", "kind"), [("aws", "t3.micro"), ("google", "e2-small"), ("azure", "Standard_B2s")])
def test_a_cloud_tells_which_type_of_machine_it_is(cloud: str, kind: str) -> None:
    with served() as address:
        assert ask_instance_type(cloud, metadata=address) == (kind, "")


def test_a_service_that_is_away_is_a_sentence() -> None:
    kind, problem = ask_instance_type("aws", metadata="http://127.0.0.1:9")
    assert kind == ""
    assert "metadata service" in problem


def test_nobody_is_asked_where_there_is_nobody_to_ask() -> None:
    assert ask_instance_type("hetzner", metadata="http://127.0.0.1:9") == ("", "")
    begin = time.monotonic()
    machine, unknown = look_at_machine(metadata="http://127.0.0.1:9")
    assert machine.cores >= 1
    assert (machine.cloud, unknown) == ("", ()) or unknown
    assert time.monotonic() - begin < 5


def test_settings_of_the_kernel_are_read_as_it_shows_them() -> None:
    found = read_sysctl()
    assert int(found["net.core.rmem_max"]) > 0
    assert len(found["net.ipv4.tcp_rmem"].split()) == 3
    assert all(found.values())


def write(root: Path, path: str, text: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_a_server_of_a_lease_is_found_in_the_files_of_a_host(tmp_path: Path) -> None:
    lease = 'lease {\n  interface "eth0";\n  option domain-name-servers 10.0.0.2;\n}\n'
    write(tmp_path, "/var/lib/dhcp/dhclient.eth0.leases", lease)
    write(tmp_path, "/sbin/dhclient", "")
    write(tmp_path, "/etc/resolv.conf", "nameserver 10.0.0.2\nnameserver 9.9.9.9\n")
    assert [(one.address, one.source) for one in find_resolvers(read_naming_files(tmp_path))] == [
        ("10.0.0.2", "dhcp"),
        ("9.9.9.9", "static"),
    ]


def test_a_resolver_that_nobody_runs_does_not_answer() -> None:
    assert ask_resolver(Resolver("127.0.0.99", "unknown", "x")).answered is False
