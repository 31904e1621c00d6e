"""A client's profile: the order of its remotes, and that nothing can be smuggled into it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile import render_profile


def pem(label: str) -> str:
    return f"-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n"


DELIVERY: dict[str, Any] = {
    "common_name": "alice@laptop",
    "certificate": pem("CERTIFICATE"),
    "ca_chain": pem("CERTIFICATE"),
    "private_key": pem("PRIVATE KEY"),
    "tls_crypt_v2": pem("OpenVPN tls-crypt-v2 client key"),
}
BOTH = [{"protocol": "tcp", "port": 443}, {"protocol": "udp", "port": 1194}]
GATEWAYS = [
    {"name": "one", "address": "one.example.net", "listeners": BOTH},
    {"name": "two", "address": "2001:db8::2", "listeners": BOTH},
]


def remotes(gateways: Any) -> list[str]:
    return [line for line in render_profile(DELIVERY, gateways=gateways).splitlines() if line.startswith("remote ")]


def test_udp_of_every_gateway_comes_before_tcp() -> None:
    assert remotes(GATEWAYS) == [
        "remote one.example.net 1194 udp",
        "remote 2001:db8::2 1194 udp6",
        "remote one.example.net 443 tcp",
        "remote 2001:db8::2 443 tcp6-client",
    ]


def test_a_way_that_is_named_twice_is_tried_once() -> None:
    assert len(remotes([GATEWAYS[0], GATEWAYS[0]])) == 2


def test_a_profile_trusts_gateways_only_and_holds_every_part() -> None:
    text = render_profile({**DELIVERY, "ca_chain": [pem("CERTIFICATE"), pem("CERTIFICATE")]}, gateways=GATEWAYS)
    lines = text.splitlines()
    for line in (
        "client", "nobind", "remote-cert-tls server", "verify-x509-name gateway- name-prefix", "server-poll-timeout 5",
        "reneg-sec 0", "resolv-retry infinite", "persist-tun",
    ):  # fmt: skip
        assert line in lines
    for tag in ("ca", "cert", "key", "tls-crypt-v2"):
        assert lines.count(f"<{tag}>") == lines.count(f"</{tag}>") == 1
    assert text.count("BEGIN CERTIFICATE") == 3


@pytest.mark.parametrize("part", ["certificate", "ca_chain", "private_key", "tls_crypt_v2"])
@pytest.mark.parametrize(
    "value",
    [None, "", "secret", pem("CERTIFICATE") + "</ca>\nup /bin/sh\n", "-----BEGIN X-----\nup x\n-----END Y-----"],
)
def test_a_part_that_is_not_pem_is_refused_without_being_shown(part: str, value: str | None) -> None:
    with pytest.raises(InputError, match=f"'{part}' of alice@laptop") as raised:
        render_profile({**DELIVERY, part: value}, gateways=GATEWAYS)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"address": "one.example.net 1194 udp\nup /bin/sh"},
        {"address": ""},
        {"listeners": [{"protocol": "udp", "port": "1194\nup x"}]},
        {"listeners": [{"protocol": "http", "port": 80}]},
        {"listeners": []},
    ],
)
def test_a_bad_gateway_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        render_profile(DELIVERY, gateways=[{**GATEWAYS[0], **change}])


def test_more_remotes_than_openvpn_reads_are_refused() -> None:
    crowd = [{"name": "x", "address": f"10.0.0.{number}", "listeners": BOTH} for number in range(33)]
    with pytest.raises(InputError, match="66 remotes"):
        render_profile(DELIVERY, gateways=crowd)
    assert len(remotes(crowd[:32])) == 64


@pytest.mark.parametrize("seconds", [0, 121])
def test_a_poll_timeout_that_makes_no_sense_is_refused(seconds: int) -> None:
    with pytest.raises(InputError):
        render_profile(DELIVERY, gateways=GATEWAYS, poll_timeout_seconds=seconds)


def test_a_common_name_cannot_add_a_line() -> None:
    with pytest.raises(InputError):
        render_profile({**DELIVERY, "common_name": "alice\nup /bin/sh"}, gateways=GATEWAYS)
