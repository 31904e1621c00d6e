# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two OpenVPN servers beside those that run, for one comparison, and gone with it.

They are transient units of systemd. One more unit holds them together: when it ends - because it is stopped, because
the time is over, because the machine is - systemd ends the others and takes away their files and firewall table.
Who connects reaches the measuring port inside the tunnel, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_plan import FOLDER, SIDES
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.units import show_units, stop_unit

_FOLDER = Path(FOLDER)
# Two that start at once would end each other.
LOCK = Path("/run/privatespace-compare.lock")
TABLE = "privatespace-compare"
UNIT = "privatespace-compare.service"
# What the configurations name, as links: the keys stay where they are.
_LINKED = ("ca.crt", "server.crt", "server.key", "tls-crypt-v2-server.key", "crl.pem", "revoked")
_REQUIRED = (("openvpn", "openvpn"), ("iperf3", "iperf3"), ("nft", "nftables"), ("systemd-run", "systemd"))
_READY_SECONDS, _SECONDS = 10.0, 15.0
_RUNNING = ("active", "activating", "deactivating")
_NOBODY, _NOGROUP = "nobody", "nogroup"


@dataclass(frozen=True)
class Server:
    """One of the two.

    :param config: As ``openvpn_server_config`` gives it, with ``FOLDER`` as its folders.
    :param address: Of the gateway in its tunnel. :param port: On which iperf3 waits there.
    """

    side: str
    config: str
    device: str
    address: str
    port: int
    realtime: bool = False

    @property
    def unit(self) -> str:
        """Of OpenVPN."""
        return f"privatespace-compare-{self.side}.service"

    @property
    def traffic_unit(self) -> str:
        """Of iperf3."""
        return f"privatespace-compare-{self.side}-traffic.service"


def start_servers(servers: Sequence[Server], *, material: Path, seconds: int) -> None:
    """Have both running, and nothing else changed.

    :param material: Keys, certificates and CRL of the gateway.
    :param seconds: After which all of it is gone, whatever happens.
    :raises StateError: a program or systemd is missing, or a server does not come up; then nothing is left.
    """
    for program, package in _REQUIRED:
        if shutil.which(program) is None:
            raise StateError(
                f"The program '{program}' is not installed on this gateway, and a comparison needs it.",
                remedy=f"Install the package '{package}'.",
            )
    with exclusive_lock(LOCK, wait_seconds=0, what="The start of a comparison"):
        if _state(UNIT) in _RUNNING:
            raise StateError(
                "Another comparison runs on this gateway.", remedy=f"Wait for it, or: systemctl stop {UNIT}"
            )
        stop_servers()
        try:
            _start(servers, material, seconds)
        except BaseException:
            stop_servers()
            raise


def _start(servers: Sequence[Server], material: Path, seconds: int) -> None:
    run_command(holding_command(seconds), timeout_seconds=_SECONDS)
    write_files(servers, material=material, folder=_FOLDER)
    run_command(("nft", "--file", "-"), stdin=render_rules(servers).encode(), timeout_seconds=_SECONDS)
    for server in servers:
        run_command(openvpn_command(server, seconds), timeout_seconds=_SECONDS)
        _wait_until(_has_address, server)
        run_command(traffic_command(server, seconds), timeout_seconds=_SECONDS)
        _wait_until(_is_listening, server)


def stop_servers() -> dict[str, float | None]:
    """End both, if they run, and return the processor seconds that each took. Nothing of them is left.

    :raises StateError: something is.
    """
    used = {side: _processor_seconds(f"privatespace-compare-{side}.service") for side in SIDES}
    units = [one for side in SIDES for one in (f"privatespace-compare-{side}", f"privatespace-compare-{side}-traffic")]
    for unit in (UNIT, *(f"{one}.service" for one in units)):
        # It is gone already, or was never there.
        with suppress(CommandError):
            stop_unit(unit)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    with suppress(CommandError):
        run_command(("nft", "delete", "table", "inet", TABLE), timeout_seconds=_SECONDS)
    left = [unit for unit in (UNIT, *(f"{one}.service" for one in units)) if _state(unit) in _RUNNING]
    if left:
        raise StateError(f"{', '.join(left)} still runs.", remedy=f"systemctl kill --signal=KILL {' '.join(left)}")
    return used


def holding_command(seconds: int) -> tuple[str, ...]:
    """The unit with which everything ends, and which cleans up after them all."""
    return (
        "systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--description=Comparison of two OpenVPN settings",
        f"--property=RuntimeMaxSec={seconds}",
        f"--property=ExecStopPost=-{shutil.which('rm') or '/bin/rm'} -rf {FOLDER}",
        f"--property=ExecStopPost=-{shutil.which('nft') or '/usr/sbin/nft'} delete table inet {TABLE}",
        "--", "sleep", str(seconds + 60),
    )  # fmt: skip


def openvpn_command(server: Server, seconds: int) -> tuple[str, ...]:
    """The unit of one server."""
    realtime = ("--property=CPUSchedulingPolicy=rr", "--property=CPUSchedulingPriority=10") if server.realtime else ()
    return (
        *_bound(server.unit, seconds), *realtime, "--property=CPUAccounting=yes", "--property=LimitNOFILE=4096", "--",
        "openvpn", "--suppress-timestamps", "--config", f"{FOLDER}/{server.side}.conf",
    )  # fmt: skip


