# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python files of this collection that a host needs to run a program of ours by itself.

A module that Ansible runs carries with it whatever it imports. So a module that imports a program can put exactly these
files on the host, in one go, and they are those of the collection that the controller has.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint

# What is below it on a host is ours alone.
ROOT = "ansible_collections/privatespace/gateway"
_OWN = "ansible_collections.privatespace.gateway.plugins.module_utils."
# It needs Ansible, which a host has not.
_LEFT_OUT = f"{_OWN}_module"


@dataclass(frozen=True)
class PythonFile:
    """A file as it is, or should be.

    :param mode: Permission bits.
    """

    content: bytes
    mode: int = 0o644


def loaded_files(modules: Mapping[str, ModuleType] | None = None) -> dict[str, PythonFile]:
    """The sources of our packages that this process has imported, by path below the folder of Python packages."""
    files = {}
    for name, module in sorted((sys.modules if modules is None else modules).items()):
        if name.startswith(_OWN) and not name.startswith(_LEFT_OUT):
            path = name.replace(".", "/") + ("/__init__.py" if hasattr(module, "__path__") else ".py")
            loader = None if module.__spec__ is None else module.__spec__.loader
            source = getattr(loader, "get_source", lambda _name: None)(name)
            if source is not None:
                files[path] = PythonFile(source.encode())
    return files


def plan_files(present: Mapping[str, PythonFile], wanted: Mapping[str, PythonFile]) -> Change[str]:
    """Decide which files to write (their content differs, or their mode) and which to remove (nobody needs them)."""
    steps = [path for path in wanted if present.get(path) != wanted[path]]
    steps += [path for path in present if path not in wanted]
    touched = sorted(steps)
    return Change(
        before={path: _shown(present.get(path)) for path in touched},
        after={path: _shown(wanted.get(path)) for path in touched},
        steps=tuple(touched),
        result={"files": sorted(wanted)},
    )


def _shown(file: PythonFile | None) -> str:
    return "absent" if file is None else f"sha256 {fingerprint(file.content)}, mode {file.mode:04o}"
