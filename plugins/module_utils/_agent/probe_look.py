# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe looks at before it sends traffic: routers, ports, clocks, name servers, its own devices."""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_programs import Children, find_program
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import Window
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.mtr import parse_mtr, parse_traceroute
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import TCP, UDP, Hop, Lookup, Reach
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages import Question, is_response
from ansible_collections.privatespace.gateway.plugins.module_utils._host.resolver_query import ask_server

ANSWER_SECONDS = 1.0
_GREETINGS = 5
_HOPS_SECONDS = 5.5
_LOOKUP_SECONDS = 2.0
_MOST_RESOLVERS = 4
# Linux: what the kernel has learnt of a connected socket's path.
_IP_MTU, _IPV6_MTU = 14, 24


def look_at_hops(children: Children, address: str) -> tuple[Hop, ...]:
    """The routers, by the tool that is there."""
    if find_program("mtr"):
        argv = ("mtr", "--json", "--no-dns", "-c", "4", "-i", "0.25", "-G", "1", "-m", "20", address)
        return parse_mtr(children.run(argv, seconds=_HOPS_SECONDS).output)
    slower = ("traceroute", "-n", "-q", "3", "-w", "1", "-m", "20", "-N", "32", address)
    return parse_traceroute(children.run(slower, seconds=_HOPS_SECONDS).output)


def look_at_ports(window: Window) -> tuple[tuple[Reach, ...], float | None]:
    """Which of the window's ports answer, and the probe's clock less the gateway's."""
    reaches = [reach_tcp(window.address, port) for port in window.outside_ports]
    reaches.append(reach_tcp(window.address, window.responder_port))
    offset = greet_responder(window)
    detail = "" if offset is not None else "the responder did not answer"
    reaches.append(Reach(UDP, window.responder_port, offset is not None, detail))
    reaches += [reach_tcp(window.address, one.port) for one in window.tunnels if one.transport == TCP]
    return tuple(dict.fromkeys(reaches)), offset


def reach_tcp(address: str, port: int) -> Reach:
    """Whether a connection is accepted."""
    try:
        socket.create_connection((address, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        return Reach(TCP, port, False, str(error.strerror or "no answer"))  # noqa: FBT003
    return Reach(TCP, port, True)  # noqa: FBT003


def greet_responder(window: Window) -> float | None:
    """The probe's clock less the gateway's, by the quickest of several answers; ``None`` without one."""
    family = socket.AF_INET6 if ":" in window.address else socket.AF_INET
    best: tuple[float, float] | None = None
    with socket.socket(family, socket.SOCK_DGRAM) as greeting:
        for _number in range(_GREETINGS):
            one = _greet_once(greeting, window)
            if one is not None and (best is None or one < best):
                best = one
    return None if best is None else best[1]


def _greet_once(greeting: socket.socket, window: Window) -> tuple[float, float] | None:
    """How long the answer took, and the offset by it."""
    try:
        greeting.connect((window.address, window.responder_port))
        greeting.settimeout(ANSWER_SECONDS / 2)
        sent = time.time()
        greeting.send(f"{window.token} time\n".encode())
        said = greeting.recv(512)
        came = time.time()
    except OSError:
        return None
    token, _space, moment = said.decode("ascii", "replace").strip().partition(" ")
    try:
        theirs = float(moment)
    except ValueError:
        return None
    return (came - sent, (sent + came) / 2 - theirs) if token == window.token and abs(theirs) < 1e11 else None


def system_resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The name servers that this host asks."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found: dict[str, None] = {}
    for words in (line.split() for line in lines):
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.setdefault(str(ipaddress.ip_address(words[1].partition("%")[0])))
            except ValueError:
                continue
    return tuple(found)[:_MOST_RESOLVERS]


def look_up(resolver: str, names: Sequence[str], *, place: str, source: str) -> tuple[Lookup, ...]:
    """Ask one name server for each of the names."""
    found = []
    for number, name in enumerate(names, 1):
        question = Question(name, identifier=(0x5000 + number * 257 + int(time.time() * 1000)) & 0xFFFF)
        begin = time.monotonic()
        outcome = ask_server(resolver, question=question, timeout_seconds=_LOOKUP_SECONDS)
        seconds = time.monotonic() - begin
        # A refusal is an answer, too: somebody is there.
        answered = is_response(outcome)
        found.append(Lookup(resolver, place, source, name, answered, round(seconds, 4) if answered else None, outcome))
        if not answered:
            break
    return tuple(found)


def device_to(children: Children, address: str) -> str:
    """The network device by which packets to an address leave, empty if none does."""
    ended = children.run(("ip", "-j", "route", "get", address), seconds=3)
    try:
        (route,) = json.loads(ended.output)
        return str(route["dev"])
    except (ValueError, KeyError, TypeError):
        return ""


def device_mtu(device: str) -> int:
    """The MTU of a device, 1500 where it does not say."""
    try:
        return int(Path(f"/sys/class/net/{device}/mtu").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1500


def is_tunnel(device: str) -> bool:
    """Whether a device is one end of a VPN."""
    folder = Path("/sys/class/net") / device
    try:
        kind = (folder / "uevent").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return (folder / "tun_flags").exists() or "DEVTYPE=wireguard" in kind or "DEVTYPE=ovpn" in kind


def learnt_mtu(address: str) -> int | None:
    """What the kernel knows of the path's MTU."""
    version6 = ":" in address
    try:
        with socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect((address, 9))
            if version6:
                return asking.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
            return asking.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    except OSError:
        return None


def core_seconds(path: Path = Path("/proc/stat")) -> dict[str, tuple[int, int]]:
    """Busy and all ticks of each core so far."""
    found = {}
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        words = line.split()
        if words and words[0].startswith("cpu") and words[0] != "cpu":
            ticks = [int(word) for word in words[1:9]]
            idle = sum(ticks[3:5])
            found[words[0]] = (sum(ticks) - idle, sum(ticks))
    return found


def busiest_core(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float:
    """The share of the time in which the busiest core worked between two looks."""
    shares = [0.0]
    for core, (busy, total) in after.items():
        used, passed = (new - old for new, old in zip((busy, total), before.get(core, (0, 0))))
        if passed > 0:
            shares.append(min(1.0, used / passed))
    return max(shares)


def overflowed_datagrams(folder: Path = Path("/proc/net")) -> int:
    """Datagrams that found the buffers of their sockets on this host full, so far."""
    total = 0
    with suppress(OSError, ValueError, StopIteration):
        rows = [line.split() for line in (folder / "snmp").read_text(encoding="ascii").splitlines()]
        names, values = (row for row in rows if row and row[0] == "Udp:")
        total += int(values[names.index("RcvbufErrors")])
    with suppress(OSError, ValueError, StopIteration):
        rows = [line.split() for line in (folder / "snmp6").read_text(encoding="ascii").splitlines()]
        total += next(int(row[1]) for row in rows if row[:1] == ["Udp6RcvbufErrors"])
    return total
