# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway says of itself, without a probe and without traffic, and what it saw of itself while one measured.

Times are seconds, rates bits per second, sizes bytes, shares between 0 and 1. ``None`` means not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount, Path


@dataclass(frozen=True)
class Sample:
    """What was used between this moment and the one before.

    :param at: Seconds since 1970-01-01 UTC. :param listener: Whose process, or empty for the whole machine.
    :param cpu: Of one core: 1 is one core full; for the machine the busiest core.
    :param waiting: Share of the time in which the process could have run and had no core (run queue).
    :param throttled: Share of the time in which a quota of its control group kept it from running.
    :param steal: Share that the hypervisor gave to others (machine only). :param softirq: Share (machine only).
    """

    at: float
    seconds: float
    listener: str
    cpu: float
    waiting: float | None = None
    throttled: float | None = None
    steal: float | None = None
    softirq: float | None = None


@dataclass(frozen=True)
class Buffers:
    """A socket's buffers before and after OpenVPN asked for a size, as it logs them: ``R=[a->b] S=[c->d]``."""

    receive_before: int
    receive: int
    send_before: int
    send: int


@dataclass(frozen=True)
class TcpSession:
    """A client's TCP connection to the gateway, as the kernel sees it."""

    client: str
    rtt: float
    minimum_rtt: float | None = None
    retransmitted: float | None = None  # Share of the bytes sent.
    delivery_rate: float | None = None
    unsent: int = 0  # Bytes that wait in the socket.
    limited_by_buffer: float | None = None  # Share of the time in which the send buffer was the limit.


@dataclass(frozen=True)
class Listener:
    """One OpenVPN server process.

    :param options: What its configuration says, by option, arguments joined by a space, as the file has it.
    :param stale: The configuration was written after the process started.
    :param dco: ``active``, ``possible``, ``unavailable`` or ``unknown``; see ``_openvpn.offload``.
    :param quota: Cores that its control group may use, ``None`` without a limit.
    :param octets: Bytes received and sent by this process during the window, as its management interface counts.
    :param unit: Of systemd, empty where it was started otherwise.
    """

    name: str
    transport: str
    port: int
    state: str
    pid: int | None = None
    version: str = ""
    started_at: float | None = None
    config: str = ""
    config_written_at: float | None = None
    stale: bool = False
    dco: str = "unknown"
    dco_reason: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    buffers: Buffers | None = None
    quota: float | None = None
    sessions: int = 0
    tcp_sessions: tuple[TcpSession, ...] = ()
    octets: int = 0
    cpu_seconds: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Resolver:
    """A name server that this gateway uses.

    :param source: ``dhcp``, ``static``, ``resolved``, ``dnsmasq`` or ``unknown``. :param file: Where it is set.
    """

    address: str
    source: str
    file: str
    answered: bool | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class ForeignConfig:
    """A configuration that OpenVPN reads or would read at the next start, and that is not ours.

    :param running: Processes that run on it now.
    """

    path: str
    reason: str
    running: tuple[int, ...] = ()
    starts_at_boot: bool | None = None


@dataclass(frozen=True)
class Expiry:
    """Something that ends: ``gateway certificate``, ``CA certificate``, ``CRL``, ``web certificate``."""

    what: str
    path: str
    not_after: float
    not_before: float | None = None


@dataclass(frozen=True)
class Clock:
    """Whether the clock is right; ``offset`` is the gateway's less that of its time source or of the controller."""

    synchronised: bool | None
    offset: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Interface:
    """A network device; the counters are what was added during the window, or since boot without one."""

    name: str
    mtu: int
    kind: str = ""
    received_dropped: int = 0
    sent_dropped: int = 0
    received_errors: int = 0
    queue_discipline: str = ""
    speed: float | None = None


@dataclass(frozen=True)
class Machine:
    """The gateway's hardware, as it shows itself."""

    cores: int
    model: str = ""
    megahertz: float | None = None
    has_aes: bool | None = None
    memory: int | None = None
    cloud: str = ""
    instance_type: str = ""
    burstable: bool = False
    pressure: float | None = None  # Share of the last ten seconds in which something waited for a core.


@dataclass(frozen=True)
class Gateway:
    """Everything that one gateway says of itself.

    :param started: When it was looked at, seconds since 1970-01-01 UTC.
    :param sysctl: Values by key, as the kernel shows them. :param udp_errors: ``RcvbufErrors``, ``SndbufErrors`` and
        ``InErrors`` of UDP, added during the window. :param unknown: What could not be read, and why.
    """

    name: str
    started: float
    machine: Machine
    clock: Clock
    listeners: tuple[Listener, ...] = ()
    samples: tuple[Sample, ...] = ()
    logs: tuple[LogCount, ...] = ()
    resolvers: tuple[Resolver, ...] = ()
    foreign_configs: tuple[ForeignConfig, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    sysctl: Mapping[str, str] = field(default_factory=dict)
    udp_errors: Mapping[str, int] = field(default_factory=dict)
    kernel: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observations:
    """What a verdict is made from: one gateway, and the paths that probes measured to it, if any.

    :param now: Seconds since 1970-01-01 UTC.
    """

    gateway: Gateway
    paths: tuple[Path, ...] = ()
    now: float = 0.0
