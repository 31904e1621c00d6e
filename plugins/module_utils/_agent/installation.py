# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the Python packages of our programs into a folder of the host, as they were brought along with a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.python_files import (
    ROOT,
    PythonFile,
    plan_files,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import remove_file
from ansible_collections.privatespace.gateway.plugins.module_utils._host.python_folder import (
    finish_python_folder,
    read_python_files,
    write_python_file,
)


@dataclass(frozen=True)
class Installation:
    """A folder of packages.

    :param folder: Below it the packages of this collection belong to us, and nothing else.
    :param wanted: The files, by path below the folder; none to remove them.
    """

    folder: Path
    wanted: Mapping[str, PythonFile]

    def decide(self) -> Change[str]:
        """Compare what is there with what should be."""
        present = read_python_files(self.folder / ROOT)
        found = {str(path.relative_to(self.folder)): PythonFile(*file) for path, file in present.items()}
        return plan_files(found, self.wanted)

    def apply(self, change: Change[str]) -> Mapping[str, object]:
        """Write and remove, file by file; each is whole at any moment."""
        for name in change.steps:
            if name in self.wanted:
                write_python_file(self.folder / name, self.wanted[name].content, mode=self.wanted[name].mode)
            else:
                remove_file(self.folder / name)
        finish_python_folder(self.folder / ROOT)
        return {}
