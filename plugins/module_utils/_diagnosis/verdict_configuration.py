# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations: read although they should not be, and written but not read yet. Neither silences anything."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    CONFIG_NEWER,
    FAULT,
    HINT,
    LIKELY,
    POSSIBLE,
    STALE_CONFIG,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    ForeignConfig,
    Listener,
    Observations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import Found, unit_of


def find_stale_configurations(observations: Observations, _found: Found) -> Iterator[Finding]:
    """Files that nobody means any more and that OpenVPN runs on, or would at its next start."""
    running = [one for one in observations.gateway.foreign_configs if one.running]
    waiting = [
        one for one in observations.gateway.foreign_configs if not one.running and one.starts_at_boot is not False
    ]
    if running:
        yield _stale(observations, running, (FAULT, CERTAIN))
    elif waiting:
        sure = any(one.starts_at_boot for one in waiting)
        yield _stale(observations, waiting, (HINT, LIKELY if sure else POSSIBLE))


def _stale(observations: Observations, files: list[ForeignConfig], sure: tuple[str, str]) -> Finding:
    names = wording.listed([one.path for one in files])
    verb = "runs on" if sure[0] == FAULT else "would run, after the next start of the machine, on"
    return Finding(
        cause=STALE_CONFIG,
        weight=sure[0],
        certainty=sure[1],
        title=f"OpenVPN {verb} a configuration that this collection did not write: {names}",
        explanation=(
            "OpenVPN reads every file of its folder that ends in .conf, a renamed old one, too. That is a second server"
            " with old settings, and it may hold a port or a network of the right one."
        ),
        evidence=tuple(_file(one) for one in files),
        remedies=(
            Remedy(
                "Have such files stopped and renamed, so that nothing reads them.",
                "openvpn_foreign_configs",
                "quarantine",
            ),
        ),
        gateway=observations.gateway.name,
    )


def _file(one: ForeignConfig) -> Evidence:
    text = f"{one.path}: {one.reason or 'not written by this collection'}"
    if one.running:
        text += f"; in use by process {wording.listed([str(pid) for pid in one.running])}"
    elif one.starts_at_boot:
        text += "; started at boot"
    return Evidence(f"{text}.", one.path)


def find_newer_configurations(observations: Observations, _found: Found) -> Iterator[Finding]:
    """Listeners that still run on what their configuration said before."""
    stale = [one for one in observations.gateway.listeners if one.stale]
    if not stale:
        return
    names = wording.listed([f"'{one.name}'" for one in stale])
    units = " ".join(unit_of(one) for one in stale)
    yield Finding(
        cause=CONFIG_NEWER,
        weight=FAULT,
        certainty=CERTAIN,
        title=f"The configuration of {names} was changed, and the process has not read it",
        explanation="What was changed last has no effect yet. It comes with the next restart, perhaps at a bad moment.",
        evidence=tuple(_age(one) for one in stale),
        remedies=(
            Remedy(
                "Restart these listeners on the gateway at a quiet moment; their users connect again within seconds.",
                command=f"systemctl restart {units}",
            ),
        ),
        gateway=observations.gateway.name,
    )


def _age(one: Listener) -> Evidence:
    text = f"{one.config or one.name} was written after the process of '{one.name}' started"
    if one.config_written_at is not None and one.started_at is not None and one.config_written_at > one.started_at:
        text = (
            f"{one.config or one.name} was written {wording.duration(one.config_written_at - one.started_at)} after the"
            f" process of '{one.name}' started"
        )
    return Evidence(f"{text}.", one.config or "proc")
