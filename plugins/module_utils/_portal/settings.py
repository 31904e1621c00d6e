# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service is told: ``/etc/privatespace/portal.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

_LEAST = {"retry_seconds": 60, "wrong_per_visitor": 1, "wrong_in_all": 1}


@dataclass(frozen=True)
class PortalSettings:
    """Settings of the service.

    :param folder: Where links lie.
    :param retry_seconds: For how long after its claim the same page may fetch a link again.
    :param wrong_per_visitor: Wrong links from one address in ten minutes.
    :param wrong_in_all: Wrong links from everybody in ten minutes.
    :param journal_folder: Where OpenVPN's port sharing notes for whom it opened a connection; empty: nowhere.
    """

    folder: str
    retry_seconds: int = 600
    wrong_per_visitor: int = 20
    wrong_in_all: int = 1000
    journal_folder: str = ""


def parse_portal_settings(found: Any) -> PortalSettings:
    """The settings from a JSON document.

    :raises InputError: naming the setting that is wrong.
    """
    known = {field.name: field.type for field in fields(PortalSettings)}
    if not isinstance(found, Mapping) or not isinstance(found.get("folder"), str):
        raise InputError("The settings of the portal have no 'folder'.")
    for name, value in found.items():
        least = _LEAST.get(name)
        if name not in known:
            raise InputError(f"The portal has no setting '{shown(str(name))}'.")
        if least is None and not isinstance(value, str):
            raise InputError(f"'{name}' is no text.")
        if least is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise InputError(f"'{name}' is {shown(str(value))}, but a whole number from {least} on is needed.")
    return PortalSettings(**found)
