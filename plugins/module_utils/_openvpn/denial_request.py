# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator asks of the register of denials, checked, and what the register is to be then."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import (
    DEVICES,
    EVERYBODY,
    GROUPS,
    LOCKDOWN,
    REMOVAL,
    SPARED,
    USERS,
    Denials,
    Entry,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import (
    parse_group_name,
    parse_user_name,
)

LONGEST_COMMON_NAME = 64
_SERIAL = re.compile(r"[0-9]{1,50}")


@dataclass(frozen=True)
class Request:
    """What is to be written, or lifted.

    :param entries: What is to be in the register, by path; for a request that lifts, what is to be gone.
    :param spared: Entries of whom a lockdown spares; they take the place of those that are there, also where there
        are none. ``None`` leaves these.
    :param every_group: Whether the lockdown of all groups is lifted.
    :param replaces: Whether entries take the place of those that were there for the same reason.
    """

    lifts: bool
    entries: Mapping[str, Entry]
    spared: Mapping[str, Entry] | None = None
    every_group: bool = False
    replaces: bool = False

    def apply_to(self, before: Denials) -> Denials:
        """The register as it is to be."""
        if self.lifts:
            return self._lifted(before)
        if self.spared is not None:
            others = [path for path in before.entries if path.startswith(f"{SPARED}/") and path not in self.spared]
            before = before.without(others).with_added(self.spared)
        if self.replaces:
            known = before.entries
            before = before.without(
                path for path, one in self.entries.items() if path in known and known[path].reason == one.reason
            )
        return before.with_added(self.entries)

    def _lifted(self, before: Denials) -> Denials:
        groups = [path for path in before.entries if self.every_group and path.startswith(f"{GROUPS}/")]
        after = before.without([*self.entries, *groups])
        if any(path == EVERYBODY or path.startswith(f"{GROUPS}/") for path in after.entries):
            return after
        # Who was spared by a lockdown is not by the next one.
        return after.without(path for path in before.entries if path.startswith(f"{SPARED}/"))


def parse_request(raw: Mapping[str, Any], *, now: float) -> Request:
    """Check what an administrator asks for.

    :param raw: The options of the module ``openvpn_denial``.
    :param now: Seconds since 1970-01-01 UTC.
    :raises InputError: for names that nobody has, and for options that contradict each other.
    """
    lifts = raw["state"] == "absent"
    reason = require_single_line(raw["reason"] or "", what="The reason")
    users = [parse_user_name(one, what="A user") for one in raw["users"]]
    devices = [parse_common_name(one) for one in raw["common_names"]]
    serials = _parse_serials(raw["serials"] or {}, known={*users, *devices})
    entries = {
        f"{folder}/{name}": Entry(int(now), reason or REMOVAL, serials.get(name))
        for folder, names in ((USERS, users), (DEVICES, devices))
        for name in names
    }
    locked = Entry(int(now), reason or LOCKDOWN)
    entries.update(dict.fromkeys(_parse_lockdown(raw, lifts=lifts), locked))
    return Request(
        lifts,
        entries,
        _parse_spared(raw, lifts=lifts, entry=locked),
        every_group=lifts and raw["lockdown"] == "groups" and not raw["lockdown_groups"],
        replaces=bool(raw.get("replace")),
    )


def parse_common_name(value: Any) -> str:
    """The common name of a device.

    :raises InputError: if it is not ``USER@DEVICE``.
    """
    user, _at, device = str(value).partition("@")
    parse_user_name(user, what=f"The user in the common name '{shown(str(value))}'")
    parse_user_name(device, what=f"The device in the common name '{shown(str(value))}'")
    if len(str(value)) > LONGEST_COMMON_NAME:
        raise InputError(f"A common name has at most {LONGEST_COMMON_NAME} characters: '{shown(str(value))}'.")
    return str(value)


def _parse_lockdown(raw: Mapping[str, Any], *, lifts: bool) -> list[str]:
    groups = [parse_group_name(one) for one in raw["lockdown_groups"]]
    kind = raw["lockdown"]
    if groups and kind != "groups":
        raise InputError("lockdown_groups are given, but lockdown is not 'groups'.", remedy="Set lockdown to 'groups'.")
    if kind == "groups" and not groups and not lifts:
        raise InputError("A lockdown of groups needs groups.", remedy="Name them in lockdown_groups.")
    return [EVERYBODY] if kind == "everybody" else [f"{GROUPS}/{group}" for group in groups]


def _parse_spared(raw: Mapping[str, Any], *, lifts: bool, entry: Entry) -> dict[str, Entry] | None:
    names = raw["lockdown_except"]
    if names and not raw["lockdown"] and not lifts:
        raise InputError(
            "lockdown_except names whom a lockdown spares, but there is none.", remedy="Set lockdown as well."
        )
    if names is None or lifts or not raw["lockdown"]:
        return None
    return dict.fromkeys(map(_spared_path, names), entry)


def _spared_path(name: str) -> str:
    return f"{SPARED}/{parse_common_name(name) if '@' in name else parse_user_name(name, what='A user')}"


def _parse_serials(raw: Mapping[str, Any], *, known: set[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, given in raw.items():
        if name not in known:
            raise InputError(
                f"serials are given for '{shown(str(name))}', who is neither in users nor in common_names."
            )
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise InputError(f"The serials of '{name}' are not a list.")
        numbers = [str(one) for one in given]
        for one in numbers:
            if not _SERIAL.fullmatch(one):
                raise InputError(f"'{shown(one)}' is not a serial number of '{name}' in decimal.")
        if numbers:
            found[str(name)] = tuple(sorted({str(int(one)) for one in numbers}, key=int))
    return found
