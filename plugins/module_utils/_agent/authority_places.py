# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration and the state of the program that keeps the CRL fresh, as they lie on this host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_settings import (
    KeeperSettings,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.keeper_state import KeeperState, parse_state

_REMEDY = "The playbook site writes it."


def load_settings(path: Path) -> KeeperSettings:
    """Read the configuration.

    :raises CollectionError: something is missing or wrong.
    """
    content = read_optional(path)
    if content is None:
        raise StateError(f"There is no {path}.", remedy=_REMEDY)
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise StateError(f"{path} is no JSON.", remedy=_REMEDY) from error
    if not isinstance(raw, Mapping):
        raise StateError(f"{path} holds no settings.", remedy=_REMEDY)
    return parse_settings(raw)


def read_state(settings: KeeperSettings) -> KeeperState:
    """What became of the last run; a damaged file tells of none.

    :raises FileError: the file cannot be read.
    """
    try:
        return parse_state(json.loads(read_optional(Path(settings.state_path)) or b"{}"))
    except ValueError:
        return KeeperState()
