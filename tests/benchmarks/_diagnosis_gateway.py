"""A gateway on a host of its own, as the roles have it: listeners, firewall, resolver; and a user's profile."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import yaml
from benchmarks._diagnosis_path import GATEWAY_ADDRESS, NAME_SERVER
from benchmarks._dns_servers import role_settings
from benchmarks._hosts import Host
from conftest import CHECKOUT
from integration.openvpn.vpn import Authority

from ansible_collections.privatespace.gateway.plugins.filter.dnsmasq_config import dnsmasq_config
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_firewall import openvpn_firewall
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_listeners import openvpn_listeners
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_profile import openvpn_profile
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_server_config import openvpn_server_config

SERVER_FOLDER = "/etc/openvpn/server"
FOLDER = f"{SERVER_FOLDER}/privatespace"
FIREWALL = "/etc/privatespace/firewall.nft"
RESOLVER_UNIT, RESOLVER_CONFIG = "privatespace-dnsmasq.service", "/etc/privatespace/dnsmasq.conf"
# So old is a configuration when a process reads it: a process that is younger has no other.
AGE_SECONDS = 60
STARTING_SECONDS = 10.0
USER = "carol@laptop"
# What a gateway that was set up last month has left of its certificates' life.
CERTIFICATE_LIFE, CRL_LIFE, CRL_AGE = timedelta(days=365), timedelta(days=30), timedelta(hours=1)


@functools.cache
def role_defaults() -> Mapping[str, Any]:
    """The defaults of the role ``openvpn``."""
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "roles/openvpn/defaults/main.yml").read_text())
    return found


def processes() -> list[dict[str, Any]]:
    """The processes of the role's own listeners."""
    found: list[dict[str, Any]] = openvpn_listeners(role_defaults()["openvpn_listeners"], cores=1)
    return found


@dataclass(frozen=True)
class Setup:
    """How a gateway differs from the roles' defaults.

    :param settings: Of the filter that renders the servers' configurations, by listener.
    :param lines: Of the servers' configurations, by listener: put at the end of what was rendered.
    :param client_lines: The same of the profile.
    """

    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    client_lines: Sequence[str] = ()


@dataclass
class Keys:
    """Keys and certificates that gateways and users share, made once."""

    authority: Authority = field(default_factory=lambda: Authority(life=CERTIFICATE_LIFE))

    def __post_init__(self) -> None:
        self.server = self.authority.issue("gateway-bench", server=True)

    @classmethod
    def lasting(cls, life: timedelta) -> Keys:
        """Others, whose certificates were made a year ago and end then."""
        return cls(Authority(age=CERTIFICATE_LIFE - life, life=life))

    def make_wrapping(self, host: Host) -> str:
        """Have the gateway's key for ``tls-crypt-v2``, and return a user's."""
        server, client = f"{FOLDER}/tls-crypt-v2-server.key", "/run/client.tls"
        host.run("openvpn", "--genkey", "tls-crypt-v2-server", server)
        host.run("openvpn", "--tls-crypt-v2", server, "--genkey", "tls-crypt-v2-client", client)
        return host.path(client).read_text()


