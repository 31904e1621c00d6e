# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that lead to whoever holds a zone: what is accepted, and that no error or representation shows a secret."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import (
    MissingLibraryError,
    missing_library,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns import rfc2136_exchange, route53_client
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.backoff import Patience
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    Server,
    parse_provider,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.providers import open_provider

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
BIND = {
    "provider": "rfc2136", "zone": "Example.net.", "servers": ["192.0.2.53", "2001:DB8::53#5300", "ns.example.net"],
    "key_name": "Controller.", "key_secret": SECRET,
}  # fmt: skip
AMAZON = {"provider": "route53", "zone": "example.net"}


def test_a_name_server() -> None:
    settings = parse_provider({**BIND, "port": 54, "verify_servers": []})
    assert settings.zone == "example.net"
    assert settings.servers == (Server("192.0.2.53", 54), Server("2001:db8::53", 5300), Server("ns.example.net", 54))
    assert [str(one) for one in settings.servers] == ["192.0.2.53#54", "2001:db8::53#5300", "ns.example.net#54"]
    assert (settings.key_name, settings.key_algorithm, settings.verify_servers) == ("controller", "hmac-sha256", ())
    assert parse_provider(BIND).verify_servers is None


def test_route_53() -> None:
    settings = parse_provider({**AMAZON, "zone_id": "/hostedzone/Z123", "access_key": "AKID", "secret_key": "hidden"})
    assert (settings.zone_id, settings.access_key, settings.is_published) == ("Z123", "AKID", True)


def test_secrets_are_not_shown() -> None:
    shown = f"{parse_provider(BIND)} {parse_provider({**AMAZON, 'access_key': 'AKID', 'secret_key': 'hidden'})}"
    assert SECRET not in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("url", "published"),
    [
        ("http://127.0.0.1:5000", False),
        ("http://localstack:4566/", False),
        ("https://route53.amazonaws.com", True),
        ("https://route53.us-gov.amazonaws.com:443/", True),
        ("https://route53.amazonaws.com.example.net", False),
    ],
)
def test_imitations_have_no_name_servers(url: str, published: bool) -> None:
    assert parse_provider({**AMAZON, "endpoint_url": url}).is_published is published


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**BIND, "provider": "bind"}, "'bind' is none of rfc2136, route53"),
        ({**BIND, "zone": ""}, "The option 'zone' is missing"),
        ({**BIND, "zone": "net"}, "top-level domain"),
        ({**BIND, "zone": "*.example.net"}, "wildcard"),
        ({**BIND, "servers": []}, "no name server to send updates to"),
        ({**BIND, "servers": ["a b"]}, "may hold a-z"),
        ({**BIND, "servers": ["192.0.2.1#0"]}, "from 1 to 65535"),
        ({**BIND, "servers": ["192.0.2.1#x"]}, "from 1 to 65535"),
        ({**BIND, "port": 65536}, "The option 'port'"),
        ({**BIND, "timeout_seconds": 0}, "timeout_seconds"),
        ({**BIND, "key_name": ""}, "name of the TSIG key is missing"),
        ({**BIND, "key_name": "a\nb"}, "name of the TSIG key is missing or wrong"),
        ({**BIND, "key_secret": ""}, "not base64 of at least 16 bytes"),
        ({**BIND, "key_secret": "c2hvcnQ="}, "not base64 of at least 16 bytes"),
        ({**BIND, "key_secret": "canary!canary!canary!canary!"}, "tsig-keygen"),
        ({**BIND, "key_algorithm": "hmac-md5"}, "none of hmac-sha256, hmac-sha512"),
        ({**AMAZON, "zone": ""}, "Give 'zone', its name, or 'zone_id'"),
        ({**AMAZON, "zone_id": "../Z1"}, "identifier of the hosted zone is wrong"),
        ({**AMAZON, "access_key": "AKID"}, "only one is given"),
        ({**AMAZON, "secret_key": "canary!"}, "only one is given"),
        ({**AMAZON, "access_key": "a", "secret_key": "b", "profile": "c"}, "Both a profile and an access key"),
        ({**AMAZON, "endpoint_url": "http://user:canary!@host"}, "not a URL like"),
        ({**AMAZON, "endpoint_url": "file:///etc"}, "not a URL like"),
        ({**AMAZON, "profile": "a\nb"}, "control character"),
    ],
)
def test_what_is_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as got:
        parse_provider(raw)
    assert "canary!" not in str(got.value)


def test_patience_grows_and_ends() -> None:
    least = list(Patience(sleep=lambda _seconds: None, chance=lambda: 0.0).waits())
    most = list(Patience(sleep=lambda _seconds: None, chance=lambda: 1.0).waits())
    assert most == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert least == [one / 2 for one in most]


@pytest.mark.parametrize(
    ("raw", "module", "names", "package"),
    [(BIND, rfc2136_exchange, ("dns",), "dnspython"), (AMAZON, route53_client, ("boto3", "botocore"), "boto3")],
)
def test_a_library_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, raw: dict[str, Any], module: ModuleType, names: tuple[str, ...], package: str
) -> None:
    for name in names:
        monkeypatch.setattr(module, name, missing_library(package))
    with pytest.raises(MissingLibraryError, match=f"The Python library '{package}' is missing"):
        open_provider(parse_provider(raw))
