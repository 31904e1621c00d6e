# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not connect to this gateway, whatever the CRL says: the register of denials as values.

Each entry is a file, and its path below the folder says whom it is about, so that the program which OpenVPN asks at
each connection (``client_connect``) decides by looking whether a file is there. What is decided here and what that
program decides are the same; a file that cannot be read denies as much as one that can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

USERS, DEVICES, GROUPS, SPARED = "users", "devices", "lockdown/groups", "lockdown/except"
EVERYBODY, EXPIRED = "lockdown/everybody", "expired"
# The folders below that of the register; an entry lies in one of them, or is one of the two single files.
FOLDERS = (USERS, DEVICES, "lockdown", GROUPS, SPARED)
SINGLE = (EVERYBODY, EXPIRED)
REMOVAL, LOCKDOWN = "removal", "lockdown"
_GROUP_LINE = re.compile(r"# Group: ([a-z0-9-]+)")


@dataclass(frozen=True)
class Entry:
    """What is known of one denial.

    :param since: Seconds since 1970-01-01 UTC.
    :param serials: Serial numbers, decimal, that the CRL in place must list before the denial may be lifted without
        being asked for; ``None`` where only somebody who asks for it lifts it.
    """

    since: int = 0
    reason: str = ""
    serials: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Denials:
    """The register as it is.

    :param entries: By path below the folder of the register: ``users/alice``, ``lockdown/everybody``.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)

    def why(self, common_name: str, *, group: str | None = None) -> str:
        """The path of the entry by which somebody decided to keep a device out, or nothing.

        :param group: The group of the device on the process in question, if it is in one.
        """
        user = user_of(common_name)
        for path in (f"{DEVICES}/{common_name}", f"{USERS}/{user}"):
            if path in self.entries:
                return path
        if any(f"{SPARED}/{name}" in self.entries for name in (common_name, user)):
            return ""
        lockdowns = (EVERYBODY, *((f"{GROUPS}/{group}",) if group else ()))
        return next((path for path in lockdowns if path in self.entries), "")

    def denies(self, common_name: str, *, group: str | None = None) -> bool:
        """Whether a new connection of a device is refused."""
        return EXPIRED in self.entries or bool(self.why(common_name, group=group))

    def cuts(self, common_name: str, *, group: str | None = None) -> bool:
        """Whether a session of a device has to end: a CRL that expired refuses who comes, and cuts nobody."""
        return bool(self.why(common_name, group=group))

    @property
    def somebody(self) -> bool:
        """Whether there is anybody whose session has to end."""
        return any(path != EXPIRED and not path.startswith(f"{SPARED}/") for path in self.entries)

    @property
    def about_groups(self) -> bool:
        """Whether somebody's group matters."""
        return any(path.startswith(f"{GROUPS}/") for path in self.entries)

    def with_added(self, entries: Mapping[str, Entry]) -> Denials:
        """The register with more entries; of two about the same the stricter one holds."""
        added = {
            path: _merged(self.entries[path], one) if path in self.entries else one for path, one in entries.items()
        }
        return Denials({**self.entries, **added})

    def without(self, paths: Iterable[str]) -> Denials:
        """The register with fewer entries."""
        gone = frozenset(paths)
        return Denials({path: one for path, one in self.entries.items() if path not in gone})

    def of_user(self, user: str) -> tuple[str, ...]:
        """The entries about a user and about single devices of the user."""
        return tuple(
            path for path in sorted(self.entries) if path == f"{USERS}/{user}" or path.startswith(f"{DEVICES}/{user}@")
        )

    def as_list(self) -> list[dict[str, Any]]:
        """Every entry in plain types, ordered by its path."""
        return [{"entry": path, **describe_entry(one)} for path, one in sorted(self.entries.items())]


def user_of(common_name: str) -> str:
    """The user of a device: what stands before the first ``@``, else the whole name."""
    return common_name.partition("@")[0]


def parse_group(text: str) -> str | None:
    """The group that a client's file names on its second line."""
    second = text.split("\n", 2)[1:2]
    found = _GROUP_LINE.fullmatch(second[0]) if second else None
    return None if found is None else found.group(1)


def describe_entry(entry: Entry) -> dict[str, Any]:
    """An entry in plain types."""
    serials = None if entry.serials is None else list(entry.serials)
    return {"since": entry.since, "reason": entry.reason, "serials": serials}


def render_entry(entry: Entry) -> bytes:
    """What the file of an entry holds."""
    return json.dumps(describe_entry(entry)).encode("ascii") + b"\n"


def parse_entry(content: bytes) -> Entry:
    """What the file of an entry says; one that says nothing denies nevertheless, until somebody lifts it."""
    try:
        raw = json.loads(content.decode("utf-8"))
        serials = raw["serials"]
        if serials is not None and not _are_serials(serials):
            return Entry()
        return Entry(int(raw["since"]), str(raw["reason"]), None if serials is None else tuple(serials))
    except (KeyError, TypeError, ValueError):
        return Entry()


def parse_register(files: Mapping[str, bytes]) -> Denials:
    """The register that some files are.

    :param files: Their contents, by path below the folder of the register.
    """
    return Denials({path: parse_entry(content) for path, content in files.items()})


def render_changes(before: Denials, after: Denials) -> dict[str, bytes | None]:
    """The files that have to be written, or with ``None`` removed, to get from one register to another."""
    changes: dict[str, bytes | None] = dict.fromkeys(path for path in before.entries if path not in after.entries)
    for path, entry in after.entries.items():
        if before.entries.get(path) != entry:
            changes[path] = render_entry(entry)
    return changes


def _are_serials(raw: Any) -> bool:
    return isinstance(raw, list) and bool(raw) and all(isinstance(one, str) and one.isdecimal() for one in raw)


def _merged(old: Entry, new: Entry) -> Entry:
    """What stays until somebody lifts it does not come to be lifted by itself, nor by fewer serial numbers."""
    if old.serials is None or new.serials is None:
        serials = None
    else:
        serials = tuple(sorted({*old.serials, *new.serials}, key=int))
    return replace(old, reason=new.reason or old.reason, serials=serials)
