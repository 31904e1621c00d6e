# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell an administrator whose host has another firewall besides ours, which is not ours to touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process


def describe_foreign_firewalls(processes: Sequence[Process], *, firewalld: bool, ufw: bool) -> list[str]:
    """The commands that let clients through firewalls that are active; nothing where none is.

    A packet that any of several firewalls drops is dropped, whatever the others say.

    :param firewalld: Whether it is running.
    :param ufw: Whether it is enabled.
    """
    lines = []
    if firewalld:
        lines += ["firewalld is active and decides, too. Let clients through it:", *_firewalld(processes)]
    if ufw:
        lines += ["ufw is active and decides, too. Let clients through it:", *_ufw(processes)]
    return lines


def _firewalld(processes: Sequence[Process]) -> Iterable[str]:
    # What we spread over inner ports it lets in by itself: it accepts what has been translated.
    for port in dict.fromkeys(f"{one.public_port}/{one.protocol}" for one in processes):
        yield f"  firewall-cmd --permanent --add-port={port}"
    for process in processes:
        yield f"  firewall-cmd --permanent --zone=trusted --add-interface={process.device}"
    yield "  firewall-cmd --reload"


def _ufw(processes: Sequence[Process]) -> Iterable[str]:
    for process in processes:
        yield f"  ufw allow {process.port}/{process.protocol}"
    for process in processes:
        yield f"  ufw allow in on {process.device}"
        yield f"  ufw route allow in on {process.device}"
