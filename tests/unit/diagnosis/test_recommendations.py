"""What is recommended exists as a variable, has a value that it takes, and ends in one file that says why."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.diagnosis.observed import GOOD_SYSCTL, World, observe
from unit.diagnosis.test_verdicts import DHCP, PAIRS, WORLDS

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    POSSIBLE,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.recommendations import (
    recommend,
    render_variables,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdicts import find

ROLES = Path(__file__).resolve().parents[3] / "roles"
TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (int, float), "str": (str,), "bool": (bool,), "list": (list,), "dict": (dict,),
    "path": (str,),
}  # fmt: skip
MORE = (
    World(reordering=0.05, depth=5000, bad_ids=90),
    World(core=120e6, waiting=0.6),
    World(lookup_seconds=0.9, gateway={"resolvers": (replace(DHCP, source="static"),)}),
    World(gateway={"sysctl": dict.fromkeys(GOOD_SYSCTL, "0")}),
    World(gateway={"sysctl": {"net.netfilter.nf_conntrack_count": "99", "net.netfilter.nf_conntrack_max": "100"}}),
    World(loss=0.02),
)


def options() -> dict[str, dict[str, Any]]:
    """Every public variable of the roles, as its specification describes it."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(entry.get("options") or {})
    return found


def problems_of(value: Any, option: dict[str, Any], where: str) -> list[str]:
    kinds = TYPES[option.get("type", "str")]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return [f"{where}: {value!r} is not {option.get('type', 'str')}"]
    if option.get("choices") and not isinstance(value, list) and value not in option["choices"]:
        return [f"{where}: {value!r} is not one of {option['choices']}"]
    inner = option.get("options")
    items: list[Any] = value if isinstance(value, list) else [value]
    if not inner or not value:
        return []
    found = [f"{where}: unknown {key}" for item in items for key in item if key not in inner]
    found += [
        f"{where}: {key} is missing"
        for item in items
        for key in inner
        if inner[key].get("required") and key not in item
    ]
    for item in items:
        for key, part in item.items():
            found += problems_of(part, inner.get(key, {}), f"{where}.{key}")
    return found


@cache
def all_remedies() -> list[Remedy]:
    worlds = [*(world for world, _cause in WORLDS.values()), *(world for world, _causes in PAIRS.values()), *MORE]
    return [remedy for world in worlds for one in find(observe(world)) for remedy in one.remedies]


def test_every_variable_exists_and_takes_the_value() -> None:
    known = options()
    named = {one.variable for one in all_remedies() if one.variable}
    assert named - set(known) == set()
    assert len(named) >= 15, sorted(named)
    problems = [
        problem
        for one in all_remedies()
        if one.variable
        for problem in problems_of(one.value, known[one.variable], one.variable)
    ]
    assert problems == []


def test_variables_in_texts_exist_too() -> None:
    import re

    known = options()
    words = {word for one in all_remedies() for word in re.findall(r"\b(?:openvpn|dnsmasq|pki)_[a-z_]+", one.text)}
    assert words - set(known) == set()


def test_the_check_of_values_can_fail() -> None:
    known = options()
    assert problems_of("thick", known["openvpn_compression"], "x")
    assert problems_of(True, known["openvpn_mssfix"], "x")
    assert problems_of([{"name": "udp"}], known["openvpn_listeners"], "x")
    assert problems_of({"mbits": 1.0}, known["openvpn_measured_path"], "x")


def test_playbooks_in_commands_exist() -> None:
    playbooks = ROLES.parent / "playbooks"
    worlds = [World(gateway=gateway) for gateway in expired_things()]
    commands = [one.command for world in worlds for found in find(observe(world)) for one in found.remedies]
    assert len(commands) == 4
    for command in commands:
        assert (playbooks / f"{command.rpartition('.')[2]}.yml").is_file(), command


def expired_things() -> list[dict[str, Any]]:
    from unit.diagnosis.observed import expired

    return [expired(what) for what in ("CRL", "CA certificate", "gateway certificate", "web certificate")]


