# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of denials on a gateway: read, and changed by one program at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._host import denial_folder
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import (
    FOLDERS,
    Denials,
    Entry,
    parse_group,
    parse_register,
    render_changes,
)

# The client's file for everybody who has none, as OpenVPN calls it.
DEFAULT = "DEFAULT"


def read_denials(folder: Path) -> Denials:
    """The register as it is; empty where there is no folder.

    :raises FileError: a folder cannot be read.
    """
    return parse_register(denial_folder.read_entries(folder, FOLDERS))


def change_register(folder: Path, plan: Callable[[Denials], Denials]) -> Denials:
    """Change the register, decided on what it is while nobody else changes it; returns what it is then.

    :raises FileError: an entry could not be written or removed; others may have been.
    :raises BusyError: another program is changing the register, and does not end.
    """

    def changes(files: Mapping[str, bytes]) -> Mapping[str, bytes | None]:
        before = parse_register(files)
        return render_changes(before, plan(before))

    return parse_register(denial_folder.change_entries(folder, FOLDERS, changes))


def add_entries(folder: Path, entries: Mapping[str, Entry]) -> Denials:
    """Write entries, by path; returns the register afterwards. Of two about the same the stricter one holds.

    Raises as :func:`change_register` does.
    """
    return change_register(folder, lambda before: before.with_added(entries))


def remove_entries(folder: Path, paths: Iterable[str], *, judged: Denials | None = None) -> Denials:
    """Lift entries, by path; returns the register afterwards. One that is not there is no error.

    :param judged: The register on which the decision was made: an entry that has changed since stays.
    Raises as :func:`change_register` does.
    """
    wanted = tuple(paths)

    def plan(before: Denials) -> Denials:
        entries = before.entries
        return before.without(one for one in wanted if judged is None or judged.entries.get(one) == entries.get(one))

    return change_register(folder, plan)


def read_group(folder: Path, process: str, common_name: str) -> str | None:
    """The group of a device on a process, as the hook of OpenVPN finds it: from its file, else from that of everybody.

    :param folder: The folder that holds the folders of the processes.
    """
    for name in (common_name, DEFAULT):
        if "/" not in name and not name.startswith("."):
            try:
                group = parse_group((folder / process / name).read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue
            if group:
                return group
    return None
