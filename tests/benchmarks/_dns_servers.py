"""Name servers for the DNS benchmark: BIND, and dnsmasq as the collection renders it and as Debian has it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from benchmarks._dns_load import MOST_NAMES, ZONE, address_of, name_of
from benchmarks._namespaces import Namespaces
from conftest import CHECKOUT

from ansible_collections.privatespace.gateway.plugins.filter.dnsmasq_config import dnsmasq_config
from ansible_collections.privatespace.gateway.plugins.filter.dnsmasq_hosts import dnsmasq_hosts

STARTING_SECONDS = 30
NAMED_READY, DNSMASQ_READY = "all zones loaded", "started, version"
# What Debian's unit starts dnsmasq with beside a configuration of comments only.
STOCK = ("local-service",)


def bind_text(folder: Path, *clauses: str, zone: str) -> str:
    """A configuration of BIND that answers for everybody, and for one zone.

    :param zone: What stands in the zone's clause.
    """
    options = (
        f'directory "{folder}"', "listen-on port 53 { any; }", "listen-on-v6 { none; }", "pid-file none",
        'session-keyfile "session.key"', "allow-query { any; }", "recursion yes", "allow-recursion { any; }",
        "dnssec-validation no", "minimal-responses yes", "empty-zones-enable no",
    )  # fmt: skip
    return "\n".join(
        (
            "options {", *(f"    {each};" for each in options), "};",
            "controls { };", *clauses, f'zone "{ZONE}" {{ type primary; {zone} }};', "",
        )
    )  # fmt: skip


def zone_head() -> str:
    """What every zone begins with."""
    return f"$TTL 3600\n@ SOA ns.{ZONE}. nobody.{ZONE}. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"


def names_zone(count: int = MOST_NAMES) -> str:
    """The zone with the names that the load asks for."""
    return zone_head() + "".join(f"{name_of(number)} A {address_of(number)}\n" for number in range(count))


def role_settings(upstream: str) -> dict[str, Any]:
    """What the role hands to its filter by default, with another upstream."""
    role = CHECKOUT / "roles" / "dnsmasq"
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    handed = yaml.safe_load((role / "vars" / "main.yml").read_text())["__dnsmasq_settings"]
    return {**default_settings(defaults, handed), "upstreams": [upstream]}


def default_settings(defaults: Mapping[str, Any], handed: Iterable[str]) -> dict[str, Any]:
    """Those of the settings that the filter takes which are variables of the role, by their defaults."""
    return {name: defaults[f"dnsmasq_{name}"] for name in handed if f"dnsmasq_{name}" in defaults}


def our_text(upstream: str, *, folder: Path, port: int) -> str:
    """What the role renders by its defaults, on another port, so that several stand beside each other.

    Its files of names and of blocked names are written, too.
    """
    settings = {**role_settings(upstream), "folder": str(folder), "state_folder": str(folder)}
    (folder / "dnsmasq.hosts").write_text(dnsmasq_hosts(settings))
    (folder / "dnsmasq.blocklist").touch()
    return with_value(dnsmasq_config(settings), "port", port)


def with_value(text: str, option: str, value: int) -> str:
    """A configuration with another value of an option.

    :raises ValueError: the option is not there once.
    """
    changed, count = re.subn(rf"^{re.escape(option)}=.*$", f"{option}={value}", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"the configuration has {option}= {count} times")
    return changed


def stock_text(upstream: str, *, folder: Path, port: int) -> str:
    """Debian's default: nothing but where the upstream is found, which is a file of its own."""
    (folder / f"stock-{port}.resolv").write_text(f"nameserver {upstream}\n")
    return "\n".join((*STOCK, f"resolv-file={folder}/stock-{port}.resolv", f"port={port}", ""))


def start_bind(spaces: Namespaces, short: str, folder: Path) -> None:
    """Start BIND in a namespace with the ``named.conf`` of a folder, and wait until it answers."""
    log = folder / "named.log"
    spaces.start(short, ["named", "-g", "-4", "-n", "2", "-c", str(folder / "named.conf")], folder=folder, log=log)
    await_line(log, NAMED_READY)


def start_dnsmasq(spaces: Namespaces, short: str, folder: Path, *, name: str, text: str) -> None:
    """Start dnsmasq in a namespace, and wait until it does."""
    (folder / f"{name}.conf").write_text(text)
    log = folder / f"{name}.log"
    argv = ["dnsmasq", "--keep-in-foreground", "--pid-file", "--log-facility=-", f"--conf-file={folder}/{name}.conf"]
    spaces.start(short, argv, folder=folder, log=log)
    await_line(log, DNSMASQ_READY)


def await_line(log: Path, text: str) -> None:
    """Wait for what a program prints when it is ready.

    :raises RuntimeError: with the end of its log, if it does not.
    """
    deadline = time.monotonic() + STARTING_SECONDS
    while text not in log.read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{log.name}: {log.read_text(errors='replace')[-800:]}")
        time.sleep(0.02)
