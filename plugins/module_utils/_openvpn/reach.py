# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process that has dropped its privileges can look into folders, from what the system says of both.

A denial is a file that has to be found: a folder above it which the process cannot search lets everybody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as bits of a set of capabilities.
_SEARCHES_ANYTHING = 1 << 1 | 1 << 2
_FIELD = re.compile(r"^(Uid|Gid|Groups|CapEff):\t(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Identity:
    """On whose behalf a process opens files.

    :param groups: The process' own group and all others.
    :param is_free: Whether modes do not matter to it, as to root.
    """

    user: int
    groups: frozenset[int] = frozenset()
    is_free: bool = False


@dataclass(frozen=True)
class Folder:
    """What ``stat`` says of a folder."""

    path: str
    mode: int
    user: int
    group: int


def parse_identity(status: str) -> Identity | None:
    """Read the file ``status`` of a process in ``/proc``; ``None`` where it does not tell."""
    fields = {name: value.split() for name, value in _FIELD.findall(status)}
    try:
        user, group, capabilities = int(fields["Uid"][1]), int(fields["Gid"][1]), int(fields["CapEff"][0], 16)
        others = [int(one) for one in fields.get("Groups", [])]
    except (KeyError, IndexError, ValueError):
        return None
    return Identity(user, frozenset([group, *others]), is_free=user == 0 and bool(capabilities & _SEARCHES_ANYTHING))


def first_barrier(folders: Iterable[Folder], identity: Identity) -> str:
    """The first folder that a process cannot search, or nothing.

    :param folders: From the root of the file system on.
    """
    return next((one.path for one in folders if not _can_search(one, identity)), "")


def _can_search(folder: Folder, identity: Identity) -> bool:
    if identity.is_free:
        return True
    if folder.user == identity.user:
        return bool(folder.mode & 0o100)
    return bool(folder.mode & (0o010 if folder.group in identity.groups else 0o001))
