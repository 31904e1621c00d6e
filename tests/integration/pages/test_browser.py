"""The browser and the judge of TLS that tests of web pages use, on a server of their own."""

from __future__ import annotations

import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from integration.browser import OpenBrowser
from integration.tls_scan import scan_tls
from privatespace_lab.acme import write_acme_certificate
from privatespace_lab.topology import ACME_NAME
from selenium.common.exceptions import WebDriverException

PAGE = b"""<!doctype html><meta name="viewport" content="width=device-width"><title>A page</title>
<p id="width"></p><script src="/script.js"></script>
<a id="file" href="/file">get it</a><script>document.title = "forbidden";</script>"""
SCRIPT = b"document.getElementById('width').textContent = innerWidth;"


class Pages(BaseHTTPRequestHandler):
    """A page, a script, and a file to download."""

    def do_GET(self) -> None:
        kind, body = {
            "/script.js": ("text/javascript", SCRIPT),
            "/file": ("application/octet-stream", b"content"),
        }.get(self.path, ("text/html", PAGE))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        if self.path == "/file":
            self.send_header("Content-Disposition", 'attachment; filename="a.txt"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """A browser that does not trust it hangs up, and so does a judge."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Site:
    port: int
    root: Path

    @property
    def url(self) -> str:
        return f"https://{ACME_NAME}:{self.port}/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Pages over HTTPS whose certificate is from a root that nobody knows."""
    root = tmp_path / "site" / "root.pem"
    write_acme_certificate(root, root.parent)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root.parent / "acme.crt", root.parent / "acme.key")
    with QuietServer(("127.0.0.1", 0), Pages) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Site(server.server_port, root)
        server.shutdown()
        thread.join()


def test_a_page_over_https_with_a_root_and_a_name_of_the_test(
    site: Site, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    browser = open_browser(root=site.root.read_text(), addresses={ACME_NAME: "127.0.0.1"}, window=(390, 800))
    browser.open(site.url)
    assert browser.driver.title == "A page", "the page's policy forbids scripts in its text"
    assert browser.driver.find_element("id", "width").text == "390"
    assert any("Content Security Policy" in message for message in browser.messages())
    picture = browser.screenshot(tmp_path / "page.png").read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (390, 800)
    browser.driver.find_element("id", "file").click()
    assert browser.wait_for_download("a.txt").read_bytes() == b"content"


def test_a_root_that_is_not_given_is_not_trusted(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser(addresses={ACME_NAME: "127.0.0.1"})
    with pytest.raises(WebDriverException, match="ERR_CERT_AUTHORITY_INVALID"):
        browser.open(site.url)


def test_a_name_that_is_not_given_does_not_exist(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser(root=site.root.read_text())
    with pytest.raises(WebDriverException, match="ERR_NAME_NOT_RESOLVED"):
        browser.open(site.url)


def test_tls_is_judged(site: Site, tmp_path: Path) -> None:
    scan = scan_tls(ACME_NAME, "127.0.0.1", tmp_path, port=site.port, root=site.root)
    assert not scan.complies, "certificates for ten years are not for the web"
    assert "certificate_validity" in scan.text or "lifespan" in scan.text, scan.text
    assert scan.results["tls_1_1_cipher_suites"]["result"]["accepted_cipher_suites"] == []
