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


AGENT: dict[str, Any] = {
    "checked_at": NOW - 40, "answered_at": NOW - 40, "problem": "", "problem_since": 0, "number": 12,
}  # fmt: skip
FOLLOWING: dict[str, Any] = {"mode": "crl", "missing_folders": [], "denied_since_expiry": False, "agent": AGENT}


def test_a_gateway_that_follows_the_crl_says_when_it_last_looked() -> None:
    assert problems(revocation=FOLLOWING) == ("ok", [])
    assert "  CRL 12, 60 min old, good for 10 days, checked 40 s ago" in render_status_report(
        document(revocation=FOLLOWING)
    )
    by_serials = document(revocation={**FOLLOWING, "mode": "serials", "agent": None})
    assert "  CRL 12, 60 min old, good for 10 days, by serial numbers" in render_status_report(by_serials)


def test_a_gateway_that_does_not_follow_the_crl_is_told_of() -> None:
    bad = {**FOLLOWING, "agent": {**AGENT, "problem": "http://x: it is empty."}}
    assert problems(revocation=bad) == ("warning", ["Following the CRL: http://x: it is empty."])
    silent = {**FOLLOWING, "agent": {**AGENT, "checked_at": NOW - 7300}}
    assert problems(revocation=silent) == ("warning", ["The gateway last looked for a CRL 2 h ago."])
    never = {**FOLLOWING, "agent": None, "agent_wanted": True}
    health, told = problems(revocation=never)
    assert (health, len(told), "has never done so" in told[0]) == ("warning", 1, True)
    assert problems(revocation={**FOLLOWING, "agent": None, "agent_wanted": False}) == ("ok", [])
    open_to_all = {**FOLLOWING, "mode": "serials", "missing_folders": ["/etc/x/revoked"]}
    health, told = problems(revocation=open_to_all)
    assert (health, len(told)) == ("problem", 1)
    assert "/etc/x/revoked" in told[0]
    health, told = problems(revocation={**FOLLOWING, "barred_by": "/etc/x"})
    assert (health, len(told)) == ("problem", 1)
    assert told[0].startswith("OpenVPN cannot look into /etc/x, ")
    assert told[0].endswith(": chmod a+x /etc/x")


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({}, "nobody can connect."),
        ({"mode": "serials", "denied_since_expiry": True}, "nobody can connect (openvpn_expired_crl)."),
        ({"mode": "serials"}, "who is removed from now on is let in."),
    ],
)
def test_what_an_expired_crl_means_is_told_as_it_is(changes: dict[str, Any], effect: str) -> None:
    expired = {**GOOD["crl"], "next_update": NOW - 1}
    found = problems(crl=expired, revocation={**FOLLOWING, **changes})
    assert found == ("problem", [f"The CRL has expired: {effect}"])


def test_the_document_is_json_with_these_keys() -> None:
    found = json.loads(json.dumps(document()))
    assert (found["schema"], found["generated_at"]) == (1, NOW)
    assert set(found) == {"schema", "generated_at", "authority", "gateways", "users", "totals", "expiring"}
    assert set(found["gateways"][0]) == {
        "name", "answered", "health", "problems", "listeners", "crl", "certificate_not_after", "foreign_configs",
        "announcement", "web_certificate", "revocation", "denials",
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


def denial(entry: str, *, age: int = 7200) -> dict[str, Any]:
    return {"entry": entry, "since": NOW - age, "reason": "removal", "serials": None}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["users/alice", "devices/bob@phone"], "since 2 h: alice,bob@phone. A removal that was not finished is by"),
        (["users/alice"], "-e user_names=alice; who was added again since is let in by the module openvpn_denial"),
        (["lockdown/everybody"], "A lockdown of everybody holds since 2 h (spared: nobody). It ends with"),
        (["lockdown/everybody", "lockdown/except/carol"], "(spared: carol)"),
        (["lockdown/groups/sales", "lockdown/groups/field"], "A lockdown of groups field, sales holds"),
        ([f"users/u{n:02}" for n in range(12)], "u09 and 2 more."),
    ],
)
def test_who_is_denied_by_name_is_a_warning(entries: list[str], words: str) -> None:
    health, (sentence,) = problems(denials=[denial(entry) for entry in entries])
    assert health == "warning"
    assert words in sentence


