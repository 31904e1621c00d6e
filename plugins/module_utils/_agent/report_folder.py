# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of reports: what earlier ones say, and how a new one gets there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.history import Earlier, read_report
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_files import (
    KINDS,
    LATEST,
    file_name,
    stamp_in,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    file_mode,
    sync_folder,
    write_atomic,
)

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OTHERS = 0o077
_MOST_BYTES = 100_000_000


@dataclass(frozen=True)
class Reports:
    """What is in the folder.

    :param earlier: Reports that could be read, by the moment in their names. :param warnings: On what could not.
    """

    earlier: Mapping[str, Earlier]
    warnings: tuple[str, ...] = ()


def read_reports(folder: Path) -> Reports:
    """Read what earlier runs left. A file that is damaged or not ours is left out, and told.

    :raises FileError: the folder cannot be read, or is none.
    """
    found = [(path, stamp, _try(path)) for path, stamp in _reports_in(folder)]
    earlier = {stamp: report for _path, stamp, report in found if isinstance(report, Earlier)}
    warnings = [
        f"{path} is left out of the history, and left as it is. {reason}"
        for path, _stamp, reason in found
        if isinstance(reason, str)
    ]
    mode = file_mode(folder)
    if mode is not None and mode & _OTHERS:
        warnings.append(f"Others may look into {folder}. The reports in it are readable by their owner only.")
    return Reports(earlier, tuple(warnings))


def write_files(folder: Path, files: Mapping[str, str], removed: list[str]) -> None:
    """Write the files of a report, and remove those whose time is over."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder {folder}: {error.strerror}.", remedy="Give another path.") from error
    for name, text in files.items():
        write_atomic(folder / name, text.encode(), mode=FILE_MODE)
    for name in removed:
        _remove(folder / name)
    sync_folder(folder)


def present_files(folder: Path, stamps: list[str]) -> list[str]:
    """Those files of these reports that are there."""
    names = [file_name(stamp, kind) for stamp in stamps for kind in KINDS]
    return [name for name in names if (folder / name).is_file() and not (folder / name).is_symlink()]


def is_taken(folder: Path, stamp: str) -> bool:
    """Whether there is a file of that moment."""
    return any((folder / file_name(stamp, kind)).exists() for kind in KINDS)


def latest_name(kind: str) -> str:
    """The copy of the newest report."""
    return f"{LATEST}.{kind}"


def _reports_in(folder: Path) -> list[tuple[Path, str]]:
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(
            f"Cannot read the folder of reports {shown(str(folder))}: {error.strerror}.", remedy="Give another path."
        ) from error
    return [(path, stamp) for path in paths if (stamp := stamp_in(path.name, "json")) is not None]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"Cannot remove {path}: {error.strerror}.", remedy="The new report is written.") from error


def _try(path: Path) -> Earlier | str:
    """The report, or why it is none."""
    try:
        return _read(path)
    except (InputError, FileError) as error:
        return error.message


def _read(path: Path) -> Earlier:
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError("It is not a file.")
        if path.stat().st_size > _MOST_BYTES:
            raise InputError("It is too large.")
        return read_report(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("It is not JSON.") from error
    except OSError as error:
        raise FileError(f"It cannot be read: {error.strerror}.") from error
