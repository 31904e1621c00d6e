# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which every module that uses the store is told about it (doc fragment ``store``)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line

DEFAULT_STORE = "/var/lib/privatespace/authority/authority.db"
DEFAULT_WAIT_SECONDS = 60
LONGEST_TEXT = 255


def store_argument_spec() -> dict[str, Any]:
    """Argument spec of the fragment ``privatespace.gateway.store``: merge it into that of the module."""
    return {
        "store": {"type": "str", "default": DEFAULT_STORE},
        "store_lock_wait": {"type": "int", "default": DEFAULT_WAIT_SECONDS},
        "audit_actor": {"type": "str"},
        "audit_job": {"type": "str", "default": ""},
    }


def store_options(module: AnsibleModule) -> dict[str, Any]:
    """The options of the fragment, checked: keyword arguments for ``open_for_run`` of the store.

    :raises InputError: one of them is not fit for the audit trail, or the wait is negative.
    """
    params = module.params
    if params["store_lock_wait"] < 0:
        raise InputError("The option 'store_lock_wait' is negative.")
    return {
        "store": params["store"],
        "wait_seconds": float(params["store_lock_wait"]),
        "actor": _audit_text(params["audit_actor"] or _account(), "audit_actor"),
        "job": _audit_text(params["audit_job"], "audit_job"),
    }


def _audit_text(value: str, option: str) -> str:
    require_single_line(value, what=f"The option '{option}'")
    if len(value) > LONGEST_TEXT:
        raise InputError(f"The option '{option}' has {len(value)} characters; at most {LONGEST_TEXT} are kept.")
    return value


def _account() -> str:
    """The account that logged in, where the connection tells it, else the one that this process runs as."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@contextmanager
def failing(module: AnsibleModule) -> Iterator[None]:
    """End the module with a plain message where the block raises an error that we raise on purpose."""
    try:
        yield
    except CollectionError as error:
        module.fail_json(msg=str(error))
