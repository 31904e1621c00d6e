"""What a program and a person see of the state of all gateways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status_document import build_status
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status_report import render_status_report

NOW = 1_790_000_000
DAY = 86400
SESSION = {
    "listener": "tcp", "common_name": "bob@laptop", "real_address": "192.0.2.7:1", "virtual_address": "10.91.16.2",
    "virtual_address6": "", "bytes_received": 999, "bytes_sent": 2_500_000, "connected_since": NOW - 7300,
}  # fmt: skip


def listener(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "socket": f"/run/openvpn-server/{name}.sock", "state": "answered", "sessions": 0, "pid": 10,
        "version": "2.6.14", "connected_since": NOW - 3 * DAY, "started_at": NOW - 3 * DAY, "stale": False,
        "dco": "active", "dco_reason": "it is", "bytes_received": 1, "bytes_sent": 2, "problems": [], **changes,
    }  # fmt: skip


GOOD: dict[str, Any] = {
    "listeners": [listener("udp"), listener("tcp", sessions=1, dco="unavailable", dco_reason="no module")],
    "sessions": [SESSION],
    "crl": {"number": 12, "this_update": NOW - 3600, "next_update": NOW + 10 * DAY},
    "crl_problem": "",
    "certificate_not_after": NOW + 90 * DAY,
    "foreign_configs": [],
}
NAME: dict[str, Any] = {
    "name": "cambridge2.example.net", "addresses": ["192.0.2.21", "2001:db8::21"],
    "checked_at": NOW - 30, "problem": "",
}  # fmt: skip
WEB: dict[str, Any] = {
    "names": ["cambridge2.example.net"], "issuer": "E7", "fingerprint": "ab", "not_before": NOW - 30 * DAY,
    "not_after": NOW + 60 * DAY, "days_left": 60.0, "checked_at": NOW - 600, "problem": "", "retry_at": 0,
    "staging": False, "revoked": False,
}  # fmt: skip
AUTHORITY = {
    "certificates": [
        {"common_name": name, "state": state, "profile": profile, "not_after": not_after}
        for name, state, profile, not_after in (
            ("soon@laptop", "valid", "client", "2026-09-30T00:00:00Z"),
            ("late@laptop", "valid", "client", "2027-09-30T00:00:00Z"),
            ("gone@laptop", "revoked", "client", "2026-09-30T00:00:00Z"),
            ("gateway-one", "valid", "server", "2026-09-30T00:00:00Z"),
        )
    ]
}


def document(gateways: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return build_status(gateways or {"gateway1": {**GOOD, **changes}}, authority=AUTHORITY, now=NOW)


def problems(**changes: Any) -> tuple[str, list[str]]:
    (block,) = document(**changes)["gateways"]
    return block["health"], block["problems"]


def test_a_healthy_gateway_at_a_glance() -> None:
    assert render_status_report(document()) == [
        "gateway1  OK",
        "  udp  up 3 days  0 sessions  OpenVPN 2.6.14  DCO active",
        "  tcp  up 3 days   1 session  OpenVPN 2.6.14  DCO unavailable (no module)",
        "  CRL 12, 60 min old, good for 10 days",
        "  certificate good for 90 days",
        "",
        "user  device  gateway   listener  address     from         since (UTC)               in     out",
        "bob   laptop  gateway1  tcp       10.91.16.2  192.0.2.7:1  2026-09-21 12:11  2 h  999 B  2.5 MB",
        "",
        "1 gateway (all ok), 2 of 2 listeners up, 1 session of 1 device, 999 B in, 2.5 MB out",
        "expires next  soon@laptop  in 8 days",
        "              CRL on gateway1  in 10 days",
    ]


def test_a_gateway_with_a_name_shows_where_it_leads() -> None:
    found = render_status_report(document({"gateway1": {**GOOD, "announcement": NAME}}))
    assert "  name cambridge2.example.net: 192.0.2.21, 2001:db8::21, checked 30 s ago" in found
    assert "gateway1  OK" in found


def test_the_document_is_json_with_these_keys() -> None:
    found = json.loads(json.dumps(document()))
    assert (found["schema"], found["generated_at"]) == (1, NOW)
    assert set(found) == {"schema", "generated_at", "gateways", "users", "totals", "expiring"}
    assert set(found["gateways"][0]) == {
        "name", "answered", "health", "problems", "listeners", "crl", "certificate_not_after", "foreign_configs",
        "announcement", "web_certificate",
    }  # fmt: skip
    assert set(found["gateways"][0]["listeners"][0]) == set(listener("udp")) - {"socket"}
    assert found["users"] == [
        {
            "gateway": "gateway1", "user": "bob", "device": "laptop", "common_name": "bob@laptop", "listener": "tcp",
            "address": "10.91.16.2", "address6": "", "from": "192.0.2.7:1", "connected_since": NOW - 7300,
            "bytes_received": 999, "bytes_sent": 2_500_000,
        }
    ]  # fmt: skip
    assert found["totals"] == {
        "gateways": 1, "gateways_ok": 1, "gateways_warning": 0, "gateways_problem": 0, "listeners": 2,
        "listeners_up": 2, "sessions": 1, "devices": 1, "bytes_received": 999, "bytes_sent": 2_500_000,
    }  # fmt: skip
    assert [(one["kind"], one["name"]) for one in found["expiring"]] == [
        ("certificate", "soon@laptop"),
        ("crl", "gateway1"),
    ]


@pytest.mark.parametrize(
    ("changes", "health", "words"),
    [
        ({"listeners": []}, "problem", "no listener"),
        ({"listeners": [listener("udp", state="not_running", problems=["It does not run."])]}, "problem", "not run"),
        ({"listeners": [listener("udp", stale=True, problems=["A restart is due."])]}, "warning", "restart is due"),
        ({"crl": None, "crl_problem": "it is forged"}, "problem", "no valid CRL: it is forged"),
        ({"crl": {**GOOD["crl"], "next_update": NOW}}, "problem", "CRL has expired: nobody can"),
        ({"crl": {**GOOD["crl"], "next_update": NOW + DAY}}, "warning", "CRL expires in 24 h"),
        ({"certificate_not_after": NOW}, "problem", "certificate has expired"),
        ({"certificate_not_after": None}, "problem", "no certificate"),
        ({"certificate_not_after": NOW + DAY}, "warning", "certificate expires in 24 h"),
        ({"announcement": {**NAME, "problem": "The server refuses."}}, "warning", "cambridge2.example.net: The server"),
        ({"announcement": {**NAME, "checked_at": NOW - DAY}}, "warning", "was last checked 24 h ago"),
        ({"web_certificate": {**WEB, "problem": "The CA is busy."}}, "warning", "is not renewed: The CA is busy."),
        ({"web_certificate": {**WEB, "not_after": NOW + 6 * DAY}}, "warning", "good for 144 h, is not renewed."),
        ({"web_certificate": {**WEB, "not_after": NOW - 1}}, "problem", "The HTTPS certificate has expired."),
        ({"web_certificate": {**WEB, "fingerprint": "", "problem": "No."}}, "warning", "no HTTPS certificate: No."),
        ({"web_certificate": {**WEB, "checked_at": NOW - 3 * DAY}}, "warning", "was last checked 72 h ago"),
        ({"web_certificate": {**WEB, "staging": True}}, "warning", "which no browser trusts"),
        ({"foreign_configs": ["/etc/openvpn/x.conf"]}, "warning", "/etc/openvpn/x.conf"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], health: str, words: str) -> None:
    found, (sentence,) = problems(**changes)
    assert found == health
    assert words in sentence
    lines = render_status_report(document(**changes))
    assert lines[:2] == [f"gateway1  {health.upper()}", f"  ! {sentence}"]


def test_of_several_crls_the_one_that_ends_first_is_named() -> None:
    crl = {**GOOD["crl"], "expires_first": "CN = Root", "issuers": [{"issuer": "CN = Root"}, {"issuer": "CN = CA"}]}
    assert "  CRL 12, 60 min old, good for 10 days (CN = Root)" in render_status_report(document(crl=crl))
    assert "nobody with a certificate of CN = Root" in problems(crl={**crl, "next_update": NOW})[1][0]


def test_problems_come_first_and_a_gateway_without_an_answer_is_not_left_out() -> None:
    ill = {**GOOD, "sessions": [], "listeners": [listener("udp", state="silent", problems=["It hangs."])]}
    answers = {"a": GOOD, "b": {}, "c": {"unreachable": True, "msg": "Connection timed out\nmore"}, "d": ill}
    lines = render_status_report(document(answers))
    assert [line for line in lines if line.endswith(("OK", "PROBLEM"))] == [
        "b  PROBLEM",
        "c  PROBLEM",
        "d  PROBLEM",
        "a  OK",
    ]
    assert "  ! No answer: it was not asked" in lines
    assert "  ! No answer: Connection timed out" in lines
    assert "  udp  HANGS" in lines
    assert "4 gateways (3 problem), 2 of 3 listeners up" in lines[-4]


def test_who_has_no_name_and_no_address_yet_is_shown() -> None:
    session = {**SESSION, "common_name": "UNDEF", "virtual_address": ""}
    (user,) = document(sessions=[session])["users"]
    assert (user["user"], user["device"]) == ("UNDEF", "")
    assert "none yet" in render_status_report(document(sessions=[session]))[7]


def test_a_long_list_of_what_expires_is_cut() -> None:
    many = {"certificates": [{**AUTHORITY["certificates"][0], "common_name": f"u{n}@x"} for n in range(25)]}
    lines = render_status_report(build_status({}, authority=many, now=NOW))
    assert lines[-1] == "              and 5 more within 30 days"
    assert lines[0].startswith("0 gateways (all ok)")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "HTTPS certificate of E7 good for 60 days, checked 10 min ago"),
        ({"problem": "No.", "retry_at": NOW + 7300}, "HTTPS certificate of E7 good for 60 days, tried again in 2 h"),
        ({"fingerprint": ""}, "no HTTPS certificate, checked 10 min ago"),
        ({"not_after": NOW - 1}, "HTTPS certificate of E7 EXPIRED, checked 10 min ago"),
        ({"revoked": True, "fingerprint": ""}, "HTTPS certificate revoked; the playbook site has another one"),
    ],
)
def test_the_certificate_for_browsers_is_one_line(changes: dict[str, Any], words: str) -> None:
    lines = render_status_report(document(web_certificate={**WEB, **changes}))
    assert f"  {words}" in lines


def test_the_certificate_for_browsers_is_among_what_expires() -> None:
    (first, *_others) = document(web_certificate={**WEB, "not_after": NOW + DAY})["expiring"]
    assert first == {"kind": "web", "name": "gateway1", "not_after": NOW + DAY}
    assert problems(web_certificate=WEB) == ("ok", [])
    assert problems(web_certificate={**WEB, "revoked": True, "fingerprint": "", "not_after": 0}) == ("ok", [])
    owed = {**WEB, "revoked": True, "fingerprint": "", "not_after": 0, "problem": "Not revoked yet: no answer."}
    assert problems(web_certificate=owed) == (
        "problem", ["The HTTPS certificate is to be revoked: Not revoked yet: no answer."],
    )  # fmt: skip
