"""A diagnosis as the playbook has it: the same modules, on the same hosts, in the same order, without Ansible."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._diagnosis_gateway import Gateway
from benchmarks._diagnosis_path import GATEWAY_ADDRESS, KNOWN_NAMES, NAME_SERVER, PROBE_ADDRESS, Stage
from benchmarks._gateway_module import SYSTEM_PYTHON, GatewayModule, build_module
from benchmarks._hosts import Host

MODULES = ("network_window", "network_probe", "network_diagnosis")
PROFILE = "/root/probe.ovpn"
# A window closes by itself so long after the measurement should have ended.
WINDOW_MARGIN_SECONDS = 30
MARGIN_SECONDS = 60.0
# What systemd starts for whoever asks it something, and ends when nobody does any more; and the look itself.
PASSING = ("/lib/systemd/systemd-", "/usr/lib/systemd/systemd-", "/usr/lib/polkit-1/", "/usr/bin/dbus-daemon", "ps -eo")


@dataclass(frozen=True)
class Limits:
    """What the playbook's variables ``diagnosis_seconds`` and ``diagnosis_megabytes`` limit; these are its defaults."""

    seconds: float = 60
    megabytes: float = 200


@dataclass
class Modules:
    """The modules, ready to be sent; made once."""

    ready: Mapping[str, GatewayModule]

    @classmethod
    def build(cls) -> Modules:
        """Have Ansible make them."""
        with ThreadPoolExecutor(len(MODULES)) as pool:
            built = pool.map(lambda name: build_module(f"privatespace.gateway.{name}", {}, placeholder=""), MODULES)
            return cls(dict(zip(MODULES, built, strict=True)))

    def run(
        self, host: Host, name: str, arguments: Mapping[str, Any], *, patience: float = MARGIN_SECONDS
    ) -> dict[str, Any]:
        """Run one on a host, and return what it returned.

        :raises RuntimeError: it failed, or said something that is no result.
        """
        content = self.ready[name].with_arguments(arguments)
        done = host.attempt(SYSTEM_PYTHON, "-", seconds=patience, stdin=content.decode())
        try:
            result: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise RuntimeError(f"{name}: {(done.stderr or done.stdout)[-800:]}") from error
        if result.get("failed"):
            raise RuntimeError(f"{name}: {result.get('msg')}")
        return result


@dataclass
class Diagnosis:
    """What came of it.

    :param left_behind: Processes and rules that were not there before.
    """

    findings: list[dict[str, Any]]
    observations: dict[str, Any]
    seconds: float
    left_behind: list[str] = field(default_factory=list)


def prepare_probe(stage: Stage, gateway: Gateway) -> None:
    """What a probe needs: a profile, and a name server."""
    stage.probe.path("/etc/resolv.conf").unlink(missing_ok=True)
    stage.probe.write("/etc/resolv.conf", f"nameserver {NAME_SERVER}\n")
    stage.probe.write(PROFILE, gateway.profile(), mode=0o600)


def diagnose(stage: Stage, modules: Modules, limits: Limits, *, with_probe: bool = True) -> Diagnosis:
    """Diagnose the gateway, with what a probe measures or from itself alone."""
    began = time.monotonic()
    with _nothing_left_on((stage.gateway, stage.probe)) as left:
        given = _measure(stage, modules, limits) if with_probe else {}
        found = modules.run(stage.gateway, "network_diagnosis", given)
    seconds = time.monotonic() - began
    return Diagnosis(found["findings"], found["observations"], seconds, left)


def _measure(stage: Stage, modules: Modules, limits: Limits) -> dict[str, Any]:
    window = {
        "state": "present", "probes": [PROBE_ADDRESS], "address": GATEWAY_ADDRESS,
        "seconds": limits.seconds + WINDOW_MARGIN_SECONDS,
    }  # fmt: skip
    opened = modules.run(stage.gateway, "network_window", window)
    try:
        probe = {
            "gateway": "gateway", "window": opened["window"], "profile": PROFILE, "names": list(KNOWN_NAMES),
            "seconds": limits.seconds, "megabytes": limits.megabytes,
        }  # fmt: skip
        measured = modules.run(stage.probe, "network_probe", probe, patience=limits.seconds + MARGIN_SECONDS)
    finally:
        closed = modules.run(stage.gateway, "network_window", {"state": "absent"})
    return {"seen": closed["seen"], "paths": [measured["path"]]}


@contextmanager
def _nothing_left_on(hosts: Sequence[Host]) -> Iterator[list[str]]:
    """Find what is there after a block and was not before, on some hosts."""
    before = {host.name: _inventory(host) for host in hosts}
    left: list[str] = []
    yield left
    for host in hosts:
        left += [f"{host.name}: {each}" for each in sorted(_inventory(host) - before[host.name])]


def _inventory(host: Host) -> set[str]:
    """Processes, rules of nftables without their counters, network devices, and files that are not meant to last."""
    running = {command for command in host.processes().values() if not command.startswith(PASSING)}
    listed = host.run("nft", "--stateless", "list", "ruleset").splitlines()
    # Who has opened a connection lately is no rule.
    rules = {line for line in listed if not line.strip().startswith("elements = ")}
    links = {line.split(":")[1].strip() for line in host.run("ip", "-o", "link").splitlines()}
    return running | rules | links


def save(path: Path, diagnosis: Diagnosis) -> None:
    """Keep everything, to look at it later."""
    path.write_text(json.dumps({"findings": diagnosis.findings, "observations": diagnosis.observations}, indent=1))
