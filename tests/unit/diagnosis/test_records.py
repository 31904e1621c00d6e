"""Records survive the journey through JSON, and a damaged one is told apart with its place."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import Evidence, Finding, Remedy
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Buffers,
    Clock,
    Gateway,
    Listener,
    Machine,
    Observations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path, Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain, to_plain

SEGMENT = Segment(1, "outside", "tcp", "down", "pair", 0.5, 2.0, 9.4e7, intervals=((0.2, 9e7), (0.4, 9.5e7)))
PATH = Path("alice", "gateway1", "192.0.2.1", 1.8e9, 58.0, 8e7, segments=(SEGMENT,), unmeasured=("mtr is missing",))
GATEWAY = Gateway(
    "gateway1",
    1.8e9,
    Machine(2),
    Clock(None),
    listeners=(Listener("tcp", "tcp", 443, "answered", options={"dev": "tun"}, buffers=Buffers(1, 2, 3, 4)),),
    sysctl={"net.core.rmem_max": "212992"},
)
OBSERVATIONS = Observations(GATEWAY, (PATH,), 1.8e9)


def test_observations_survive_json() -> None:
    assert from_plain(Observations, json.loads(json.dumps(to_plain(OBSERVATIONS)))) == OBSERVATIONS


def test_a_finding_survives_json() -> None:
    finding = Finding(
        "udp_limited", "fault", "certain", "t", "e", (Evidence("x", "iperf3", ("l",)),),
        (Remedy("r", "openvpn_mssfix", 1400),), figures=(("rate_bps", 1e7),),
    )  # fmt: skip
    assert from_plain(Finding, json.loads(json.dumps(to_plain(finding)))) == finding


def test_a_whole_number_where_a_rate_is_expected_is_one() -> None:
    plain = {**to_plain(PATH), "ceiling": 80000000}
    assert isinstance(from_plain(Path, plain).ceiling, float)


def test_fields_of_a_later_version_are_left_out() -> None:
    assert from_plain(Path, {**to_plain(PATH), "weather": "rain"}) == PATH


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": "58"}, "Path.seconds is str, and should be float"),
        ({"sent_up": True}, "Path.sent_up is bool, and should be int"),
        ({"segments": {}}, "Path.segments is dict, and should be a list"),
        ({"segments": [[]]}, "Segment is list, and should be a mapping"),
        ({"segments": [{**to_plain(SEGMENT), "intervals": [[1.0]]}]}, "Segment.intervals has 1 parts"),
        ({"probe": None}, "Path.probe is NoneType, and should be str"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_plain(Path, {**to_plain(PATH), **changes})


def test_what_is_missing_is_named() -> None:
    plain = to_plain(PATH)
    del plain["ceiling"]
    with pytest.raises(InputError, match=r"Path\.ceiling is missing"):
        from_plain(Path, plain)


def test_an_optional_record_may_be_absent() -> None:
    listener = replace(GATEWAY.listeners[0], buffers=None)
    assert from_plain(Listener, to_plain(listener)) == listener
