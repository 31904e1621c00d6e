# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names under which a gateway shows its pages."""

from __future__ import annotations

from typing import Any


def choose_names(web_names: Any, acme_names: Any, zone_name: Any) -> Any:
    """What the administrator wrote for the web server, else what the certificate is for, else the name in the zone.

    A wildcard is no name that a browser could go to, so it says nothing here. What is no list is left to be refused.

    :param web_names: ``web_server_names`` of the gateway.
    :param acme_names: ``acme_names`` of the gateway.
    """
    if web_names:
        return web_names
    certified = acme_names if isinstance(acme_names, (list, tuple)) else [acme_names] if acme_names else []
    names = [one for one in certified if not str(one).startswith("*")]
    return names or ([zone_name] if zone_name else [])
