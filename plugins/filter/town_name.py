# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``town_name``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_label
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.town_names import (
    choose_by_seed,
    parse_towns,
    pick_names,
)


def town_name(seed: str, taken: Sequence[str] = (), towns: Sequence[str] | None = None) -> str:
    """Always the same name of a town for a seed; see the documentation of the filter."""
    try:
        labels = {parse_label(label, what="A name that is taken") for label in taken}
        (name,) = pick_names(1, towns=parse_towns(towns), taken=labels, choose=choose_by_seed(str(seed)))
    except CollectionError as error:
        raise AnsibleFilterError(f"town_name: {error}") from error
    return name


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"town_name": town_name}
