# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the data channel of a listener runs in the kernel, and if not, why."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import ServerFacts

ACTIVE, POSSIBLE, UNAVAILABLE = "active", "possible", "unavailable"
_KINDS = frozenset({"ovpn", "ovpn-dco", "ovpn-dco-v2"})
# Since this version OpenVPN uses the module that the kernel itself has; before, one that is built for it.
_IN_KERNEL_SINCE = (2, 7)
_HINDRANCE = re.compile(
    r"^\s*(disable-dco|fragment\s.*|shaper\s.*|comp-lzo.*|compress.*|allow-compression\s+(?:yes|asym)"
    r"|dev-type\s+tap|topology\s+(?:net30|p2p))\s*$",
    re.MULTILINE,
)


def judge_offload(
    facts: ServerFacts, *, link_kind: str | None, modules: AbstractSet[str], config: str
) -> tuple[str, str]:
    """``active``, ``possible`` or ``unavailable``, and the reason in words.

    :param link_kind: What the kernel says that the listener's device is, ``None`` where it is not seen.
    :param modules: Modules of the kernel for it, loaded or not.
    :param config: The listener's configuration.
    """
    if link_kind in _KINDS:
        return ACTIVE, f"the device is of the kind {link_kind}"
    if not facts.offload:
        return UNAVAILABLE, "this OpenVPN was built without it"
    needed = "ovpn" if _version(facts.version) >= _IN_KERNEL_SINCE else "ovpn-dco-v2"
    if needed not in modules:
        return UNAVAILABLE, f"the kernel has no module {needed}"
    found = _HINDRANCE.search(config)
    if found is not None:
        return POSSIBLE, f"the configuration says '{found.group(1).strip()}'"
    return POSSIBLE, "the module is there, and the listener was started without it"


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)
