# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network devices and kernel modules of this host."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command

SECONDS = 10
_MODULE_FILE = re.compile(r"([A-Za-z0-9_-]+)\.ko\b")


def link_kinds() -> dict[str, str]:
    """What each virtual network device is (``tun``, ``bridge``, …), by name; empty where nobody can tell."""
    try:
        shown = run_command(("ip", "-json", "-details", "link", "show"), timeout_seconds=SECONDS).output
        links: list[Mapping[str, Any]] = json.loads(shown or "[]")
    except (CommandError, ValueError):
        # What this tells is a courtesy: whoever asks for sessions gets them all the same.
        return {}
    kinds = {str(one.get("ifname")): one.get("linkinfo", {}).get("info_kind") for one in links}
    return {name: str(kind) for name, kind in kinds.items() if kind}


def kernel_modules(beginning: str, *, proc: Path = Path("/proc"), modules: Path = Path("/lib/modules")) -> set[str]:
    """The modules whose name begins like this, loaded or there to be loaded; ``-`` stands for ``_``, too."""
    installed = modules / os.uname().release
    names = {line.split()[0] for line in _lines(proc / "modules") if line.strip()}
    for table in ("modules.dep", "modules.builtin"):
        for line in _lines(installed / table):
            names.update(_MODULE_FILE.findall(line.partition(":")[0]))
    dashed = {name.replace("_", "-") for name in names}
    return {name for name in dashed if name.startswith(beginning)}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