def test_who_is_spared_by_no_lockdown_and_an_expired_crl_are_told_elsewhere() -> None:
    assert problems(denials=[denial("lockdown/except/carol"), denial("expired")]) == ("ok", [])


FRESH: dict[str, Any] = {
    "problems": [],
    "warnings": [],
    "issuers": [{"key_label": "ca", "number": 12, "days_left": 20.0}, {"key_label": "new", "number": None}],
    "endpoint": "http://192.0.2.1:80/crl.pem",
    "timer": {"wanted": True, "active": True, "next": ""},
}


def authority(*numbers: int, signed: int = 3600, state: str = "active") -> dict[str, Any]:
    rows = [{"state": state, "crl": {"number": number, "signed_at": NOW - signed}} for number in numbers]
    return {"certificates": [], "authorities": [{"state": "retired", "crl": None}, *rows]}


def status(known: dict[str, Any] | None, *, problem: str = "", fresh: Any = None, **changes: Any) -> dict[str, Any]:
    gateways = {"gateway1": GOOD, "gateway2": {**GOOD, **changes}}
    return build_status(gateways, authority=known, now=NOW, freshness=fresh, problem=problem)


def test_the_authority_comes_first_where_it_was_asked() -> None:
    found = status(authority(12), fresh=FRESH)
    assert render_status_report(found)[:4] == [
        "authority  OK",
        "  CRL 12 of ca, good for 20 days",
        "  published at http://192.0.2.1:80/crl.pem",
        "",
    ]
    assert found["authority"]["gateways_behind"] == []
    assert status(None)["authority"] is None


@pytest.mark.parametrize(
    ("known", "behind"),
    [
        (authority(13), ["gateway1", "gateway2"]),
        (authority(12), []),
        (authority(11), []),
        (authority(13, signed=60), []),
        (authority(13, state="retired"), []),
    ],
    ids=["newer", "the same", "older", "on its way", "of an authority that is gone"],
)
def test_gateways_with_an_older_crl_are_named(known: dict[str, Any], behind: list[str]) -> None:
    found = status(known, fresh=FRESH)
    assert found["authority"]["gateways_behind"] == behind
    sentence = "The CRL in place is number 12, and the authority has signed 13."
    assert [block["name"] for block in found["gateways"] if sentence in block["problems"]] == behind
    assert (f"  older CRL on {', '.join(behind)}" in render_status_report(found)) is bool(behind)


def test_the_crl_of_each_authority_counts() -> None:
    crl = {**GOOD["crl"], "issuers": [{"number": 12}, {"number": 3}], "expires_first": "CN = x"}
    assert status(authority(12, 4), fresh=FRESH, crl=crl)["authority"]["gateways_behind"] == ["gateway2"]


@pytest.mark.parametrize(
    ("fresh", "problem", "health", "line"),
    [
        ({"problems": ["It is late."]}, "", "problem", "  ! It is late."),
        ({"warnings": ["It will be late."]}, "", "warning", "  ! It will be late."),
        (None, "Connection timed out", "problem", "  ! No answer: Connection timed out"),
    ],
)
def test_what_is_wrong_with_the_authority_hides_no_gateway(fresh: Any, problem: str, health: str, line: str) -> None:
    found = status(None, fresh=fresh and {**FRESH, **fresh}, problem=problem)
    assert found["authority"]["health"] == health
    lines = render_status_report(found)
    assert lines[:2] == [f"authority  {health.upper()}", line]
    assert "gateway1  OK" in lines
