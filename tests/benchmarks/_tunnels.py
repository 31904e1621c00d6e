"""Tunnels through real OpenVPN processes: ours as the collection renders it, and those of recipes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from benchmarks._namespaces import Namespaces, run
from benchmarks._recipes import Place, Recipe, client_text, server_text
from conftest import CHECKOUT
from integration.openvpn.vpn import Authority

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_listeners import openvpn_listeners
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_profile import openvpn_profile
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_server_config import openvpn_server_config

SERVER = "s"
CONNECTED = "Initialization Sequence Completed"
CONNECTING_SECONDS = 30
TICKS = os.sysconf("SC_CLK_TCK")
# Pushes that would send the namespace's traffic somewhere else than the benchmark wants.
NOT_PULLED = ('pull-filter ignore "redirect-gateway"', 'pull-filter ignore "block-ipv6"')


@dataclass(frozen=True)
class Ours:
    """The collection's own configuration.

    :param settings: Of the filter that renders the server's configuration.
    :param server: Lines added to what was rendered, to try what is no default.
    :param without: Lines left out of what was rendered, to see what they bring.
    :param clamped: Whether TCP segments are clamped as our firewall does.
    """

    name: str = "ours"
    settings: Mapping[str, Any] = field(default_factory=dict)
    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    clamped: bool = True

    def change(self, text: str) -> str:
        """A rendered configuration with these lines added and left out.

        :raises ValueError: a line that is to be left out is not there.
        """
        lines = text.splitlines()
        for line in self.without:
            lines.remove(line)
        return "".join(f"{line}\n" for line in (*lines, *self.server))


Way = Ours | Recipe


def segment_clamp() -> int:
    """Largest TCP segment that our firewall lets through a tunnel, as the role's defaults have it; 0 is any."""
    defaults = yaml.safe_load((CHECKOUT / "roles" / "openvpn" / "defaults" / "main.yml").read_text())
    return int(defaults["openvpn_max_segment_size"])


