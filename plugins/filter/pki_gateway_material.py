# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``pki_gateway_material``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def pki_gateway_material(signed: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The certificates of a looped ``pki_certificate``, by gateway; see the documentation of the filter."""
    try:
        return {
            str(result["item"]): {"certificate": str(result["certificate"]), "ca_chain": str(result["ca_chain"])}
            for result in signed["results"]
            if not result.get("skipped")
        }
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"pki_gateway_material: no result of a loop over pki_certificate: {error!r}"
        ) from error


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pki_gateway_material": pki_gateway_material}
