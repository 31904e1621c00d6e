"""What systemd says of units."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.units import Unit, parse_units

SHOWN = """\
ActiveState=active
UnitFileState=enabled
MainPID=812

ActiveState=inactive
UnitFileState=disabled
MainPID=0
"""


def test_units_are_told_apart_by_their_order() -> None:
    assert parse_units(["a", "b", "c"], SHOWN) == {
        "a": Unit("a", active=True, enabled=True, main_pid=812),
        "b": Unit("b"),
        "c": Unit("c"),
    }


@pytest.mark.parametrize(("state", "active"), [("activating", True), ("failed", False), ("deactivating", True)])
def test_a_unit_that_starts_again_by_itself_counts_as_active(state: str, active: bool) -> None:
    assert parse_units(["a"], f"ActiveState={state}\nUnitFileState=\n")["a"].active is active