def finding(variable: str, value: Any, *, gateway: str = "one", certainty: str = CERTAIN) -> Finding:
    remedy = Remedy("Do it.", variable, value)
    return Finding("mtu_black_hole", FAULT, certainty, "A title", "e", (), (remedy,), gateway=gateway)


@pytest.mark.parametrize(
    ("variable", "values", "expected"),
    [
        ("openvpn_replay_window_packets", (600, 1800), 1800),
        ("openvpn_mssfix", (1372, 1272), 1272),
        ("openvpn_max_segment_size", (1288, 1300), 1288),
        ("openvpn_compression", ("none", "none"), "none"),
        ("openvpn_sysctl", ({"a.b": "1"}, {"c.d": "2"}), {"a.b": "1", "c.d": "2"}),
        ("openvpn_measured_path", ({}, {}), {}),
        ("openvpn_listeners", ([{"name": "a"}], [{"name": "b"}]), None),
        ("openvpn_realtime_scheduling", (True, False), None),
        ("openvpn_mixed", (True, 1), None),
    ],
)
def test_values_of_two_gateways_become_one_or_stay_apart(variable: str, values: tuple[Any, Any], expected: Any) -> None:
    found = [finding(variable, values[0]), finding(variable, values[1], gateway="two")]
    one = recommend(found)[variable]
    assert one.value == expected
    assert type(one.value) is type(expected)
    assert one.by_gateway == {"one": values[0], "two": values[1]}


def test_what_is_merely_possible_is_not_recommended() -> None:
    assert recommend([finding("openvpn_mssfix", 1, certainty=POSSIBLE)]) == {}


def test_commands_and_advice_are_no_variables() -> None:
    assert recommend([replace(finding("", None), remedies=(Remedy("Ask.", command="ls"), Remedy("Ask.")))]) == {}


def test_the_file_is_read_back_as_it_was_meant() -> None:
    findings = [
        finding("openvpn_mssfix", 1372),
        finding("openvpn_sysctl", {"net.ipv4.tcp_mtu_probing": "1"}),
        finding("openvpn_measured_path", {}),
        finding("openvpn_listeners", [{"name": "udp", "protocol": "udp", "port": 1194, "per_core": True}]),
        finding("openvpn_foreign_configs", "quarantine"),
        finding("dnsmasq_dhcp_upstreams", value=False),
        finding("openvpn_gateway_name", 'yes: "#ü\u2028'),
    ]
    text = render_variables(recommend(findings))
    assert yaml.safe_load(text) == {
        "openvpn_mssfix": 1372,
        "openvpn_sysctl": {"net.ipv4.tcp_mtu_probing": "1"},
        "openvpn_measured_path": {},
        "openvpn_listeners": [{"name": "udp", "protocol": "udp", "port": 1194, "per_core": True}],
        "openvpn_foreign_configs": "quarantine",
        "dnsmasq_dhcp_upstreams": False,
        "openvpn_gateway_name": 'yes: "#ü\u2028',
    }
    assert text == render_variables(recommend(findings))
    assert all(len(line) <= 160 for line in text.splitlines())
    assert "# A title (one). Do it." in text


def test_values_that_differ_stay_comments() -> None:
    found = [finding("openvpn_listeners", [{"name": name}], gateway=name) for name in ("one", "two")]
    text = render_variables(recommend(found))
    assert yaml.safe_load(text) is None
    assert '#     - {"name": "two"}' in text


def test_a_title_cannot_become_a_setting() -> None:
    evil = replace(
        finding("openvpn_mssfix", 1), title="x\nopenvpn_chroot: true\u2028openvpn_b: 1\x85openvpn_c: 1\ropenvpn_d: 1"
    )
    assert yaml.safe_load(render_variables(recommend([evil]))) == {"openvpn_mssfix": 1}


def test_nothing_to_recommend_is_said() -> None:
    assert "nothing to recommend" in render_variables({})
    assert yaml.safe_load(render_variables({})) is None
