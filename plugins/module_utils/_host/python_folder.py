# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of Python packages on this host."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    file_mode,
    write_atomic,
)

FOLDER_MODE = 0o755
_CACHE = "__pycache__"


def read_python_files(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Content and mode of every file below a folder, without what Python compiled."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and _CACHE not in path.parts]
    return {path: (path.read_bytes(), file_mode(path) or 0) for path in paths}


def write_python_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace one file, and have its folders, readable for everybody.

    :raises FileError: and the old file stands.
    """
    missing = [folder for folder in (path.parent, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            folder.chmod(FOLDER_MODE)
    except OSError as error:
        raise FileError(f"Cannot make the folder {path.parent}: {error.strerror}.") from error
    write_atomic(path, content, mode=mode)


def finish_python_folder(folder: Path) -> None:
    """Compile what there is, and take away empty folders and what was compiled of files that are gone.

    :raises FileError: something could not be removed.
    """
    try:
        for cache in sorted(folder.rglob(_CACHE)):
            shutil.rmtree(cache)
        for one in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(one.iterdir()):
                one.rmdir()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise FileError(f"Cannot tidy {folder}: {error.strerror}.") from error
    if folder.is_dir():
        compileall.compile_dir(str(folder), quiet=2)
