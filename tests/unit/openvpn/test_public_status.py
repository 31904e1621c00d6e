"""What everybody is told of a gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.public_status import (
    judge_state,
    render_public_status,
)

NOW = 1_800_000_000.5
CRL = {
    "number": 7,
    "this_update": 1_799_990_000,
    "next_update": 1_800_600_000,
    "sha256": "ab" * 32,
    "issuers": [{"issuer": "CN=Corp CA"}],
}


SERIALS = {"mode": "serials", "denied_since_expiry": False}
DENIED = {"mode": "serials", "denied_since_expiry": True}


def gateway(*listeners: str, **others: Any) -> dict[str, Any]:
    found = [{"name": f"listener{index}", "state": state} for index, state in enumerate(listeners)]
    return {"listeners": found, "crl": CRL, "certificate_not_after": 1_900_000_000, "sessions": [], **others}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (gateway("answered", "answered"), "ok"),
        (gateway("answered", "not_running"), "warning"),
        (gateway("answered", "silent"), "warning"),
        (gateway("not_running", "not_running"), "problem"),
        (gateway(), "problem"),
        (gateway("silent", "not_running"), "unknown"),
        (gateway("answered", crl=None), "problem"),
        (gateway("answered", crl={**CRL, "next_update": int(NOW)}), "problem"),
        (gateway("answered", crl={**CRL, "next_update": int(NOW)}, revocation=SERIALS), "warning"),
        (gateway("answered", crl={**CRL, "next_update": int(NOW)}, revocation=DENIED), "problem"),
        (gateway("answered", crl=None, revocation=SERIALS), "problem"),
        (gateway("answered", revocation=SERIALS), "ok"),
        (gateway("answered", certificate_not_after=int(NOW), revocation=SERIALS), "problem"),
        (gateway("answered", certificate_not_after=None), "problem"),
        (gateway("answered", certificate_not_after=int(NOW)), "problem"),
        (None, "unknown"),
    ],
)
def test_the_light_tells_whether_people_can_connect(state: dict[str, Any] | None, status: str) -> None:
    assert judge_state(state, now=NOW) == status


def test_nobody_is_named_or_counted() -> None:
    session = {"common_name": "alice@laptop", "real_address": "198.51.100.7"}
    told = render_public_status(gateway("answered", sessions=[session], foreign_configs=["/etc/openvpn/x"]), now=NOW)
    assert json.loads(told) == {
        "status": "ok",
        "checked_at": 1_800_000_000,
        "crl": {key: CRL[key] for key in ("number", "this_update", "next_update", "sha256")},
    }


def test_a_gateway_that_could_not_be_asked_says_so() -> None:
    told = {"status": "unknown", "checked_at": 1_800_000_000, "crl": None}
    assert json.loads(render_public_status(None, now=NOW)) == told
