"""Causes of slow VPNs, each as it comes in real life, and what a diagnosis has to call it.

Nothing is made up for the diagnosis: a line is really policed, a process really lacks processor time, a file really
lies there and is read. What cannot be played in a namespace is not here: the clock, which all namespaces share, and
``net.core.rmem_max``, which they may only read; unit tests have those.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from benchmarks._cpu_shortage import competitors, quota
from benchmarks._diagnosis_gateway import FOLDER, SERVER_FOLDER, Gateway, Keys, Setup, processes, unit
from benchmarks._diagnosis_path import NAME_SERVER, TO_GATEWAY, Line, Stage, lose, police_udp
from benchmarks._namespaces import Relay
from benchmarks._stalled_client import stalled_client

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import findings
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import MARKER

SMALL_BUFFER_BYTES = 65536
EXPIRES_WITHIN = timedelta(days=10)
SLOW_NAME_SERVER_MS = 900


@dataclass
class Play:
    """What is on stage when a cause is planted."""

    stage: Stage
    gateway: Gateway


Planting = Callable[[Play], AbstractContextManager[None]]


def _nothing(_play: Play) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong.

    :param name: For people. :param called: What findings call it.
    :param line: Changes of the line, :param setup: of the gateway's configuration, before anything starts.
    :param certificate_life: Of the gateway's and the user's certificates.
    :param planted: What is done once everything runs, and taken back afterwards.
    """

    name: str
    called: str
    line: Mapping[str, Any] = field(default_factory=dict)
    setup: Callable[[Setup], Setup] = lambda setup: setup
    certificate_life: timedelta | None = None
    planted: Planting = _nothing


@dataclass(frozen=True)
class Case:
    """Some causes at once on one line; none is healthy.

    :param alone: Whether nothing else may run on this machine meanwhile; such a case is fast, too.
    :param true_hints: What may be named as a hint, for it is so, and is not what is wrong.
    :param needs_probe: Whether traffic shows it; otherwise the gateway is looked at alone.
    :param fast: Whether it shows at rates only that take more than a few megabytes.
    """

    name: str
    causes: tuple[Cause, ...] = ()
    line: Line = field(default_factory=lambda: Line(mbit=100))
    alone: bool = False
    true_hints: frozenset[str] = frozenset()
    needs_probe: bool = True
    fast: bool = False

    @property
    def expected(self) -> frozenset[str]:
        """What findings have to name."""
        return frozenset(cause.called for cause in self.causes)

    def played_line(self) -> Line:
        """The line with what the causes do to it; each does something else."""
        line = self.line
        for cause in self.causes:
            changes = dict(cause.line)
            if "rules" in changes:
                changes["rules"] = (*line.rules, *changes["rules"])
            line = dataclasses.replace(line, **changes)
        return line

    def played_setup(self) -> Setup:
        """The gateway's configuration with what the causes do to it."""
        setup = Setup()
        for cause in self.causes:
            setup = cause.setup(setup)
        return setup

    def keys(self, usual: Keys) -> Keys:
        """Keys and certificates."""
        lives = [cause.certificate_life for cause in self.causes if cause.certificate_life is not None]
        return Keys.lasting(min(lives)) if lives else usual

    @contextmanager
    def planted(self, play: Play) -> Iterator[None]:
        """Have all causes there for the time of a block."""
        with ExitStack() as stack:
            for cause in self.causes:
                stack.enter_context(cause.planted(play))
            yield


def with_settings(listener: str, **settings: Any) -> Callable[[Setup], Setup]:
    """Have a listener rendered with other settings of the collection's filter."""

    def change(setup: Setup) -> Setup:
        mine = {**setup.settings.get(listener, {}), **settings}
        return dataclasses.replace(setup, settings={**setup.settings, listener: mine})

    return change


def with_lines(*lines: str, listeners: Sequence[str] = ("udp", "tcp"), client: Sequence[str] = ()) -> Any:
    """Have lines at the end of the listeners' configurations, where they count, and of the profile."""

    def change(setup: Setup) -> Setup:
        added = {name: (*setup.lines.get(name, ()), *lines) for name in listeners}
        return dataclasses.replace(
            setup, lines={**setup.lines, **added}, client_lines=(*setup.client_lines, *client)
        )  # fmt: skip

    return change


