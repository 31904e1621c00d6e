"""QR codes and what authenticator apps read from them; that a reader gets every byte is shown with a real reader."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import (
    MissingLibraryError,
    missing_library,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import qr_code
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.qr_code import MOST_BYTES, render_qr_code
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.totp_uri import render_totp_uri

SECRET = base64.b32encode(bytes(range(20))).decode()


def test_an_image_is_png_or_svg() -> None:
    assert base64.b64decode(render_qr_code("x"))[:8] == b"\x89PNG\r\n\x1a\n"
    assert "<svg " in render_qr_code("x", kind="svg")


@pytest.mark.parametrize(
    ("text", "message"),
    [("s" * (MOST_BYTES + 1), "2954 bytes.*2953"), ("ß" * 1477, "2954 bytes.*2953"), ("", "0 bytes")],
)
def test_a_text_that_does_not_fit_is_refused_with_size_and_limit(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        render_qr_code(text)
    assert "sss" not in str(raised.value)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="png and svg"):
        render_qr_code("x", kind="gif")


def test_without_the_library_it_is_said_where_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qr_code, "segno", missing_library("segno", remedy="pip install segno"))
    with pytest.raises(MissingLibraryError, match=r"'segno' is missing for .*pip install segno"):
        render_qr_code("x")


def test_a_totp_link_is_what_every_app_reads() -> None:
    assert render_totp_uri("alice", issuer="Example VPN", secret=SECRET.lower()[:16] + " " + SECRET[16:]) == (
        f"otpauth://totp/Example%20VPN:alice?secret={SECRET}&issuer=Example%20VPN&algorithm=SHA1&digits=6&period=30"
    )
    assert "/%C3%9Cber%26Co:alice%40laptop?" in render_totp_uri("alice@laptop", issuer="Über&Co", secret=SECRET)


@pytest.mark.parametrize(
    "change",
    [
        {"user": ""}, {"user": "a:b"}, {"user": "a\nb"}, {"issuer": " "}, {"issuer": "a:b"},
        {"secret": ""}, {"secret": "SECRET!1"}, {"secret": SECRET[:24]}, {"secret": SECRET + "A"},
    ],
)  # fmt: skip
def test_a_bad_totp_link_is_refused_without_its_secret(change: dict[str, Any]) -> None:
    values = {"user": "alice", "issuer": "Example", "secret": SECRET, **change}
    with pytest.raises(InputError) as raised:
        render_totp_uri(values["user"], issuer=values["issuer"], secret=values["secret"])
    assert not values["secret"] or values["secret"] not in str(raised.value)
