# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateways and strangers get from the web server of an authority."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.pki.publish_server import Server

from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import publish_pieces


@pytest.fixture
def server(tmp_path: Path) -> Server:
    folder = tmp_path / "server"
    folder.mkdir()
    made = Server(folder)
    made.role("endpoint_preflight endpoint_config")
    return made


@pytest.fixture
def served(server: Server, host: AuthorityHost) -> Iterator[Server]:
    """A server that gives away what was signed."""
    host("pki_crl", {"public_folder": str(server.public)})
    with server.running():
        yield server


def changes(output: str) -> int:
    return int(output.rpartition("changed=")[2].split()[0])


def test_the_role_writes_it_once(server: Server) -> None:
    assert changes(server.role("endpoint_preflight endpoint_config")) == 0
    before = server.config.read_text()
    other = {"pki_publish_access_log": True}
    assert changes(server.role("endpoint_preflight endpoint_config", "--check", **other)) == 1
    assert server.config.read_text() == before
    assert changes(server.role("endpoint_preflight endpoint_config", **other)) == 1
    assert "access_log syslog:" in server.config.read_text()


def test_nginx_judges_it_before_it_is_there(server: Server) -> None:
    before = server.config.read_text()
    said = server.role("endpoint_preflight endpoint_config", fails=True, pki_publish_addresses=["192.0.2.77"])
    assert "192.0.2.77" in said
    assert server.config.read_text() == before


def test_a_gateway_gets_the_crl_and_later_only_what_is_new(served: Server, host: AuthorityHost) -> None:
    first = served.ask()
    assert (first.status, first.body) == (200, (served.public / "crl.pem").read_bytes())
    assert first.headers["content-type"] == "application/x-pem-file"
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["server"] == "nginx", "no version"
    same = served.ask(If_None_Match=first.headers["etag"])
    assert (same.status, same.body) == (304, b"")
    host("pki_crl", {"public_folder": str(served.public), "force": True})
    new = served.ask(If_None_Match=first.headers["etag"])
    assert (new.status, new.body) == (200, (served.public / "crl.pem").read_bytes())
    assert new.headers["etag"] != first.headers["etag"]
    assert served.ask("/crl.der").body == host.crl_der.read_bytes()
    assert served.ask("/crl.der").headers["content-type"] == "application/pkix-crl"
    assert served.ask("/ca.pem").body.startswith(b"-----BEGIN CERTIFICATE-----")


def test_two_crls_of_one_second_and_one_size_are_two_to_a_gateway(served: Server) -> None:
    """A web server tells files apart by these two; the modules write the later one as of a later second."""
    tags = {served.ask(method="HEAD").headers["etag"]}
    content = (served.public / "crl.pem").read_bytes()
    for _one in range(3):
        publish_pieces(served.public / "crl.pem", (content,), mode=0o644)
        tags.add(served.ask(method="HEAD").headers["etag"])
    assert len(tags) == 4


@pytest.mark.parametrize(
    "path", ["/", "/authority.db", "/.crl.pem.x", "/crl.pem/", "/crl.txt", "/..%2fpublic/crl.pem", "/crl-%2e%2e.pem"]
)
def test_nothing_else_is_given_away(served: Server, path: str) -> None:
    (served.public / "authority.db").write_text("secret")
    (served.public / ".crl.pem.x").write_text("not complete")
    (served.public / "crl.txt").write_text("none of ours")
    assert served.ask(path).status in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_taken(served: Server, method: str) -> None:
    assert served.ask(method=method).status in (403, 405)


def test_whoever_fetches_while_it_is_replaced_gets_a_whole_one(served: Server, host: AuthorityHost) -> None:
    whole: set[bytes] = {(served.public / "crl.pem").read_bytes()}
    got: list[bytes] = []
    over = threading.Event()

    def fetch() -> None:
        while not over.is_set():
            got.append(served.ask().body)

    fetcher = threading.Thread(target=fetch)
    fetcher.start()
    try:
        for _one in range(4):
            host("pki_crl", {"public_folder": str(served.public), "force": True})
            whole.add((served.public / "crl.pem").read_bytes())
    finally:
        over.set()
        fetcher.join()
    assert len(whole) == 5
    assert set(got) <= whole


def test_a_port_that_somebody_else_has_is_refused(server: Server) -> None:
    with socket.create_server(("127.0.0.1", server.port)):
        said = server.role("endpoint_preflight", "--check", fails=True)
    assert f"127.0.0.1:{server.port} is taken by" in said
    assert "choose another port (pki_publish_port), or publish nothing (pki_publish: false)" in said


def test_its_own_port_is_not_somebody_elses(served: Server) -> None:
    served.role("endpoint_preflight", "--check", main_pid=served.main_pid())


def test_what_is_no_address_is_refused(server: Server) -> None:
    said = server.role("endpoint_preflight", fails=True, pki_publish_addresses=["authority"])
    assert "pki_publish_addresses and pki_publish_port: 'authority' is no address" in said
