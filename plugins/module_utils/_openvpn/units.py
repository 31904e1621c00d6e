# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of units: the answer to ``systemctl show``, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROPERTIES = ("ActiveState", "UnitFileState", "MainPID")
_RUNNING = frozenset({"active", "activating", "reloading", "deactivating"})


@dataclass(frozen=True)
class Unit:
    """A unit, loaded or not.

    :param active: Whether it runs, or would be started again by itself.
    :param enabled: Whether a link in ``/etc`` has it started with the system.
    :param main_pid: Its process, 0 where there is none.
    """

    name: str
    active: bool = False
    enabled: bool = False
    main_pid: int = 0


def parse_units(names: Sequence[str], shown: str) -> dict[str, Unit]:
    """The units in an answer to ``systemctl show --property=… NAME…``: a paragraph each, in the order asked for.

    A machine without systemd has an empty answer, and no unit that runs.
    """
    paragraphs = [paragraph for paragraph in shown.split("\n\n") if paragraph.strip()]
    units = {name: _unit(name, paragraph) for name, paragraph in zip(names, paragraphs)}
    return {name: units.get(name, Unit(name)) for name in names}


def _unit(name: str, paragraph: str) -> Unit:
    values = dict(line.partition("=")[::2] for line in paragraph.splitlines())
    return Unit(
        name,
        active=values.get("ActiveState") in _RUNNING,
        enabled=values.get("UnitFileState") == "enabled",
        main_pid=int(values.get("MainPID") or 0),
    )
