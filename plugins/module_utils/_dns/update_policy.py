# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name server lets each key change: a gateway its own addresses, what proves its name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name_in_zone
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import parse_key_name

# Where a CA looks for the proof that a name is somebody's (RFC 8555, dns-01).
CHALLENGE = "_acme-challenge"
HEADING = "# Managed by Ansible (privatespace.gateway.dns)\n"


def render_update_policy(
    names: Iterable[str], *, zone: str, controller_key: str = "", challenges: Iterable[str] = ()
) -> str:
    """The statement for BIND's zone.

    ``update-policy`` is all that is allowed: what no rule grants is refused, so a gateway that was broken into can move
    its own name and no other, and change no other type of record.

    :param names: Of the gateways, in full; the key of a gateway bears the same name.
    :param controller_key: The key that may change everything in the zone; empty where there is none.
    :param challenges: Those of the names whose gateway proves to a CA by DNS that the name is its own.
    :raises InputError: a name is outside the zone, or no name; the name of the key is none.
    """
    rules = []
    if controller_key:
        rules.append(f"\tgrant {parse_key_name(controller_key)}. zonesub ANY;")
    own = sorted({parse_name_in_zone(one, zone, what="The name of a gateway") for one in names})
    proved = {parse_name_in_zone(one, zone, what="The name of a gateway") for one in challenges}
    for name in own:
        rules.append(f"\tgrant {name}. name {name}. A AAAA;")
        if name in proved:
            rules.append(f"\tgrant {name}. name {CHALLENGE}.{name}. TXT;")
    if not rules:
        # An empty update-policy is an error to BIND, and this refuses just as much.
        return f"{HEADING}allow-update {{ none; }};\n"
    return HEADING + "update-policy {\n" + "\n".join(rules) + "\n};\n"