@dataclass
class Gateway:
    """What is put on a host to make it a gateway."""

    host: Host
    keys: Keys
    setup: Setup = field(default_factory=Setup)

    def install(self) -> None:
        """Write everything, and start it."""
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._write_keys()
        for process in processes():
            self._write_listener(process)
        self._write_firewall()
        self._write_resolver()
        self.host.run("systemctl", "daemon-reload")
        names = [unit(process["name"]) for process in processes()]
        self.host.run("systemctl", "start", *names, RESOLVER_UNIT)
        self._await_resolver()

    def _write_keys(self) -> None:
        certificate, key = self.keys.server
        self.host.write(f"{FOLDER}/ca.crt", self.keys.authority.pem)
        self.host.write(f"{FOLDER}/server.crt", certificate)
        self.host.write(f"{FOLDER}/server.key", key, mode=0o600)
        self.write_crl()
        self._wrapping = self.keys.make_wrapping(self.host)

    def write_crl(self, *, age: timedelta = CRL_AGE, life: timedelta = CRL_LIFE) -> None:
        """Put a CRL in place that was signed some time ago, and is good for so long."""
        self.host.write(f"{FOLDER}/crl.pem", self.keys.authority.crl(age=age, life=life))

    def _write_listener(self, process: Mapping[str, Any]) -> None:
        name = process["name"]
        settings = {"service_user": "nobody", "service_group": "nogroup", **self.setup.settings.get(name, {})}
        text = openvpn_server_config(process, **settings)
        self.write_config(f"{name}.conf", text + "".join(f"{line}\n" for line in self.setup.lines.get(name, ())))
        pushes = ("redirect-gateway def1", f"dhcp-option DNS {process['server_address']}", "block-outside-dns")
        self.host.write(f"{FOLDER}/ccd/{name}/DEFAULT", "".join(f'push "{push}"\n' for push in pushes))

    def write_config(self, name: str, text: str, *, age_seconds: float = AGE_SECONDS) -> None:
        """Write a configuration as if that had been some time ago."""
        path = f"{SERVER_FOLDER}/{name}"
        self.host.write(path, text)
        then = time.time() - age_seconds
        os.utime(self.host.path(path), (then, then))

    def _write_firewall(self) -> None:
        defaults = role_defaults()
        names = ("max_segment_size", "handshakes_per_second", "handshake_burst", "masquerade", "client_to_client")
        rules = openvpn_firewall(
            processes(), groups=[], client_networks={}, table="privatespace", tcp_ports=[53], udp_ports=[53],
            **{name: defaults[f"openvpn_{name}"] for name in names},
        )  # fmt: skip
        self.host.write(FIREWALL, rules)
        self.host.run("nft", "--file", FIREWALL)

    def _write_resolver(self) -> None:
        self.host.write(RESOLVER_CONFIG, dnsmasq_config(role_settings(NAME_SERVER)))
        self.host.write("/etc/privatespace/dnsmasq.hosts", "")
        self.host.write("/etc/privatespace/dnsmasq.blocklist", "")
        self.host.path("/etc/resolv.conf").unlink(missing_ok=True)
        self.host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.host.write(
            f"/etc/systemd/system/{RESOLVER_UNIT}",
            "[Unit]\nDescription=DNS inside the tunnel\n[Service]\nType=exec\nUser=nobody\n"
            "AmbientCapabilities=CAP_NET_BIND_SERVICE\n"
            f"ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file={RESOLVER_CONFIG}\n",
        )

    def _await_resolver(self) -> None:
        deadline = time.monotonic() + STARTING_SECONDS
        while self.host.attempt("dig", "+time=3", "+tries=1", "@127.0.0.1", ".", "NS").returncode:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no name is answered: {self.host.run('journalctl', '-u', RESOLVER_UNIT)[-800:]}")
            time.sleep(0.05)

    def ask_names_at(self, upstream: str) -> None:
        """Have the resolver ask there."""
        self.host.write(RESOLVER_CONFIG, dnsmasq_config(role_settings(upstream)))
        self.host.run("systemctl", "restart", RESOLVER_UNIT)
        self._await_resolver()

    def profile(self) -> str:
        """A user's profile, for both listeners."""
        return self.profile_of(USER) + "".join(f"{line}\n" for line in self.setup.client_lines)

    def profile_of(self, user: str) -> str:
        """The same of any user, without what the setup has for clients."""
        certificate, key = self.keys.authority.issue(user)
        delivery = {
            "common_name": user, "certificate": certificate, "private_key": key, "ca_chain": self.keys.authority.pem,
            "tls_crypt_v2": self._wrapping,
        }  # fmt: skip
        listeners = [{"protocol": process["protocol"], "port": process["port"]} for process in processes()]
        text = openvpn_profile(delivery, [{"name": "gateway", "address": GATEWAY_ADDRESS, "listeners": listeners}])
        return str(text)

    def pid(self, listener: str) -> int:
        """The process of a listener, by its number on the host."""
        return int(self.host.run("systemctl", "show", "--property=MainPID", "--value", unit(listener)))


def unit(listener: str) -> str:
    """The unit of a listener."""
    return f"openvpn-server@{listener}.service"
