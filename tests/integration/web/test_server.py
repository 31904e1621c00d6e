# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What visitors, certification authorities and strangers see of a gateway's web server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.openvpn.vpn import wait_for
from integration.tls_scan import scan_tls
from integration.web.web_site import FOREIGN, NAME, Site, running_site

TOKEN = "pT6lAMc-2_aQ5x9KZ3b7VnR0eYwHsDfGjLuOiB4N1mk"
SECRET = "Zx7Qm2Lr9Tk4Vb8Nc1Wd6Yf3Hg5Js0Pa_uEoIi-RtXw"
POLICY = {
    "default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}  # fmt: skip


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server without a certificate."""
    with running_site(tmp_path_factory.mktemp("bare")) as site:
        yield site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server that was started before it had its certificate."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        (site.state / "pages/index.html").write_text("the gateway")
        (site.state / "pages/connect.html").write_text("how to connect")
        site.certify()
        assert site.reload()
        yield site


def test_it_starts_before_there_is_a_certificate(bare: Site) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        bare.ask()
    moved = bare.ask("/connect?a=b", tls=False)
    assert (moved.status, moved.headers["location"]) == (301, f"https://{NAME}:{bare.https_port}/connect?a=b")


@pytest.mark.parametrize("folder", ["", ".well-known/acme-challenge"])
@pytest.mark.parametrize("name", [NAME, FOREIGN])
def test_a_certification_authority_gets_its_answer_under_any_name(bare: Site, folder: str, name: str) -> None:
    place = bare.state / "challenges" / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / TOKEN).write_text("the answer")
    answer = bare.ask(f"/.well-known/acme-challenge/{TOKEN}", name=name, tls=False)
    (place / TOKEN).unlink()
    assert (answer.status, answer.body) == (200, "the answer")


@pytest.mark.parametrize("path", ["other", "../secret", "%2e%2e/secret", "", "a/b"])
def test_nothing_else_lies_beside_an_answer(bare: Site, path: str) -> None:
    (bare.state / "secret").write_text("secret")
    assert bare.ask(f"/.well-known/acme-challenge/{path}", name=FOREIGN, tls=False).status in {400, 404}


def test_strangers_get_nothing(site: Site) -> None:
    assert site.ask(name=FOREIGN, tls=False).status == 404
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        site.ask(name=FOREIGN)
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        site.ask(name="127.0.0.1")


@pytest.mark.parametrize(("path", "body"), [("/", "the gateway"), ("/connect", "how to connect")])
def test_pages_are_shown_over_tls_only(site: Site, path: str, body: str) -> None:
    answer = site.ask(path)
    assert (answer.status, answer.body) == (200, body)
    moved = site.ask(path, tls=False)
    assert (moved.status, moved.headers["location"]) == (301, f"https://{NAME}:{site.https_port}{path}")
    assert "strict-transport-security" not in moved.headers


@pytest.mark.parametrize("path", ["/", "/not-there", "/..%2f..%2fetc/passwd"])
def test_every_answer_has_the_headers_that_protect(site: Site, path: str) -> None:
    headers = site.ask(path).headers
    assert set(headers["content-security-policy"].split("; ")) == POLICY
    assert headers["strict-transport-security"] == "max-age=63072000"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["server"] == "nginx"


def test_browsers_speak_http2(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.root))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", site.https_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"


def test_it_keeps_to_mozillas_profile(site: Site, tmp_path: Path) -> None:
    scan = scan_tls(NAME, "127.0.0.1", tmp_path, port=site.https_port, root=site.root)
    assert scan.complies, scan.text


def test_the_modern_profile_keeps_to_mozillas(tmp_path: Path) -> None:
    with running_site(tmp_path, settings={"tls_profile": "modern"}) as modern:
        modern.certify()
        assert modern.reload()
        scan = scan_tls(NAME, "127.0.0.1", tmp_path, port=modern.https_port, profile="modern", root=modern.root)
        assert scan.complies, scan.text


def test_no_secret_is_logged(site: Site) -> None:
    for path in (
        f"/connect?key={SECRET}",
        f"/{SECRET}",
        f"/link%23{SECRET}",
        f"/link/{SECRET}",
        f"/connect/{SECRET}/x",
    ):
        site.ask(path)
        site.ask(path, tls=False)
        site.ask(path, name=FOREIGN, tls=False)
    logged = site.access_log.read_text()
    assert SECRET not in logged + (site.folder / "error.log").read_text()
    assert "127.0.0.1 GET /connect HTTP/1.1 200" in logged
    assert "127.0.0.1 GET [...] HTTP/1.1 404" in logged


def test_the_old_certificate_is_served_while_the_new_configuration_is_bad(site: Site) -> None:
    before = site.served()
    main = site.config / "nginx.conf"
    good = main.read_text()
    main.write_text(good.replace("http {", "http {\n    nonsense on;"))
    new = site.certify()
    assert not site.reload()
    assert site.served() == before
    main.write_text(good)
    assert site.reload()
    # The workers that go away still take a last visitor.
    wait_for("new certificate", 10, lambda: site.served() == new)
    assert new != before
