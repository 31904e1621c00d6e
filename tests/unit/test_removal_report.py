"""The timeline of a removal, from what each gateway answered."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.access_heading import access_heading
from ansible_collections.privatespace.gateway.plugins.filter.removal_report import removal_report
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import (
    build_removal_report,
    clock_shift,
    render_access_heading,
    render_removal_report,
)

CUT = {"common_name": "alice@laptop", "listener": "udp"}


def answer(start: float, *, cut: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "asked_at": start - 0.5,
        "answered_at": start + 1.0,
        "timeline": {
            "snapshot_at": start,
            "crl_installed_at": start + 0.1,
            "cut_at": start + 0.2 if cut else None,
            "verified_at": start + 0.3,
        },
        "sessions_cut": [CUT] if cut else [],
        **more,
    }


def report(**gateways: dict[str, Any]) -> Any:
    return build_removal_report(started=100.0, signed_at=101.0, crl_number=7, authority="authority", gateways=gateways)


def test_moments_are_in_order_of_time_over_all_hosts() -> None:
    moments = report(gateway1=answer(102.0), gateway2=answer(101.9, cut=False)).moments
    assert [(round(m.seconds, 2), m.host) for m in moments] == [
        (1.0, "authority"),
        (2.0, "gateway2"),
        (2.1, "gateway1"),
        (2.2, "gateway1"),
        (2.2, "gateway2"),
        (2.3, "gateway1"),
    ]


def test_durations_run_to_the_last_session_cut() -> None:
    result = report(gateway1=answer(102.0), gateway2=answer(103.0))
    assert result.start_to_cut == pytest.approx(3.2)
    assert result.signed_to_cut == pytest.approx(2.2)


def test_no_session_cut_means_no_duration() -> None:
    result = report(gateway1=answer(102.0, cut=False))
    assert result.start_to_cut is None
    assert result.signed_to_cut is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "not asked"),
        ({"unreachable": True, "msg": "Connection refused\nmore"}, "could not be reached: Connection refused"),
        ({"failed": True, "msg": "alice@laptop is still connected."}, "still connected"),
        ({"timeline": {"verified_at": None}}, "no proof"),
    ],
)
def test_a_gateway_without_proof_is_named(given: dict[str, Any], reason: str) -> None:
    result = report(gateway1=answer(102.0), gateway2=given)
    assert [name for name, _reason in result.missing] == ["gateway2"]
    assert reason in result.missing[0][1]
    assert any(
        line.startswith("NOT PROVED on gateway2") for line in render_removal_report(result, revoked=["alice@laptop"])
    )


def test_a_wrong_clock_is_corrected_and_named() -> None:
    result = report(gateway1={**answer(5000.0), "asked_at": 101.5, "answered_at": 102.5})
    assert all(0 < moment.seconds < 3 for moment in result.moments)
    assert "gateway1" in result.remarks[0]


def test_a_believable_clock_is_not_touched() -> None:
    assert clock_shift(10.0, 11.0, asked=9.0, answered=12.0) == 0.0
    assert clock_shift(20.0, 21.0, asked=9.0, answered=12.0) == pytest.approx(-10.0)


DEVICES = [
    {"common_name": "alice@laptop", "user": "alice", "device": "laptop", "disabled": False},
    {"common_name": "alice@phone", "user": "alice", "device": "phone", "disabled": True},
    {"common_name": "alice@tablet", "user": "alice", "device": "tablet", "disabled": True},
    {"common_name": "al@laptop", "user": "al", "device": "laptop", "disabled": True},
]


@pytest.mark.parametrize(
    ("user", "device", "line"),
    [
        ("alice", "", "Disabled: alice@phone, alice@tablet; Enabled: alice@laptop"),
        ("alice", "phone", "Disabled: alice@phone"),
        ("al", "", "Disabled: al@laptop"),
        ("zoe", "", "zoe has no device whose certificate can be used."),
    ],
)
def test_a_heading_tells_who_may_connect(user: str, device: str, line: str) -> None:
    assert render_access_heading(DEVICES, user=user, device=device) == line
    assert access_heading(DEVICES, user=user, device=device) == line


def test_a_report_about_access_has_a_heading_and_no_crl() -> None:
    told = removal_report({"gateway1": answer(102.0)}, started=100.0, authority="authority", heading="Disabled: alice")
    assert told["lines"][0] == "Disabled: alice"
    assert not any("signed" in line for line in told["lines"])
    assert told["start_to_cut"] == pytest.approx(2.2)
    with pytest.raises(AnsibleFilterError, match="neither a CRL nor a heading"):
        removal_report({}, started=100.0, authority="authority")
