# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in which OpenVPN looks for revoked certificates: an empty file for each decimal serial number.

It must be root's and readable for everybody: OpenVPN lets people in where it finds no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, sync_folder

FOLDER_MODE, FILE_MODE = 0o755, 0o644
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_REMEDY = "Run the same again: what is missing is added."


def read_serial_folder(folder: Path) -> frozenset[str] | None:
    """The serial numbers that have a file, or ``None`` where there is no such folder.

    :raises FileError: it cannot be read.
    """
    try:
        with os.scandir(str(folder)) as entries:
            return frozenset(entry.name for entry in entries if entry.name.isdecimal())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"Cannot read the folder {folder}: {error.strerror}.") from error


def has_serial_file(folder: Path, serial: str) -> bool:
    """Whether a serial number has a file."""
    return (folder / serial).is_file()


def add_serial_files(folder: Path, serials: Iterable[str]) -> None:
    """Have a file for each serial number, for good; the folder is made where it is missing.

    :raises FileError: some are missing still; those that were made stay.
    """
    try:
        if not folder.is_dir():
            folder.mkdir()
            sync_folder(folder.parent)
        folder.chmod(FOLDER_MODE)
        with _opened(folder) as inside, _umask():
            for serial in serials:
                os.close(os.open(serial, _MAKE, FILE_MODE, dir_fd=inside))
        sync_folder(folder)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}.", remedy=_REMEDY) from error


def remove_serial_files(folder: Path, serials: Iterable[str]) -> None:
    """Take the files of some serial numbers away.

    :raises FileError: some are still there.
    """
    try:
        with _opened(folder) as inside:
            for serial in serials:
                with suppress(FileNotFoundError):
                    os.unlink(serial, dir_fd=inside)
        sync_folder(folder)
    except OSError as error:
        raise FileError(f"Cannot remove files from {folder}: {error.strerror}.", remedy=_REMEDY) from error


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A folder whose files can be named without their path, which is faster for a million of them."""
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
