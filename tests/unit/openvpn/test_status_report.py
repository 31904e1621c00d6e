"""What a person sees of the state of all gateways."""

from __future__ import annotations

from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status_report import render_status_report

NOW = 1_790_000_000
SESSION = {
    "listener": "tcp", "common_name": "bob@laptop", "real_address": "192.0.2.7:1", "virtual_address": "10.91.16.2",
    "bytes_received": 999, "bytes_sent": 2_500_000, "connected_since": NOW - 7300,
}  # fmt: skip
GOOD: dict[str, Any] = {
    "listeners": [{"name": name, "state": "answered", "stale": False} for name in ("udp", "tcp")],
    "sessions": [SESSION],
    "crl": {"number": 12, "this_update": NOW - 3600, "next_update": NOW + 10 * 86400},
    "crl_problem": "",
    "certificate_not_after": NOW + 90 * 86400,
}  # fmt: skip


def lines(**changes: Any) -> list[str]:
    return render_status_report({"gateway1": {**GOOD, **changes}}, now=NOW)


def test_a_healthy_gateway() -> None:
    assert lines() == [
        "gateway1  udp up, tcp up  CRL 12, 60 min old, good for 10 days  certificate good for 90 days",
        "gateway1    bob@laptop  tcp  10.91.16.2  192.0.2.7:1  2 h  999 B in, 2.5 MB out",
    ]


def test_what_is_wrong_stands_out() -> None:
    down = [{"name": "udp", "state": "not_running", "stale": True}]
    assert "udp DOWN (RESTART DUE)" in lines(listeners=down)[0]
    assert "no listener" in lines(listeners=[])[0]
    assert "NO VALID CRL: it is forged" in lines(crl=None, crl_problem="it is forged")[0]
    assert "CRL 12 HAS EXPIRED" in lines(crl={**GOOD["crl"], "next_update": NOW})[0]
    assert "CERTIFICATE HAS EXPIRED" in lines(certificate_not_after=NOW)[0]
    assert "NO CERTIFICATE" in lines(certificate_not_after=None)[0]


def test_of_several_crls_the_one_that_ends_first_is_named() -> None:
    crl = {**GOOD["crl"], "expires_first": "CN = Root", "issuers": [{"issuer": "CN = Root"}, {"issuer": "CN = CA"}]}
    assert "CRL 12, 60 min old, good for 10 days (CN = Root)" in lines(crl=crl)[0]
    ended = lines(crl={**crl, "next_update": NOW})[0]
    assert "CRL 12 HAS EXPIRED: nobody with a certificate of CN = Root can connect" in ended


def test_a_gateway_without_an_answer_is_not_left_out() -> None:
    answers = {"a": {}, "b": {"unreachable": True, "msg": "Connection timed out\nmore"}}
    assert render_status_report(answers, now=NOW) == [
        "a  NO ANSWER: it was not asked",
        "b  NO ANSWER: Connection timed out",
    ]
