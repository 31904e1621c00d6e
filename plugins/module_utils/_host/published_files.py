# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large files for others to fetch: written in pieces that never lie in memory together, and taken away again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, replacing, sync_folder


def write_pieces(path: Path, pieces: Iterable[bytes], *, mode: int) -> None:
    """Replace a file with the concatenation of some pieces; the promises are those of ``write_atomic``.

    :raises FileError: and the old file stands.
    """
    with replacing(path, mode=mode) as stream:
        stream.writelines(pieces)


def remove_file(path: Path) -> None:
    """Remove a file, for good; one that is missing is fine.

    :raises FileError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise FileError(f"Cannot remove {path}: {error.strerror}.") from error
