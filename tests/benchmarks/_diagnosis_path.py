"""A probe, a gateway, and what lies between them: a router that limits and drops, and a relay that delays.

    probe --- [relay] --- router (name server) --- gateway

The router is a hop of the path like any other: what it drops, it drops by rules of nftables, and a slow line is a
token bucket with a queue before it, both ways.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from benchmarks._dns_servers import NAMED_READY, await_line, start_dnsmasq
from benchmarks._hosts import Host
from benchmarks._namespaces import NAMESPACES, Namespaces, Relay

PROBE_SUBNET, GATEWAY_SUBNET = "10.71.1", "10.72.1"
FAR_SUBNET = "198.18.9"
PROBE_ADDRESS, GATEWAY_ADDRESS = f"{PROBE_SUBNET}.1", f"{GATEWAY_SUBNET}.2"
# Of the networks for benchmarks: a resolver that protects against rebinding lets no private address through.
NAME_SERVER, KNOWN_ADDRESS = "198.18.1.53", "198.18.1.80"
# The name server is one of the root, and knows these names and no others.
KNOWN_NAMES = ("www.example.com", "www.debian.org", "www.google.com")
TO_PROBE, TO_GATEWAY = "e10-71-1", "e10-72-1"
ROUTER_TABLE = "path"
CABLE_MBIT = 10_000
LEAST_QUEUE_BYTES, UDP_QUEUE_BYTES = 16_000, 10_000


@dataclass(frozen=True)
class Line:
    """What the line between probe and gateway is like.

    :param mbit: Of the line, both ways; 0 for that of a cable. :param queue_ms: How long its full queue takes to empty.
    :param udp_mbit: Of UDP alone, with hardly any queue; 0 for no such limit.
    :param narrow_at_gateway: Whether it is the gateway's own line that has this rate, and not the probe's.
    :param relay: What delays, reorders or loses besides.
    :param mtu: Of the router's card on the gateway's side. :param tells_mtu: Whether the router says so.
    :param rules: Of nftables, for what the router forwards.
    """

    mbit: float = 0
    queue_ms: int = 50
    udp_mbit: float = 0
    narrow_at_gateway: bool = False
    relay: Relay | None = None
    mtu: int = 1500
    tells_mtu: bool = True
    rules: tuple[str, ...] = ()


def police_udp(mbit: float, *, burst_bytes: int = 256_000) -> tuple[str, ...]:
    """Rules of a provider that lets only so much UDP through, each way."""
    limit = f"limit rate over {round(mbit * 125_000)} bytes/second burst {burst_bytes} bytes drop"
    return tuple(f"oifname {card} meta l4proto udp {limit}" for card in (TO_PROBE, TO_GATEWAY))


def lose(share: float) -> tuple[str, ...]:
    """The rule of a line that loses packets at random, each way."""
    return (f"numgen random mod 100000 < {round(share * 100_000)} drop",)


def router_rules(line: Line) -> str:
    """The router's table, for ``nft --file``."""
    told = "" if line.tells_mtu else "icmp type destination-unreachable drop"
    # A virtual card takes in four bytes more than its MTU.
    back = () if line.tells_mtu else (f"iifname {TO_GATEWAY} meta length > {line.mtu} drop",)
    chains = {
        "forward": ("type filter hook forward priority filter; policy accept;", *back, *line.rules),
        "output": ("type filter hook output priority filter; policy accept;", told),
    }
    text = "".join(f"chain {name} {{\n{chr(10).join(rules)}\n}}\n" for name, rules in chains.items())
    return f"table inet {ROUTER_TABLE} {{\n{text}}}\n"


