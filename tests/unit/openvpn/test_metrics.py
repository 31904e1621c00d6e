"""The state of a gateway for Prometheus, read back by Prometheus' own parser."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.metrics import PREFIX, render_metrics

NOW = 1_790_000_000.25


def listener(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "state": "answered", "started_at": NOW - 60, "stale": False, "problems": [], "version": "2.6.14",
        "bytes_received": 70, "bytes_sent": 90, "dco": "unavailable", **changes,
    }  # fmt: skip


def session(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "listener": "udp", "common_name": name, "virtual_address": "10.91.0.2", "virtual_address6": "",
        "bytes_received": 10, "bytes_sent": 20, "connected_since": 1_789_999_000, **changes,
    }  # fmt: skip


STATE: dict[str, Any] = {
    "listeners": [listener("udp", stale=True, problems=["x"]), listener("tcp", state="not_running", started_at=None)],
    "sessions": [
        session("alice@laptop"),
        session("alice@laptop", connected_since=1_789_998_000),
        session("UNDEF", virtual_address=""),
        session("UNDEF"),
    ],
    "crl": {
        "issuers": [
            {"issuer": 'CN = "A\\B"', "number": 7, "this_update": 1, "next_update": 3},
            {"issuer": 'CN = "A\\B"', "number": 9, "this_update": 2, "next_update": 4},
            {"issuer": "CN = Root", "number": 1, "this_update": 1, "next_update": 9},
        ]
    },
    "certificate_not_after": 1_800_000_000,
    "foreign_configs": ["/etc/openvpn/x.conf"],
}


def parse(text: str) -> dict[str, float]:
    """Every series by its name and the values of its labels."""
    families = list(text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    names = Counter((sample.name, *sorted(sample.labels.items())) for sample in samples)
    assert [name for name, count in names.items() if count > 1] == []
    for family in families:
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "counter")
        assert family.name.startswith(PREFIX)
    return {
        " ".join((sample.name.removeprefix(PREFIX), *map(str, sample.labels.values()))): sample.value
        for sample in samples
    }


def test_everything_is_told() -> None:
    assert parse(render_metrics(STATE, now=NOW)) == {
        "scrape_success": 1, "scrape_timestamp_seconds": NOW,
        "listener_up udp": 1, "listener_up tcp": 0,
        "listener_start_time_seconds udp": NOW - 60,
        "listener_stale udp": 1, "listener_stale tcp": 0,
        "listener_problems udp": 1, "listener_problems tcp": 0,
        "listener_received_bytes_total udp": 70, "listener_sent_bytes_total udp": 90,
        "listener_dco_active udp": 0, "listener_info udp 2.6.14 unavailable": 1,
        "sessions udp": 2 + 1, "handshakes udp": 1,
        "user_received_bytes_total udp alice@laptop": 20, "user_sent_bytes_total udp alice@laptop": 40,
        "user_connected_since_seconds udp alice@laptop": 1_789_998_000,
        "crl_valid": 1,
        'crl_number CN = "A\\B"': 7, "crl_number CN = Root": 1,
        'crl_this_update_timestamp_seconds CN = "A\\B"': 1, "crl_this_update_timestamp_seconds CN = Root": 1,
        'crl_next_update_timestamp_seconds CN = "A\\B"': 3, "crl_next_update_timestamp_seconds CN = Root": 9,
        "crl_days_left": round((3 - NOW) / 86400, 2),
        "certificate_expiry_timestamp_seconds": 1_800_000_000,
        "foreign_configs": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("problem", "right"), [("", 1), ("The server refuses.", 0)])
def test_a_name_is_right_or_not(problem: str, right: int) -> None:
    announcement = {"name": "leeds.example.net", "checked_at": NOW - 5, "problem": problem}
    found = parse(render_metrics({**STATE, "announcement": announcement}, now=NOW))
    assert found["dns_name_right leeds.example.net"] == right
    assert found["dns_name_checked_timestamp_seconds leeds.example.net"] == NOW - 5


@pytest.mark.parametrize(("problem", "right"), [("", 1), ("The CA is busy.", 0)])
def test_the_certificate_for_browsers_is_right_or_not(problem: str, right: int) -> None:
    certificate = {
        "problem": problem, "checked_at": NOW - 5, "fingerprint": "ab", "not_after": NOW + 86400, "days_left": 1.0,
        "retry_at": NOW + 9 if problem else 0,
    }  # fmt: skip
    found = parse(render_metrics({**STATE, "web_certificate": certificate}, now=NOW))
    assert found["https_certificate_right"] == right
    assert found["https_certificate_checked_timestamp_seconds"] == NOW - 5
    assert found["https_certificate_expiry_timestamp_seconds"] == NOW + 86400
    assert found["https_certificate_days_left"] == 1
    assert ("https_certificate_retry_timestamp_seconds" in found) is bool(problem)
    found = parse(render_metrics({**STATE, "web_certificate": {**certificate, "fingerprint": ""}}, now=NOW))
    assert found["https_certificate_right"] == 0
    expired = {**certificate, "not_after": NOW}
    assert parse(render_metrics({**STATE, "web_certificate": expired}, now=NOW))["https_certificate_right"] == 0
    assert "https_certificate_expiry_timestamp_seconds" not in found


@pytest.mark.parametrize(("problem", "right"), [("", 1), ("it is empty.", 0)])
def test_a_gateway_follows_the_crl_or_not(problem: str, right: int) -> None:
    agent = {"checked_at": NOW - 5, "answered_at": NOW - 65, "problem": problem, "problem_since": NOW - 600}
    found = parse(render_metrics({**STATE, "revocation": {"mode": "crl", "agent": agent}}, now=NOW))
    assert found["crl_agent_right"] == right
    assert found["crl_agent_checked_timestamp_seconds"] == NOW - 5
    assert found["crl_agent_answered_timestamp_seconds"] == NOW - 65
    assert found.get("crl_agent_problem_since_seconds") == (NOW - 600 if problem else None)
    without = parse(render_metrics({**STATE, "revocation": {"mode": "crl", "agent": None}}, now=NOW))
    assert not [name for name in without if name.startswith("crl_agent")]


def test_a_gateway_that_is_to_follow_the_crl_and_never_did_is_an_alarm() -> None:
    revocation = {"mode": "crl", "agent": None, "agent_wanted": True}
    found = parse(render_metrics({**STATE, "revocation": revocation}, now=NOW))
    assert (found["crl_agent_right"], found["crl_agent_checked_timestamp_seconds"]) == (0, 0)


def test_a_gateway_that_cannot_be_read_says_so() -> None:
    assert parse(render_metrics(None, now=NOW)) == {"scrape_success": 0, "scrape_timestamp_seconds": NOW}


def test_a_listener_that_hangs_makes_the_scrape_incomplete() -> None:
    state = {**STATE, "listeners": [listener("udp", state="silent")], "sessions": []}
    found = parse(render_metrics(state, now=NOW))
    assert (found["scrape_success"], found["listener_up udp"]) == (0, 0)
    assert "sessions udp" not in found


def test_no_crl_and_no_certificate() -> None:
    found = parse(render_metrics({**STATE, "crl": None, "certificate_not_after": None}, now=NOW))
    assert found["crl_valid"] == 0
    assert not [name for name in found if name.startswith(("crl_number", "certificate"))]


def test_a_label_cannot_break_out_of_its_line() -> None:
    found = parse(render_metrics({**STATE, "sessions": [session('a"} 1\nx\\')]}, now=NOW))
    assert found['user_received_bytes_total udp a"} 1\nx\\'] == 10
