# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``access_heading``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import (
    render_access_heading,
)


def access_heading(devices: Sequence[Mapping[str, Any]], *, user: str, device: str = "") -> str:
    """Who of a user may connect; see the documentation of the filter."""
    try:
        return render_access_heading(devices, user=user, device=device)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"access_heading: not the devices of pki_users: {error!r}") from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"access_heading": access_heading}
