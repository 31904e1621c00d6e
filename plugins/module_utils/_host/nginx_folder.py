# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a web server's configuration: read, tried in a copy by nginx itself, and written file by file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import remove_file

_SECONDS = 60
_PREFIX = "nginx: "


def read_config_folder(folder: Path) -> dict[str, str]:
    """The text of every file that nginx could read there, by name relative to it; links give what they lead to."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") for path in paths}


def try_config(
    files: Mapping[str, str], *, folder: Path, program: str, main: str, as_trial: Callable[[str, str], str]
) -> None:
    """Have nginx judge files in a copy that is taken away again.

    :param files: By name relative to the folder.
    :param as_trial: A text and the folder of the trial to the text that is tried.
    :raises InputError: with nginx's own words, names of files as they would be in the folder.
    """
    with tempfile.TemporaryDirectory(prefix="privatespace-web-") as name:
        trial = Path(name)
        for file, text in files.items():
            (trial / file).parent.mkdir(parents=True, exist_ok=True)
            (trial / file).write_text(as_trial(text, name), encoding="utf-8")
        done = run_command(
            [program, "-t", "-q", "-e", "stderr", "-c", str(trial / main)], timeout_seconds=_SECONDS, check=False
        )
        if done.status != 0:
            lines = [line for line in done.errors.replace(name, str(folder)).splitlines() if "[warn]" not in line]
            words = " ".join(line.removeprefix(_PREFIX) for line in lines)
            raise InputError(f"nginx does not take this configuration: {words}", remedy="Nothing was changed.")


def write_config(folder: Path, name: str, text: str | None) -> None:
    """Replace one file, or remove it where there is no text; either is whole at any moment.

    :raises FileError: and the old file stands.
    """
    path = folder / name
    if text is None:
        remove_file(path)
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomic(path, text.encode(), mode=0o644)
