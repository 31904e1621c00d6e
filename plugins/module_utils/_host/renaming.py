# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that takes another name."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, sync_folder


def move_aside(source: Path, target: Path) -> None:
    """Rename a file, or a link itself, within its folder and file system; what bears the new name is never overwritten.

    The new name is taken first with an empty file of ours, which the rename then replaces: nobody sees the file twice,
    or not at all.

    :raises FileError: and the file has its old name.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise FileError(f"Cannot move {source} to {target}: {error.strerror}.") from error
    try:
        source.replace(target)
    except OSError as error:
        target.unlink()
        raise FileError(f"Cannot move {source} to {target}: {error.strerror}.") from error
    sync_folder(target.parent)
