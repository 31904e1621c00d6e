# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the OpenVPN processes of this host can look into the folders by which they are to refuse somebody."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.folder_access import (
    folders_on_the_way,
    process_status,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.reach import (
    Folder,
    first_barrier,
    parse_identity,
)


def barrier_of(pid: int, folder: Path, below: Sequence[str] = ()) -> str:
    """The folder that a process cannot look into on the way to another one and to some below that, or nothing."""
    identity = parse_identity(process_status(pid))
    folders = (Folder(*one) for one in folders_on_the_way(folder, below))
    return "" if identity is None else first_barrier(folders, identity)


def complain_of_barrier(barrier: str) -> str:
    """Why no CRL keeps anybody out there, and what mends it; nothing where there is no barrier."""
    if not barrier:
        return ""
    return (
        f"OpenVPN cannot look into {barrier}, so it does not learn which certificates are revoked. "
        f"Run chmod a+x {shlex.quote(barrier)} on this host."
    )