@contextmanager
def _old_configuration(play: Play) -> Iterator[None]:
    """Somebody renamed a configuration, and systemd starts what is called so: a second server runs on it."""
    host = play.gateway.host
    text = host.path(f"{SERVER_FOLDER}/udp.conf").read_text().replace(MARKER, "# Before the move.")
    for now, then in (
        ("port 1194", "port 1195"), ("dev tun-udp", "dev tun-old"), (" 10.91.", " 10.95."),
        ("/udp.sock", "/udp-old.sock"), ("ccd/udp", "ccd/old"),
    ):  # fmt: skip
        text = text.replace(now, then)
    host.path(f"{SERVER_FOLDER}/privatespace/ccd/old").mkdir()
    play.gateway.write_config("udp-old.conf", text)
    host.run("systemctl", "start", unit("udp-old"))
    yield
    host.run("systemctl", "stop", unit("udp-old"))


@contextmanager
def _edited_configuration(play: Play) -> Iterator[None]:
    """Somebody edited a configuration, and did not restart the process that has read it."""
    path = play.gateway.host.path(f"{SERVER_FOLDER}/tcp.conf")
    before = path.read_text()
    play.gateway.write_config("tcp.conf", before.replace("keepalive 10 60", "keepalive 10 120"), age_seconds=0)
    yield
    play.gateway.write_config("tcp.conf", before)


@contextmanager
def _crl_about_to_end(play: Play) -> Iterator[None]:
    """Nobody has signed a CRL for weeks: everybody is refused when it ends."""
    play.gateway.write_crl(age=timedelta(days=29), life=timedelta(days=30))
    yield
    play.gateway.write_crl()


@contextmanager
def _slow_names(play: Play) -> Iterator[None]:
    """The name server behind the gateway's resolver is far away."""
    far = play.stage.start_far_name_server(SLOW_NAME_SERVER_MS)
    play.gateway.ask_names_at(far)
    yield
    play.gateway.ask_names_at(NAME_SERVER)


@contextmanager
def _resolver_from_dhcp(play: Play) -> Iterator[None]:
    """The provider's network hands out its own resolver, and the gateway takes it."""
    host, stage = play.gateway.host, play.stage
    stage.start_dhcp_server()
    host.write(
        "/etc/systemd/network/10-outside.network",
        f"[Match]\nName={TO_GATEWAY}\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseDNS=yes\n",
    )
    host.run("systemctl", "start", "systemd-networkd.service")
    leases = host.path("/run/systemd/netif/leases")
    deadline = time.monotonic() + 10
    while not (found := [line for lease in leases.glob("*") for line in lease.read_text().splitlines()]):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no lease: {host.run('journalctl', '-u', 'systemd-networkd')[-800:]}")
        time.sleep(0.05)
    # What a hook of the DHCP client does with what was handed out.
    servers = [line.partition("=")[2] for line in found if line.startswith("DNS=")]
    before = host.path("/etc/resolv.conf").read_text()
    host.write("/etc/resolv.conf", "".join(f"nameserver {server}\n" for line in servers for server in line.split()))
    yield
    host.write("/etc/resolv.conf", before)


@contextmanager
def _no_resolver_told(play: Play) -> Iterator[None]:
    """Users are sent all their traffic through the tunnel, and keep the resolver of the network they are in."""
    paths = [play.gateway.host.path(f"{FOLDER}/ccd/{each['name']}/DEFAULT") for each in processes()]
    before = [path.read_text() for path in paths]
    for path, text in zip(paths, before, strict=True):
        path.write_text("".join(f"{line}\n" for line in text.splitlines() if "dhcp-option" not in line))
    yield
    for path, text in zip(paths, before, strict=True):
        path.write_text(text)


@contextmanager
def _hurtful_kernel(play: Play) -> Iterator[None]:
    """Somebody followed advice from 2005."""
    host, name = play.gateway.host, "net.ipv4.tcp_wmem"
    before = host.run("sysctl", "--values", name).strip()
    host.run("sysctl", "-qw", f"{name}=4096 16384 65536")
    yield
    host.run("sysctl", "-qw", f"{name}={before}")


@contextmanager
def _short_of_time(play: Play) -> Iterator[None]:
    with competitors(play.gateway.host, [play.gateway.pid(each["name"]) for each in processes()]):
        yield


@contextmanager
def _under_quota(play: Play) -> Iterator[None]:
    with quota(play.gateway.host, [each["name"] for each in processes()]):
        yield


@contextmanager
def _slow_reader(play: Play) -> Iterator[None]:
    with stalled_client(play.stage, play.gateway):
        yield