@dataclass(frozen=True)
class Tunnel:
    """A client connected to a server process of its own, or to one that it shares.

    :param client: The namespace it is in.
    :param inside: The server's address in the tunnel.
    :param device: The server's.
    :param pid: The server process.
    """

    name: str
    client: str
    inside: str
    device: str
    pid: int

    def cpu_seconds(self) -> float:
        """What the server process has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass
class Workshop:
    """Makes keys, configurations and processes in one folder."""

    folder: Path
    spaces: Namespaces
    authority: Authority = field(default_factory=Authority)
    _count: int = 0
    _waiting: list[Path] = field(default_factory=list)
    _to_clamp: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make what all tunnels share."""
        self.folder.chmod(0o755)
        self._issue("server", "gateway-bench", server=True)
        self._write("ca.crt", self.authority.pem)
        self._write("crl.pem", self.authority.crl()).chmod(0o644)
        run("openvpn", "--genkey", "secret", str(self.folder / "ta.key"))
        run("openvpn", "--genkey", "tls-crypt-v2-server", str(self.folder / "tls-crypt-v2-server.key"))
        server_key = str(self.folder / "tls-crypt-v2-server.key")
        run("openvpn", "--tls-crypt-v2", server_key, "--genkey", "tls-crypt-v2-client", str(self.folder / "client.tls"))

    def tunnel(self, way: Way, protocol: str, *, client: str, address: str) -> Tunnel:
        """A server process and one client of it."""
        (server,) = self.servers(way, protocol)
        return self.join(server, client=client, address=address)

    def servers(self, way: Way, protocol: str, *, processes: int = 1) -> list[Server]:
        """Start the server processes of a way.

        :param processes: For ours, how many share the listener's clients.
        """
        self._count += 1
        if isinstance(way, Ours):
            return [self._start(server) for server in self._own_servers(way, protocol, processes)]
        place = Place(protocol, 2000 + self._count, f"tun{self._count}", f"10.91.{self._count}.0 255.255.255.0", "")
        text = server_text(way, place)
        return [self._start(Server(way, place, f"10.91.{self._count}.1", text))]

    def _own_servers(self, way: Ours, protocol: str, processes: int) -> Iterator[Server]:
        listener = {
            "name": f"b{self._count}", "protocol": protocol, "port": 2000 + self._count,
            "network": f"10.91.{self._count}.0/24", "per_core": processes > 1,
        }  # fmt: skip
        for process in openvpn_listeners([listener], cores=processes):
            (self.folder / "ccd" / process["name"]).mkdir(parents=True, exist_ok=True)
            settings = {"folder": str(self.folder), "runtime_folder": str(self.folder), **way.settings}
            text = way.change(openvpn_server_config(process, **settings))
            place = Place(protocol, process["port"], process["device"], "", "")
            yield Server(way, place, process["server_address"], text)

    def _start(self, server: Server) -> Server:
        path = self._write(f"{server.place.device}.conf", server.text)
        log = path.with_suffix(".log")
        pid = self.spaces.start(SERVER, ["openvpn", "--config", path.name], folder=self.folder, log=log)
        self._waiting.append(log)
        return Server(server.way, server.place, server.inside, server.text, pid)

    def join(self, server: Server, *, client: str, address: str) -> Tunnel:
        """Start a client of a server process, with a certificate of its own."""
        place, device = server.place, f"c{server.place.port}"
        identity = f"{client}-{device}"
        self._issue(identity, f"{identity}@bench")
        if isinstance(server.way, Ours):
            if server.way.clamped:
                self._to_clamp += [(SERVER, place.device), (client, device)]
            text = self._profile(server.way, place, address, device, identity)
        else:
            text = client_text(server.way, Place(place.protocol, place.port, device, "", address), identity)
        path = self._write(f"{identity}.conf", text)
        self._await(self.folder / f"{place.device}.log")  # A client that finds no server tries again seconds later.
        log = path.with_suffix(".log")
        self.spaces.start(client, ["openvpn", "--config", path.name], folder=self.folder, log=log)
        self._waiting.append(log)
        return Tunnel(server.way.name, client, server.inside, place.device, server.pid)

    def _issue(self, name: str, common_name: str, *, server: bool = False) -> None:
        certificate, key = self.authority.issue(common_name, server=server)
        self._write(f"{name}.crt", certificate)
        self._write(f"{name}.key", key)

    def _profile(self, way: Ours, place: Place, address: str, device: str, identity: str) -> str:
        delivery = {
            "common_name": f"{identity}@bench", "certificate": (self.folder / f"{identity}.crt").read_text(),
            "private_key": (self.folder / f"{identity}.key").read_text(), "ca_chain": self.authority.pem,
            "tls_crypt_v2": (self.folder / "client.tls").read_text(),
        }  # fmt: skip
        listeners = [{"protocol": place.protocol, "port": place.port}]
        profile = openvpn_profile(delivery, [{"name": "bench", "address": address, "listeners": listeners}])
        more = (f"dev {device}", "dev-type tun", *NOT_PULLED, *way.client)
        return profile + "".join(f"{line}\n" for line in more)

    def wait(self) -> None:
        """Wait until everything that was started is connected.

        :raises RuntimeError: with the end of the log of what is not.
        """
        while self._waiting:
            self._await(self._waiting.pop())
        while self._to_clamp:
            self._clamp(*self._to_clamp.pop())

    def _clamp(self, namespace: str, device: str) -> None:
        # The firewall does it to what is forwarded; the benchmark's traffic ends at the gateway.
        for route in json.loads(self.spaces.ip(namespace, "-j", "route", "show", "dev", device)):
            source = ("src", route["prefsrc"]) if "prefsrc" in route else ()
            clamp = ("advmss", str(segment_clamp())) if segment_clamp() else ()
            self.spaces.ip(
                namespace, "route", "replace", route["dst"], "dev", device, "proto", "kernel", *source, *clamp
            )

    def _await(self, log: Path) -> None:
        deadline = time.monotonic() + CONNECTING_SECONDS
        while CONNECTED not in log.read_text(errors="replace"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{log.name}: {log.read_text(errors='replace')[-800:]}")
            time.sleep(0.02)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


@dataclass(frozen=True)
class Server:
    """A server process.

    :param inside: Its address in the tunnel.
    :param text: Its configuration.
    """

    way: Way
    place: Place
    inside: str
    text: str
    pid: int = 0
