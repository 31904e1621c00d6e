# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small request: it ends in time, follows nothing, and takes no more than it asked for."""

from __future__ import annotations

import pytest
from integration.dns_announce.services import Service

from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import WebError, ask_http


def test_it_asks_over_the_family_that_is_wanted(service: Service) -> None:
    assert ask_http("GET", f"{service.url}/ip", seconds=5, family=4) == (200, "127.0.0.1\n")
    assert ask_http("GET", f"{service.url6}/ip", seconds=5, family=6) == (200, "::1\n")
    with pytest.raises(WebError):
        ask_http("GET", f"{service.url}/ip", seconds=5, family=6)


def test_proxies_of_the_environment_are_not_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask_http("GET", f"{service.url}/ip", seconds=5, family=4)[0] == 200


def test_a_redirect_is_not_followed(service: Service) -> None:
    assert ask_http("GET", f"{service.url}/moved", seconds=5) == (302, "")
    assert service.asked == ["GET /moved"]


def test_an_answer_that_is_too_long_is_none(service: Service) -> None:
    service.answers = {"/long": b"8" * 65, "/fits": b"8" * 64, "/binary": b"8.8.\x008.8", "/lines": b"8.8.8.8\n8.8.4.4"}
    assert ask_http("GET", f"{service.url}/fits", seconds=5) == (200, "8" * 64)
    for path, message in (("/long", "longer than 64 bytes"), ("/binary", "no line of text"), ("/lines", "no line")):
        with pytest.raises(WebError, match=message):
            ask_http("GET", f"{service.url}{path}", seconds=5)


def test_drops_that_come_one_by_one_do_not_hold_it_up(service: Service) -> None:
    with pytest.raises(WebError, match=r"no answer within 0\.5 s"):
        ask_http("GET", f"{service.url}/drip", seconds=0.5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://nobody.invalid/", "https://127.0.0.1:1/"])
def test_nobody_there_is_an_error_that_says_so(url: str) -> None:
    with pytest.raises(WebError, match="no answer"):
        ask_http("GET", url, seconds=5)


def test_a_certificate_that_nobody_trusts_is_refused(service: Service) -> None:
    with pytest.raises(WebError):
        ask_http("GET", service.url.replace("http:", "https:"), seconds=5)