UDP_POLICED = Cause("UDP policed at 10 Mbit/s", findings.UDP_LIMITED, line={"rules": police_udp(10)})
UDP_LIMITED_50 = Cause("UDP held to 50 Mbit/s", findings.UDP_LIMITED, line={"udp_mbit": 50})
UDP_BLOCKED = Cause(
    "UDP blocked", findings.UDP_BLOCKED, line={"rules": ("udp sport != 53 udp dport != 53 drop",)},
)  # fmt: skip
LOSS = Cause("2 % lost", findings.PACKET_LOSS, line={"rules": lose(0.02)})
REORDERED = Cause(
    "packets overtaken", findings.REORDERING,
    line={"relay": Relay(10, 100, 50, late_per_million=10_000, late_us=30_000), "mbit": 0},
    setup=with_lines("replay-window 64 15", listeners=("udp",)),
)  # fmt: skip
SMALL_BUFFERS = Cause(
    "small fixed buffers", findings.BUFFERS_TOO_SMALL, line={"relay": Relay(40, 100, 40), "mbit": 0},
    setup=with_settings("tcp", socket_buffer_bytes=SMALL_BUFFER_BYTES),
)  # fmt: skip
BLACK_HOLE = Cause(
    "MTU black hole", findings.MTU_BLACK_HOLE, line={"mtu": 1400, "tells_mtu": False},
    setup=with_lines("mssfix 0", client=("mssfix 0",)),
)  # fmt: skip
SATURATED = Cause("a client that does not read", findings.TCP_OUTPUT_SATURATION, planted=_slow_reader)
CORE_SHARED = Cause("neighbours on the core", findings.CPU_BOUND, planted=_short_of_time)
QUOTA = Cause("a CPU quota", findings.CPU_BOUND, planted=_under_quota)
COMPRESSION = Cause(
    "compression", findings.COMPRESSION_COSTS,
    setup=lambda setup: with_lines(client=("allow-compression yes", "compress lz4-v2"))(
        with_settings("tcp", compression="lz4-v2")(with_settings("udp", compression="lz4-v2")(setup))
    ),
)  # fmt: skip
DHCP = Cause("resolver by DHCP", findings.RESOLVER_FROM_DHCP, planted=_resolver_from_dhcp)
SLOW_NAMES = Cause("slow names", findings.DNS_SLOW, planted=_slow_names)
LEAK = Cause("no resolver pushed", findings.DNS_LEAK, planted=_no_resolver_told)
KERNEL = Cause("a kernel setting that hurts", findings.SYSCTL_HURTS, planted=_hurtful_kernel)
STALE = Cause("an old configuration is read", findings.STALE_CONFIG, planted=_old_configuration)
EDITED = Cause("configuration newer than the process", findings.CONFIG_NEWER, planted=_edited_configuration)
EXPIRING = Cause("certificates about to end", findings.EXPIRY, certificate_life=EXPIRES_WITHIN)
CRL_ENDS = Cause("a CRL about to end", findings.EXPIRY, planted=_crl_about_to_end)

FULL_CORE_HINT = frozenset({findings.CPU_BOUND})
HEALTHY = (
    Case("healthy, 100 Mbit/s"),
    Case("healthy, a cable", line=Line(), alone=True, fast=True, true_hints=FULL_CORE_HINT),
    Case("healthy, slow: 10 Mbit/s", line=Line(mbit=10)),
    Case("healthy, far: 40 ms", line=Line(relay=Relay(40, 100, 40))),
)
SINGLE = (
    Case("UDP policed, 10 Mbit/s", (UDP_POLICED,)),
    Case("UDP limited, 50 Mbit/s", (UDP_LIMITED_50,), fast=True),
    Case("UDP blocked", (UDP_BLOCKED,)),
    Case("loss, 2 %", (LOSS,)),
    Case("reordering", (REORDERED,)),
    Case("small buffers at 40 ms", (SMALL_BUFFERS,)),
    Case("MTU black hole", (BLACK_HOLE,)),
    Case("TCP output saturation", (SATURATED,)),
    Case("CPU, shared core", (CORE_SHARED,), line=Line(), alone=True, fast=True),
    Case("CPU, quota", (QUOTA,), line=Line(), fast=True),
    Case("compression", (COMPRESSION,)),
    Case("resolver by DHCP", (DHCP,), needs_probe=False),
    Case("slow names", (SLOW_NAMES,)),
    Case("names asked outside", (LEAK,)),
    Case("kernel setting", (KERNEL,), needs_probe=False),
    Case("stale configuration", (STALE,), needs_probe=False),
    Case("edited configuration", (EDITED,), needs_probe=False),
    Case("certificate expiring", (EXPIRING,), needs_probe=False),
    Case("CRL expiring", (CRL_ENDS,), needs_probe=False),
)
SEVERAL = (
    Case("UDP policed, DHCP, stale", (UDP_POLICED, DHCP, STALE)),
    Case("small buffers, edited, CRL", (SMALL_BUFFERS, EDITED, CRL_ENDS)),
    Case("loss, slow names", (LOSS, SLOW_NAMES)),
    Case("black hole, certificate", (BLACK_HOLE, EXPIRING)),
)
CASES = (*HEALTHY, *SINGLE, *SEVERAL)
