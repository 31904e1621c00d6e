"""The whole of ``user_remove`` on the lab's hosts, and what its seconds went into."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from benchmarks._playbook_runs import PLAYBOOK_SECONDS, STATE, environment, play
from conftest import CHECKOUT

DENIAL, SESSION = "openvpn_denial", "openvpn_session"
SIGNING = ("pki_users", "pki_crl")
# The authority in the inventory, and what its host is called.
AUTHORITY, AUTHORITY_HOST = "authority1", "authority"
LISTENERS = (("udp", 1194), ("tcp", 443))
CONNECTED = "Initialization Sequence Completed"
CLIENT_SECONDS = 600
CONNECTING_SECONDS = 30
# On a host, what it was installed from last.
MARKER = "/var/lib/private-space-bench"


@dataclass(frozen=True)
class Step:
    """One task on one host, or on all at once where they keep in step.

    :param action: The module, without the name of its collection.
    :param start: Seconds since 1970-01-01 UTC, like all times here.
    :param results: What the module returned, by host.
    """

    action: str
    start: float
    end: float
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def moments(self, name: str) -> list[float]:
        """The times of that name in the timelines of all hosts."""
        found = (result.get("timeline", {}).get(name) for result in self.results.values())
        return [float(moment) for moment in found if moment is not None]


def parse_steps(report: Mapping[str, Any]) -> list[Step]:
    """What Ansible's callback ``json`` tells of each task that ran, in order of time."""
    steps = []
    for task in (task for one in report["plays"] for task in one["tasks"]):
        results = {host: result for host, result in task["hosts"].items() if not result.get("skipped")}
        if results:
            action = str(next(iter(results.values()))["action"]).rpartition(".")[2]
            duration = task["task"]["duration"]
            steps.append(Step(action, _epoch(duration["start"]), _epoch(duration["end"]), results))
    return sorted(steps, key=lambda step: step.start)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def split_seconds(steps: Sequence[Step], *, began: float, ended: float) -> dict[str, float]:
    """What the seconds of a removal went into: the first five follow each other until it is verified.

    :param began: When the command was given.
    :param ended: When it was done.
    :raises ValueError: a layer is missing.
    """
    denial, signing, session = (_of(steps, names) for names in ((DENIAL,), SIGNING, (SESSION,)))
    begun, cut, verified = _start(steps), _last(denial, "cut_at"), _last(session, "verified_at")
    installed, together = _last(session, "crl_installed_at"), [*denial, *signing]
    seconds = {
        "ansible_start_s": begun - began,
        "layer_a_and_authority_s": _end(together) - _start(together),
        "copy_s": installed - _start(session),
        "verify_s": verified - installed,
    }
    verified_s = verified - began
    return {
        **seconds,
        "other_tasks_s": verified_s - sum(seconds.values()),
        "verified_s": verified_s,
        "layer_a_s": _end(denial) - _start(denial),
        "cut_s": cut - _last(denial, "denied_at"),
        "command_to_cut_s": cut - began,
        "token_and_signature_s": sum(step.end - step.start for step in signing),
        "report_s": ended - verified,
    }


def _start(steps: Iterable[Step]) -> float:
    return min(step.start for step in steps)


def _end(steps: Iterable[Step]) -> float:
    return max(step.end for step in steps)


def _of(steps: Sequence[Step], actions: Sequence[str]) -> list[Step]:
    found = [step for step in steps if step.action in actions]
    if not found:
        raise ValueError(f"the playbook did not run {' or '.join(actions)}")
    return found


def _last(steps: Iterable[Step], moment: str) -> float:
    found = [when for step in steps for when in step.moments(moment)]
    if not found:
        raise ValueError(f"no gateway tells of '{moment}'")
    return max(found)


def sessions_cut(steps: Iterable[Step]) -> int:
    """How many sessions layer (a) ended."""
    return sum(
        len(result.get("sessions_cut") or ()) for step in steps if step.action == DENIAL
        for result in step.results.values()
    )  # fmt: skip


def alias_inventory(
    inventory: Mapping[str, Any], *, gateways: Sequence[str], count: int, control: Path
) -> dict[str, Any]:
    """An inventory in which so many gateways stand for a few hosts in turn, each with an SSH connection of its own.

    :param inventory: That of the lab's instance.
    :param gateways: The hosts that stand for them.
    :param control: The folder of the shared SSH connections.
    """
    children = {name: dict(group) for name, group in inventory["all"]["children"].items()}
    known = children["gateways"]["hosts"]
    aliases = {f"alias{number:02}": known[gateways[number % len(gateways)]] for number in range(count)}
    for name, hosts in (("gateways", aliases), ("authority", children["authority"]["hosts"])):
        children[name]["hosts"] = {
            host: {**variables, "ansible_ssh_extra_args": f"-o ControlPath={control}/{host}"}
            for host, variables in hosts.items()
        }
    return {"all": {**inventory["all"], "children": children}}


def end_connections(control: Path) -> None:
    """End the shared SSH connections whose sockets are in a folder."""
    for path in control.iterdir():
        argv = ["ssh", "-O", "exit", "-o", f"ControlPath={path}", "nobody"]
        subprocess.run(argv, check=False, capture_output=True, timeout=CONNECTING_SECONDS)


