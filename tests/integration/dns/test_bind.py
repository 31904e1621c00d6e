"""The module against a real BIND: create, change, delete, and whose record it is."""

from __future__ import annotations

import json
from typing import Any

from integration.dns.name_server import CONTROLLER, ZONE, NameServer
from integration.dns.runs import have
from integration.run_module import RunModule

MARKER = '"heritage=privatespace.gateway"'


def test_a_name_through_its_life(bind: NameServer, run_module: RunModule) -> None:
    """Created, right, changed, removed: each in check mode, for real, and once more."""
    present = bind.options(name="exeter", addresses=["2001:db8:0::7", "192.0.2.7", "192.0.2.6"], ttl=30)
    told = run_module("dns_address", present, check=True, diff=True)
    assert told.changed
    assert bind.ask("exeter") == []
    done = run_module("dns_address", present, diff=True)
    assert done.changed
    assert done["diff"] == told["diff"]
    assert (done["changed_names"], done["verified"]) == ([f"exeter.{ZONE}"], True)
    assert done["records"][0]["addresses"] == ["192.0.2.6", "192.0.2.7", "2001:db8::7"]
    assert bind.answers("exeter", "AAAA") == [("2001:db8::7", 30)]
    assert bind.ask("exeter", "TXT") == [MARKER]
    updates = bind.updates()
    again = run_module("dns_address", present)
    assert not again.changed
    assert again["verified"] is True
    assert bind.updates() == updates
    assert bind.key_secrets[CONTROLLER] not in told.output + done.output

    changed = run_module("dns_address", {**present, "addresses": ["198.51.100.1"]}, diff=True)
    assert json.loads(changed["diff"]["before"])[f"exeter.{ZONE}"]["addresses"] == [
        "192.0.2.6", "192.0.2.7", "2001:db8::7",
    ]  # fmt: skip
    assert json.loads(changed["diff"]["after"])[f"exeter.{ZONE}"] == {
        "addresses": ["198.51.100.1"], "ttl": {"A": 30}, "ours": True,
    }  # fmt: skip
    assert (bind.ask("exeter"), bind.ask("exeter", "AAAA")) == (["198.51.100.1"], [])

    absent = bind.options(name=f"exeter.{ZONE}.", state="absent")
    assert run_module("dns_address", absent).changed
    assert (bind.ask("exeter"), bind.ask("exeter", "TXT")) == ([], [])
    assert not run_module("dns_address", absent).changed


def test_the_secret_is_nowhere(bind: NameServer, run_module: RunModule) -> None:
    arguments = bind.options(name="wells", addresses=["192.0.2.1"], key_name="nobody")
    failed = run_module("dns_address", arguments, fails=True, environment={"ANSIBLE_VERBOSITY": "4"})
    assert "does not know the key 'nobody'" in failed.message
    assert bind.key_secrets[CONTROLLER] not in failed.output


def test_several_names_at_once(bind: NameServer, run_module: RunModule) -> None:
    have(bind.options(), "truro", "192.0.2.1")
    records: list[dict[str, Any]] = [
        {"name": "stroud", "addresses": ["192.0.2.2"], "ttl": 120},
        {"name": "street", "addresses": ["192.0.2.3"]},
        {"name": "truro", "state": "absent"},
    ]
    done = run_module("dns_address", bind.options(records=records, ttl=40))
    assert done["changed_names"] == [f"{name}.{ZONE}" for name in ("stroud", "street", "truro")]
    assert bind.answers("stroud", "A") == [("192.0.2.2", 120)]
    assert bind.answers("street", "A") == [("192.0.2.3", 40)]
    assert bind.ask("truro") == []
