# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a gateway says of itself, without a probe and without traffic.

What cannot be read is a sentence in ``unknown``, never a failure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_expiry import look_at_expiries
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_history import count_history
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_listeners import (
    look_at_foreign_configs,
    look_at_listeners,
    look_at_stopped_listeners,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_machine import (
    look_at_clock,
    look_at_machine,
    read_sysctl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_naming import look_at_resolvers
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_sampling import (
    Sampling,
    read_interfaces,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import CONFIG_FOLDERS, Question
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import (
    ListenerProcess,
    find_listeners,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Gateway
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.openvpn_log import add_counts
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds

SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class LookSettings:
    """What is looked at.

    :param name: How the gateway is called in reports; its own name where none is given.
    :param folders: Where OpenVPN reads configurations. :param acme_state: Of the certificate for browsers.
    """

    name: str = ""
    folders: tuple[Path, ...] = CONFIG_FOLDERS
    acme_state: Path = Question.acme_path


def look(settings: LookSettings) -> Gateway:
    """Look once; it takes some seconds, most of them waiting for name servers that do not answer."""
    found = find_listeners()
    machine, unknown_machine = look_at_machine()
    clock, unknown_clock = look_at_clock()
    listeners, unknown_listeners = look_at_listeners(found)
    listeners += look_at_stopped_listeners(found, folders=settings.folders)
    foreign, unknown_foreign = look_at_foreign_configs(found, folders=settings.folders)
    expiries, unknown_expiries = look_at_expiries(found, acme_state=settings.acme_state)
    resolvers, unknown_resolvers = look_at_resolvers()
    logs, unknown_logs = _history(found)
    interfaces = read_interfaces()
    return Gateway(
        name=settings.name or os.uname().nodename,
        started=epoch_seconds(),
        machine=machine,
        clock=clock,
        listeners=listeners,
        logs=logs,
        resolvers=resolvers,
        foreign_configs=foreign,
        expiries=expiries,
        interfaces=interfaces,
        sysctl=read_sysctl(),
        kernel=os.uname().release,
        unknown=(
            *unknown_machine, *unknown_clock, *unknown_listeners, *unknown_foreign, *unknown_expiries,
            *unknown_resolvers, *unknown_logs,
            *(() if interfaces else ("Which network devices there are: 'ip' does not say.",)),
        ),
    )  # fmt: skip


def watch(gateway: Gateway, seconds: float) -> Gateway:
    """The same with samples of some seconds, in which whatever users do goes on."""
    sampling = Sampling(find_listeners())
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(SAMPLE_SECONDS, left))
        sampling.look()
    used = sampling.cpu_seconds()
    return replace(
        gateway,
        samples=tuple(sampling.samples),
        listeners=tuple(replace(one, cpu_seconds=used.get(one.name)) for one in gateway.listeners),
        interfaces=sampling.interfaces() or gateway.interfaces,
        udp_errors=sampling.udp_errors(),
    )


def _history(found: Sequence[ListenerProcess]) -> tuple[tuple[LogCount, ...], tuple[str, ...]]:
    counted = [count_history(one) for one in found if one.options]
    unknown = [sentence for _counts, sentences in counted for sentence in sentences]
    return add_counts(count for counts, _sentences in counted for count in counts), tuple(unknown)