def checkout_digest() -> str:
    """A fingerprint of what the playbook ``site`` brings to hosts."""
    found = hashlib.sha256()
    for folder in ("playbooks", "plugins", "roles"):
        for path in sorted((CHECKOUT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path}\0".encode() + path.read_bytes())
    return found.hexdigest()


def install(instance: str, limit: str) -> bool:
    """Have what is in this checkout on hosts; whether a run of ``site`` was needed for it.

    :param limit: Inventory names, separated by commas.
    """
    digest = checkout_digest()
    hosts = [AUTHORITY_HOST if name == AUTHORITY else name for name in limit.split(",")]
    if all(_on_host(instance, host, "cat", MARKER) == digest for host in hosts):
        return False
    play(instance, "site", "--limit", limit)
    for host in hosts:
        _on_host(instance, host, "echo", "-n", digest, ">", MARKER)
    return True


def _on_host(instance: str, host: str, *command: str) -> str:
    argv = ["ssh", "-F", str(STATE / instance / "ssh_config"), host, *command]
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=CONNECTING_SECONDS
    )
    return done.stdout


@dataclass
class Site:
    """The authority and two gateways of the lab's instance, with users who are connected.

    :param gateways: Two inventory names.
    :param folder: For profiles, inventories and connections; a path short enough for sockets.
    """

    instance: str
    gateways: Sequence[str]
    folder: Path
    clients: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def inventory(self) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.safe_load((STATE / self.instance / "inventory.yml").read_text())
        return loaded

    @contextlib.contextmanager
    def aliases(self, name: str, count: int) -> Iterator[Path]:
        """An inventory with so many gateways, and no SSH connection to any, for the time of a block."""
        control, path = self.folder / f"ssh-{name}", self.folder / f"{name}.yml"
        control.mkdir()
        made = alias_inventory(self.inventory(), gateways=self.gateways, count=count, control=control)
        path.write_text(yaml.safe_dump(made))
        try:
            yield path
        finally:
            end_connections(control)

    def make_users(self, names: Sequence[str]) -> None:
        """Have these users with a device each, their profiles in the folder."""
        users = self.folder / "users.json"
        users.write_text(json.dumps({"vpn_users": [{"name": name} for name in names]}))
        # The other gateways of the instance are none of this authority's here, and owe nothing.
        with self.aliases("users", len(self.gateways)) as inventory:
            folder = f"profile_folder={self.folder}/profiles"
            play(self.instance, "users", "-i", str(inventory), "-e", f"@{users}", "-e", folder)

    def connect(self, name: str) -> None:
        """A session of a user on each gateway, over UDP on one and over TCP on the other; nothing is sent in it.

        :raises RuntimeError: it does not connect.
        """
        hosts = self.inventory()["all"]["children"]["gateways"]["hosts"]
        profile = (self.folder / "profiles" / f"{name}@default.ovpn").read_text()
        logs = []
        for gateway, (protocol, port) in zip(self.gateways, LISTENERS, strict=True):
            remote = f"remote {hosts[gateway]['lab_outside_address']} {port} {protocol}"
            path = self.folder / f"{name}-{protocol}.ovpn"
            path.touch(mode=0o600)
            path.write_text(one_remote(profile, remote))
            logs.append(path.with_suffix(".log"))
            self._start(path, logs[-1])
        deadline = time.monotonic() + CONNECTING_SECONDS
        while not all(CONNECTED in log.read_text(errors="replace") for log in logs):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not connect: {logs[0].read_text(errors='replace')[-800:]}")
            time.sleep(0.05)

    def _start(self, path: Path, log: Path) -> None:
        argv = ["timeout", "--kill-after=5", str(CLIENT_SECONDS), "openvpn", "--config", str(path), "--dev", "null"]
        argv += ["--ifconfig-noexec", "--route-noexec"]
        with log.open("wb") as stream:
            self.clients.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream))

    def end_clients(self) -> None:
        """End the clients' processes."""
        for process in self.clients:
            process.terminate()
        for process in self.clients:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
        self.clients.clear()

    def remove(self, name: str, *, count: int) -> dict[str, float]:
        """Remove a user from so many gateways, and tell what the seconds went into. No SSH connection is open before.

        :raises ValueError: it failed, or nobody was connected.
        """
        with self.aliases(name, count) as inventory:
            began = time.time()
            done = subprocess.run(
                [
                    "ansible-playbook", "privatespace.gateway.user_remove", "-i", str(inventory),
                    "-e", f"user_name={name}",
                ],
                env={**environment(self.instance), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}, check=False,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PLAYBOOK_SECONDS,
            )  # fmt: skip
            ended = time.time()
        if done.returncode:
            raise ValueError(f"user_remove failed: {(done.stdout + done.stderr)[-1500:]}")
        report, _end = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
        steps = parse_steps(report)
        if not sessions_cut(steps):
            raise ValueError(f"{name} was not connected when the removal came")
        return split_seconds(steps, began=began, ended=ended)


def one_remote(profile: str, remote: str) -> str:
    """A profile that knows one gateway only, by one protocol."""
    lines = profile.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("remote "))
    kept = [line for line in lines if not line.startswith(("remote ", "remote-random"))]
    return "\n".join([*kept[:first], remote, *kept[first:], ""])


@contextlib.contextmanager
def connected_site(site: Site) -> Iterator[Site]:
    """The site for the time of a block; its clients end with it."""
    try:
        yield site
    finally:
        site.end_clients()
