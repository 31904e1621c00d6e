# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that went down with a lab on it leaves bridges behind; the next `./lab up` gets past them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from privatespace_lab import hosts, topology
from privatespace_lab.engine import LabError

BRIDGE = "psgleft0"


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Iterator[topology.Network]:
    """A bridge on a prefix that no instance of the lab has."""
    monkeypatch.setitem(topology.SECOND_OCTETS, "left", 83)
    network = topology.NETWORKS[0]
    assert ip("link", "add", BRIDGE, "type", "bridge")
    try:
        assert ip("address", "add", topology.subnet("left", network).replace(".0/", ".1/"), "dev", BRIDGE)
        assert ip("link", "set", BRIDGE, "up")
        yield network
    finally:
        ip("link", "delete", f"{BRIDGE}p")
        ip("link", "delete", BRIDGE)


def test_a_bridge_with_no_host_on_it_is_removed(bridge: topology.Network, capsys: pytest.CaptureFixture[str]) -> None:
    hosts._clear_the_way("left", bridge)
    assert not ip("link", "show", BRIDGE)
    assert f"removing the bridge {BRIDGE}" in capsys.readouterr().err


def test_a_bridge_with_a_host_on_it_is_another_labs(bridge: topology.Network) -> None:
    assert ip("link", "add", f"{BRIDGE}p", "master", BRIDGE, "type", "dummy") or ip(
        "link", "add", f"{BRIDGE}p", "master", BRIDGE, "type", "veth", "peer", "name", f"{BRIDGE}q"
    )
    with pytest.raises(LabError, match=r"run \./lab down in the checkout that uses it"):
        hosts._clear_the_way("left", bridge)
    assert ip("link", "show", BRIDGE)
