# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to become of the files of a web server's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._web.nginx_config import ENABLED, MAIN, PAGES

_FILE = re.compile(r"([a-z0-9][a-z0-9._-]{0,62}/)?[a-z0-9][a-z0-9._-]{0,62}")


def plan_folder(present: Mapping[str, str], wanted: Mapping[str, Any]) -> tuple[Change[str], dict[str, str]]:
    """The files that have to be written or removed, and all files as nginx is to judge them.

    :param present: Texts by name relative to the folder.
    :param wanted: The same; an empty text for a file that is not to be there.
    :raises InputError: for what cannot be the name of a file there.
    :raises StateError: there would be no main file.
    """
    for name, text in wanted.items():
        if not _FILE.fullmatch(name) or ".." in name:
            raise InputError(f"'{shown(name)}' cannot be a file of the web server's configuration.")
        if not isinstance(text, str):
            raise InputError(f"{name}: its text is none.")
    steps = tuple(name for name, text in wanted.items() if present.get(name, "") != text)
    after = {name: text for name, text in {**present, **wanted}.items() if text}
    if MAIN not in after:
        raise StateError(
            f"The web server has no {MAIN}.", remedy="Run the role privatespace.gateway.web on this gateway first."
        )
    trial = {name: text for name, text in after.items() if not name.startswith("enabled/")}
    if PAGES in after:
        trial[ENABLED] = after[PAGES]
    change = Change(
        before={name: present.get(name, "") for name in steps},
        after={name: wanted[name] for name in steps},
        steps=steps,
        result={"changed_files": list(steps)},
    )
    return change, trial