def traffic_command(server: Server, seconds: int) -> tuple[str, ...]:
    """The unit of iperf3 inside one tunnel; after an error of a client it starts again."""
    return (
        *_bound(server.traffic_unit, seconds), "--property=Restart=always", "--property=RestartSec=1",
        f"--property=User={_NOBODY}", f"--property=Group={_NOGROUP}",
        "--property=NoNewPrivileges=yes", "--property=ProtectSystem=strict", "--property=PrivateTmp=yes", "--",
        *traffic_argv(server),
    )  # fmt: skip


def traffic_argv(server: Server) -> tuple[str, ...]:
    """iperf3 with figures that the client gets back in JSON."""
    return ("iperf3", "--server", f"--bind={server.address}", f"--port={server.port}", "--json", "--rcv-timeout=15000")


def _bound(unit: str, seconds: int) -> tuple[str, ...]:
    return (
        "systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--property=BindsTo={UNIT}",
        f"--property=After={UNIT}", f"--property=RuntimeMaxSec={seconds}", "--property=TimeoutStopSec=5",
    )  # fmt: skip


def write_files(servers: Sequence[Server], *, material: Path, folder: Path) -> None:
    """The configurations, and links to what they name."""
    _make_folder(folder)
    _make_folder(folder / "ccd")
    for name in _LINKED:
        if (material / name).exists():
            (folder / name).symlink_to(material / name)
    for server in servers:
        _make_folder(folder / "ccd" / f"compare-{server.side}")
        path = folder / f"{server.side}.conf"
        path.write_text(server.config, encoding="utf-8")
        path.chmod(0o600)


def _make_folder(folder: Path) -> None:
    """For the daemon's own user, too, whatever this process keeps from others."""
    folder.mkdir()
    folder.chmod(0o755)


def render_rules(servers: Sequence[Server]) -> str:
    """A table that lets the tunnels reach the measuring port and nothing else."""
    devices = ", ".join(f'"{one.device}"' for one in servers)
    inside = "".join(
        f'\t\tiifname "{one.device}" ip daddr {one.address} tcp dport {one.port} accept\n' for one in servers
    )
    return (
        f"table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n"
        "\tchain input {\n\t\ttype filter hook input priority filter - 30; policy accept;\n"
        f"{inside}\t\tiifname {{ {devices} }} meta l4proto icmp accept\n"
        f'\t\tiifname {{ {devices} }} counter drop comment "a comparison reaches its measuring port only"\n\t}}\n'
        "\tchain forward {\n\t\ttype filter hook forward priority filter - 30; policy accept;\n"
        f"\t\tiifname {{ {devices} }} counter drop\n\t\toifname {{ {devices} }} counter drop\n\t}}\n}}\n"
    )


def _wait_until(is_ready: Callable[[Server], bool], server: Server) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready(server):
        if time.monotonic() > deadline:
            raise StateError(
                f"The server of {server.side.upper()} does not come up: {_complaint(server)}",
                remedy="Are the ports and networks of the comparison free, and does OpenVPN take the setting?",
            )
        time.sleep(0.1)


def _has_address(server: Server) -> bool:
    argv = ("ip", "-brief", "address", "show", "dev", server.device)
    return server.address in run_command(argv, timeout_seconds=_SECONDS, check=False).output


def _is_listening(server: Server) -> bool:
    argv = ("ss", "--listening", "--tcp", "--numeric", "--no-header", f"src = {server.address}:{server.port}")
    return bool(run_command(argv, timeout_seconds=_SECONDS, check=False).output.strip())


def _complaint(server: Server) -> str:
    """The newest line of its log that tells of trouble."""
    with suppress(CollectionError):
        argv = ("journalctl", "--unit", server.unit, "--lines=20", "--output=cat", "--no-pager")
        lines = run_command(argv, timeout_seconds=_SECONDS, check=False).output.strip().splitlines()
        told = [one for one in lines if "error" in one.lower() or "cannot" in one.lower() or "failed" in one.lower()]
        if told or lines:
            return (told or lines)[-1]
    return "it says nothing."


def _processor_seconds(unit: str) -> float | None:
    value = _property(unit, "CPUUsageNSec")
    return int(value) / 1e9 if value.isdigit() and int(value) < 1 << 62 else None


def _state(unit: str) -> str:
    return _property(unit, "ActiveState")


def _property(unit: str, name: str) -> str:
    try:
        return show_units([unit], [name]).partition("=")[2].strip()
    except CommandError:
        return ""


def require_systemd() -> None:
    """Refuse where nothing could end what is started.

    :raises StateError: systemd does not run.
    """
    if not os.path.isdir("/run/systemd/system"):  # noqa: PTH112
        raise StateError("systemd does not run on this gateway, so a comparison could leave something behind.")


def parse_servers(given: Sequence[Mapping[str, Any]]) -> tuple[Server, ...]:
    """Both servers from the options of the module.

    :raises StateError: they are not exactly A and B.
    """
    servers = tuple(Server(**one) for one in given)
    if tuple(one.side for one in servers) != SIDES:
        raise StateError("A comparison has two servers, a and b.")
    return servers
