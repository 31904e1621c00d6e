# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the program that announces: ``/etc/privatespace/announce.json``, and the key that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.announcement_settings import (
    AnnouncementSettings,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.tsig_key import parse_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional

CONFIGURATION = Path("/etc/privatespace/announce.json")
_REMEDY = "The playbook site writes it."


def load_settings(path: Path) -> AnnouncementSettings:
    """Read the configuration, and the key that it names.

    :raises CollectionError: something is missing or wrong; no secret is in the message.
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
    return parse_settings(raw, read_key(raw.get("key_file")))


def read_key(path: Any) -> dict[str, str]:
    if not path:
        return {}
    content = read_optional(Path(str(path)))
    if content is None:
        raise StateError(f"There is no {path}.", remedy=_REMEDY)
    keys = parse_keys(content.decode("utf-8", "replace"), what=str(path))
    if len(keys) != 1:
        raise InputError(f"{path} holds {len(keys)} keys, not one.", remedy=_REMEDY)
    key = keys[0]
    return {"key_name": key.name, "key_algorithm": key.algorithm, "key_secret": key.secret}