@dataclass
class Stage:
    """A path with its two hosts; use it as a context.

    :param lane: A letter or two: stages side by side have different ones.
    :param shared: Folders of this machine that both hosts see.
    """

    spaces: Namespaces
    lane: str
    line: Line

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self._lay()
            folder = self.spaces.folder
            self.gateway = self._stack.enter_context(Host(self.spaces, self._short("g"), "gateway", folder / "gateway"))
            self.probe = self._stack.enter_context(Host(self.spaces, self._short("p"), "probe", folder / "probe"))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _short(self, end: str) -> str:
        return f"{self.lane}{end}"

    @property
    def router(self) -> str:
        """The router's namespace."""
        return self._short("r")

    def _lay(self) -> None:
        probe, gateway = self._short("p"), self._short("g")
        if self.line.relay is None:
            self.spaces.cable(probe, self.router, subnet=PROBE_SUBNET, flat=True)
        else:
            self.spaces.relayed(probe, self.router, subnet=PROBE_SUBNET, relay=self.line.relay)
        self.spaces.cable(self.router, gateway, subnet=GATEWAY_SUBNET, flat=True)
        self.spaces.ip(probe, "route", "add", "default", "via", f"{PROBE_SUBNET}.2")
        self.spaces.ip(gateway, "route", "add", "default", "via", f"{GATEWAY_SUBNET}.1")
        self.spaces.inside(self.router, "sysctl", "-qw", "net.ipv4.ip_forward=1", seconds=10)
        self.spaces.ip(self.router, "link", "set", TO_GATEWAY, "mtu", str(self.line.mtu))
        self.spaces.ip(self.router, "address", "add", f"{KNOWN_ADDRESS}/32", "dev", "lo")
        self.nft("-f", "-", text=router_rules(self.line))
        if self.line.mbit or self.line.udp_mbit:
            back = (self._short("g"), TO_GATEWAY) if self.line.narrow_at_gateway else (self.router, TO_PROBE)
            for namespace, card in ((self.router, TO_GATEWAY), back):
                self._shape(namespace, card)

    def _shape(self, namespace: str, card: str) -> None:
        line = self.line
        whole = line.mbit or CABLE_MBIT
        queue = max(LEAST_QUEUE_BYTES, round(whole * 125 * line.queue_ms))

        def tc(what: str, *words: str) -> None:
            self.spaces.inside(namespace, "tc", what, "add", "dev", card, *words, seconds=10)

        tc("qdisc", "root", "handle", "1:", "htb", "default", "10")
        tc("class", "parent", "1:", "classid", "1:1", "htb", "rate", f"{whole}mbit")
        tc("class", "parent", "1:1", "classid", "1:10", "htb", "rate", f"{whole}mbit")
        tc("qdisc", "parent", "1:10", "bfifo", "limit", str(queue))
        if line.udp_mbit:
            tc("class", "parent", "1:1", "classid", "1:20", "htb", "rate", f"{line.udp_mbit}mbit")
            tc("qdisc", "parent", "1:20", "bfifo", "limit", str(UDP_QUEUE_BYTES))
            udp = ("match", "ip", "protocol", "17", "0xff")
            tc("filter", "parent", "1:", "protocol", "ip", "u32", *udp, "flowid", "1:20")

    def nft(self, *arguments: str, text: str = "") -> str:
        """Run ``nft`` on the router."""
        argv = ["nsenter", f"--net={NAMESPACES / self.spaces.name(self.router)}", "nft", *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, input=text, timeout=30).stdout

    def add_user(self, short: str, subnet: str) -> str:
        """Another user's device with a cable of its own to the router; its namespace."""
        user = self._short(short)
        self.spaces.cable(self.router, user, subnet=subnet, flat=True)
        self.spaces.ip(user, "route", "add", "default", "via", f"{subnet}.1")
        return user

    def start_name_server(self) -> None:
        """The name server that everybody asks in the end."""
        self.spaces.ip(self.router, "address", "add", f"{NAME_SERVER}/32", "dev", "lo")
        self._start_named(self.router, NAME_SERVER)

    def start_far_name_server(self, round_trip_ms: int) -> str:
        """Another one that is far away; its address."""
        far, address = self._short("n"), f"{FAR_SUBNET}.2"
        relay = Relay(round_trip_ms, 100, 50)
        self.spaces.relayed(self.router, far, subnet=FAR_SUBNET, relay=relay)
        self.spaces.ip(far, "route", "add", "default", "via", f"{FAR_SUBNET}.1")
        self._start_named(far, address)
        return address

    def _start_named(self, namespace: str, address: str) -> None:
        folder = self.spaces.folder / f"names-{namespace}"
        folder.mkdir()
        (folder / "named.conf").write_text(
            f'options {{ directory "{folder}"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; pid-file none;'
            ' session-keyfile "session.key"; recursion no; dnssec-validation no; empty-zones-enable no; };\n'
            'controls { };\nzone "." { type primary; file "root"; };\n'
        )
        records = "".join(f"{name}. A {KNOWN_ADDRESS}\n" for name in KNOWN_NAMES)
        head = f"$TTL 300\n@ SOA ns. nobody. 1 3600 600 86400 60\n@ NS ns.\nns. A {address}\n"
        (folder / "root").write_text(head + records)
        log = folder / "named.log"
        argv = ["named", "-g", "-4", "-n", "1", "-c", str(folder / "named.conf")]
        self.spaces.start(namespace, argv, folder=folder, log=log)
        await_line(log, NAMED_READY)

    def start_dhcp_server(self) -> None:
        """A provider's network: it hands out the address that the gateway has, and a resolver of its own."""
        mine, theirs = f"{GATEWAY_SUBNET}.1", GATEWAY_ADDRESS
        text = "\n".join(
            (
                "port=0", "bind-interfaces", f"interface={TO_GATEWAY}",
                f"dhcp-range={theirs},{theirs},255.255.255.0,1h",
                f"dhcp-option=option:router,{mine}", f"dhcp-option=option:dns-server,{NAME_SERVER}",
                f"dhcp-leasefile={self.spaces.folder}/leases-{self.lane}", "no-ping", "",
            )
        )  # fmt: skip
        start_dnsmasq(self.spaces, self.router, self.spaces.folder, name=f"dhcp-{self.lane}", text=text)
