# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data channel: compression that costs more than it gives, and work that the kernel could do.

Compression is a hint, and a fault where the core is full, which it helps to fill. It also switches offload off, so that
offload that is off for this very reason is not named a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    COMPRESSION_COSTS,
    CPU_BOUND,
    DCO_OFF,
    FAULT,
    HINT,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Listener, Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    known,
    unit_of,
)

# Framing alone packs nothing.
_FRAMING = ("", "no", "none", "off", "stub", "stub-v2", "migrate")
_PACKING = re.compile(r"compress|comp-lzo")


def find_compression(observations: Observations, found: Found) -> Iterator[Finding]:
    """Compression of the data channel, configured or seen in a tunnel."""
    evidence = [
        Evidence(f"The configuration of '{one.name}' says '{words}'.", one.config or "configuration")
        for one in observations.gateway.listeners
        for words in _configured(one)
    ]
    for path in observations.paths:
        for tunnel in path.tunnels:
            if tunnel.connected and tunnel.compression.strip().lower() not in _FRAMING:
                text = f"The tunnel of '{path.probe}' over {tunnel.transport.upper()} uses {tunnel.compression}."
                evidence.append(Evidence(text, "openvpn"))
    if not evidence:
        return
    yield Finding(
        cause=COMPRESSION_COSTS,
        weight=FAULT if known(found, CPU_BOUND, faults_only=True) else HINT,
        certainty=CERTAIN,
        title="Compression is on, and costs more than it gives",
        explanation=(
            "Nearly everything is encrypted or packed before it reaches the tunnel and gets no smaller. Compression"
            " costs processor time, keeps the kernel from doing the work, and leaks what is encrypted (VORACLE)."
        ),
        evidence=tuple(evidence),
        remedies=(
            Remedy(
                "Switch it off; where old clients insist on its framing, 'stub' packs nothing. This restarts the"
                " listeners.",
                "openvpn_compression",
                "none",
            ),
        ),
        gateway=observations.gateway.name,
    )


def _configured(listener: Listener) -> Iterator[str]:
    for name in ("compress", "comp-lzo"):
        if name in listener.options:
            value = listener.options[name].strip().lower()
            # Without an argument, comp-lzo packs, and compress does not.
            if value not in _FRAMING or (name == "comp-lzo" and not value):
                yield f"{name} {value}".strip()


def find_offload(observations: Observations, found: Found) -> Iterator[Finding]:
    """Data channel offload that this gateway could have."""
    compressed = known(found, COMPRESSION_COSTS)
    idle = [
        one
        for one in observations.gateway.listeners
        if one.dco == "possible" and not (compressed and _PACKING.search(one.dco_reason))
    ]
    if not idle:
        return
    remedies = []
    if any(_PACKING.search(one.dco_reason) for one in idle):
        text = "Take the framing of compression out of the configuration. This restarts the listeners."
        remedies.append(Remedy(text, "openvpn_compression", "none"))
    units = " ".join(unit_of(one) for one in idle)
    text = (
        "Take the option that the evidence names out of the configuration, if it names one, and restart the listeners"
        " on the gateway; their users connect again."
    )
    remedies.append(Remedy(text, command=f"systemctl restart {units}"))
    names = wording.listed([f"'{one.name}'" for one in idle])
    yield Finding(
        cause=DCO_OFF,
        weight=HINT,
        certainty=CERTAIN,
        title=f"The kernel could do the work of {names}, and does not",
        explanation=(
            "Data channel offload (DCO) encrypts in the kernel and saves most of the processor time. This gateway has"
            " what it needs for that."
        ),
        evidence=tuple(Evidence(f"'{one.name}': {one.dco_reason or 'offload is off'}.", "management") for one in idle),
        remedies=tuple(remedies),
        gateway=observations.gateway.name,
    )
