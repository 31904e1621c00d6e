# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the hosts of an instance up and down. Both may be repeated, and finish what a killed run left."""

from __future__ import annotations

import base64
import hashlib
import io
import ipaddress
import json
import secrets
import shutil
import socket
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from privatespace_lab import topology
from privatespace_lab.acme import write_acme_certificate
from privatespace_lab.engine import STATE, LabError, podman, run, say, write_text
from privatespace_lab.image import Recipe, ensure_images, load_recipe
from privatespace_lab.topology import NETWORKS, Action, Actual, Host, hosts_of

READY_SECONDS = 40
MOST_AT_ONCE = 6
BRIDGES = Path("/sys/class/net")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# Every systemd takes half a dozen; a host that finds none left hangs in its start.
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
LEAST_INOTIFY_INSTANCES = 1024
CONTAINER_OPTIONS = (
    *("--privileged", "--systemd=always", "--device=/dev/net/tun", "--dns=none", "--no-hosts", "--log-driver=none"),
    "--sysctl=net.ipv4.ip_forward=0",
    "--restart=on-failure",  # a reboot from inside ends the container with a signal
)


def up(instance: str, debian12: str, debian13: str) -> None:
    """Have every host of an instance running, reachable by SSH, and described in its inventory."""
    own, hosts = STATE / instance, hosts_of(instance)
    suites_file = own / "suites.json"
    suites = topology.parse_suites(
        debian12, debian13, json.loads(suites_file.read_text()) if suites_file.is_file() else {}, hosts=hosts
    )
    recipes = {suite: load_recipe(suite) for suite in dict.fromkeys(suites.values())}
    for recipe in recipes.values():
        ensure_images(recipe)
    write_text(suites_file, json.dumps(suites, indent=2) + "\n")
    _write_access(instance)
    _ensure_networks(instance)
    found = _find_containers(instance)
    with ThreadPoolExecutor(max_workers=min(len(hosts), MOST_AT_ONCE)) as pool:
        jobs = [
            pool.submit(_ensure_host, instance, host, recipes[suites[host.name]], found.get(host.name))
            for host in hosts
        ]
        actions = [job.result() for job in jobs]
    made = [f"{host.name} ({action.value})" for host, action in zip(hosts, actions) if action is not Action.KEEP]
    say(f"{instance}: {', '.join(made) or 'every host'} running; inventory {own / 'inventory.yml'}")


def down(instance: str) -> None:
    """Remove every container and network of an instance, and its folder. Images stay."""
    _close_connections(instance)
    names = podman(
        "ps", "--all", "--filter", f"label=privatespace.instance={instance}", "--format", "{{.Names}}"
    ).split()
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(_remove_container, names))
    for network in NETWORKS:
        name = topology.network_name(instance, network.name)
        bridge = podman("network", "inspect", "--format", "{{.NetworkInterface}}", name, check=False).strip()
        podman("network", "rm", "--force", name, check=False)
        if bridge:  # stays when its last container was killed
            run(["ip", "link", "delete", bridge], check=False)
    shutil.rmtree(STATE / instance, ignore_errors=True)


def down_all() -> None:
    """Remove every instance, then the engine's store. The image cache stays, so that the next start is quick."""
    for instance in topology.SECOND_OCTETS:
        down(instance)
    run(["podman", "system", "reset", "--force"], check=False)
    for name in ("storage", "networks", "cp"):
        shutil.rmtree(STATE / name, ignore_errors=True)


def _control_folder() -> Path:
    """Where shared SSH connections live: in the checkout, unless its path is too long for a socket (108 bytes)."""
    folder = STATE / "cp"
    if len(str(folder)) > 72:
        folder = Path("/tmp") / f"psg-lab-{hashlib.sha256(str(STATE).encode()).hexdigest()[:8]}"  # noqa: S108 (0700 below)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _write_access(instance: str) -> None:
    """Make keys, then write what a controller needs: ssh_config, known_hosts, inventory, ansible.cfg."""
    own, hosts = STATE / instance, hosts_of(instance)
    keys = {"": own / "id_ed25519"} | {host.name: own / "hosts" / host.name / "ssh_host_ed25519_key" for host in hosts}
    for name, path in keys.items():
        if not path.with_suffix(".pub").is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {instance} {name}".strip(), "-f", path])
    if not (own / "hsm-pin").is_file():
        write_text(own / "hsm-pin", f"{secrets.randbelow(10**8):08d}\n", mode=0o600)
    if not (own / "dns-key").is_file():
        write_text(own / "dns-key", base64.b64encode(secrets.token_bytes(32)).decode() + "\n", mode=0o600)
    if any(host.name == "nameserver" for host in hosts):
        write_acme_certificate(own / "acme-ca.pem", own / "hosts" / "nameserver")
    public_keys = {name: path.with_suffix(".pub").read_text() for name, path in keys.items() if name}
    write_text(own / "known_hosts", topology.render_known_hosts(instance, public_keys))
    write_text(own / "ssh_config", topology.render_ssh_config(instance, STATE, _control_folder()))
    write_text(own / "ansible.cfg", topology.render_ansible_config(instance, STATE))
    inventory = yaml.safe_dump(topology.build_inventory(instance, STATE), sort_keys=False, width=200)
    write_text(own / "inventory.yml", f"---\n# Written by ./lab up.\n{inventory}")


def _close_connections(instance: str, hosts: tuple[Host, ...] = ()) -> None:
    """End shared SSH connections, of all hosts if none is named: a new host must not meet an old one's."""
    config = STATE / instance / "ssh_config"
    for host in hosts or hosts_of(instance):
        path = _control_folder() / topology.ssh_address(instance, host)
        if path.is_socket():
            run(["ssh", "-F", config, "-O", "exit", host.name], check=False)
            path.unlink(missing_ok=True)


def _ensure_networks(instance: str) -> None:
    """Make the networks that are missing, and say what had to be changed on this machine for its hosts."""
    existing = podman("network", "ls", "--format", "{{.Name}}").split()
    for network in NETWORKS:
        name = topology.network_name(instance, network.name)
        if name not in existing:
            _clear_the_way(instance, network)
            options = ["--internal", "--ipv6"] if network.internal else []
            for prefix in topology.subnets(instance, network):
                options += ["--subnet", prefix, "--gateway", str(ipaddress.ip_network(prefix)[1])]
            podman("network", "create", "--disable-dns", *options, name)
        elif _prefixes(name) != topology.subnets(instance, network):
            raise LabError(f"the network {name} was made with other addresses: run ./lab down --instance {instance}")
    if int(INOTIFY_INSTANCES.read_text()) < LEAST_INOTIFY_INSTANCES:
        say(f"raising fs.inotify.max_user_instances on this machine to {LEAST_INOTIFY_INSTANCES}: each host needs some")
        INOTIFY_INSTANCES.write_text(f"{LEAST_INOTIFY_INSTANCES}\n")
    if FORWARDING.read_text().strip() == "0":
        say("turning on net.ipv4.ip_forward on this machine: the lab's hosts reach package registries through it")
        FORWARDING.write_text("1\n")


def _prefixes(name: str) -> list[str]:
    """The prefixes of a network that exists."""
    (network,) = json.loads(podman("network", "inspect", name))
    return [each["subnet"] for each in network["subnets"]]


def _clear_the_way(instance: str, network: topology.Network) -> None:
    """A bridge that this store does not know belongs to another checkout's lab, or to one that died with its machine.

    The engine removes a bridge with the last host on it; one that nothing is plugged into was left behind by a machine
    that went down, and only stands in the way.
    """
    prefix = topology.subnet(instance, network)
    route = run(["ip", "-oneline", "route", "show", "exact", prefix]).stdout.decode().split()
    if not route:
        return
    bridge = route[route.index("dev") + 1]
    ports = BRIDGES / bridge / "brif"
    if not ports.is_dir() or any(ports.iterdir()):
        raise LabError(
            f"{prefix} is in use on {bridge}: run ./lab down in the checkout that uses it (pgrep -a conmon names it)"
        )
    say(f"removing the bridge {bridge}, left behind on {prefix} with no host on it")
    run(["ip", "link", "delete", bridge])


def _find_containers(instance: str) -> dict[str, Actual]:
    """The instance's containers by host name."""
    text = podman("ps", "--all", "--filter", f"label=privatespace.instance={instance}", "--format", "json")
    return {
        each["Labels"]["privatespace.host"]: Actual(each["State"], each["Labels"].get("privatespace.fingerprint", ""))
        for each in json.loads(text or "[]")
    }


def _seed(instance: str, host: Host) -> bytes:
    """The files that make a host itself, as a tar archive for its root folder."""
    own = STATE / instance
    machine_resolver = Path("/etc/resolv.conf").read_text()
    if "nameserver 127." in machine_resolver and Path("/run/systemd/resolve/resolv.conf").is_file():
        machine_resolver = Path("/run/systemd/resolve/resolv.conf").read_text()
    key = own / "hosts" / host.name / "ssh_host_ed25519_key"
    files = {
        "etc/hosts": (topology.render_hosts_file(instance, host), 0o644),
        "etc/resolv.conf": (topology.render_resolver(instance, host, machine_resolver), 0o644),
        "etc/ssh/ssh_host_ed25519_key": (key.read_text(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (key.with_suffix(".pub").read_text(), 0o644),
        "root/.ssh/authorized_keys": ((own / "id_ed25519.pub").read_text(), 0o600),
    }
    if host.name == "nameserver":
        secret = (own / "dns-key").read_text().strip()
        texts = topology.render_name_service(instance, secret, machine_resolver)
        files |= {name: (text, 0o640 if "privatespace/" in name else 0o644) for name, text in texts.items()}
        files |= {f"etc/lab-acme/{name}": ((key.parent / name).read_text(), 0o600) for name in ("acme.crt", "acme.key")}
        files["etc/lab-acme/ca.pem"] = ((own / "acme-ca.pem").read_text(), 0o644)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        # The image has no package lists; without an old date on their folder, apt would take them for just read.
        for name, mode in (("root/.ssh", 0o700), ("var/lib/apt/lists", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, mode, 1
            archive.addfile(folder)
        for name, (text, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(text.encode()), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _place(instance: str, host: Host, network: topology.Network) -> str:
    """A host's addresses on a network, as the engine wants them."""
    options = {
        "ip": topology.address(instance, host, network.name),
        "mac": topology.mac_address(instance, host, network.name),
        "interface_name": network.name,
    }
    if network.internal:
        options["ip6"] = topology.address6(instance, host, network.name)
    return ",".join(f"{key}={value}" for key, value in options.items())


def _create_command(instance: str, host: Host, image: str) -> list[str]:
    """Arguments of ``podman create`` for a host, without the label of its fingerprint."""
    networks = [
        f"--network={topology.network_name(instance, network.name)}:{_place(instance, host, network)}"
        for network in NETWORKS
        if network.name in host.octets
    ]
    labels = [f"--label=privatespace.instance={instance}", f"--label=privatespace.host={host.name}"]
    return [
        *CONTAINER_OPTIONS,
        *networks,
        *labels,
        f"--hostname={host.name}",
        f"--name={topology.container_name(instance, host.name)}",
        image,
    ]


def _ensure_host(instance: str, host: Host, recipe: Recipe, actual: Actual | None) -> Action:
    """Make, start or keep a host, and wait until it serves. One that stands but does not answer is started again."""
    command = _create_command(instance, host, recipe.image(host.image))
    keys = (STATE / instance / "id_ed25519.pub").read_text()
    fingerprint = hashlib.sha256(repr((command, keys)).encode()).hexdigest()[:16]
    action = topology.plan_host(fingerprint, actual)
    name = topology.container_name(instance, host.name)
    if action is Action.KEEP and not _answers(instance, host, seconds=3):
        action = Action.START
        podman("stop", "--time", "5", name, check=False)
    if action is not Action.KEEP:
        _close_connections(instance, (host,))
    if action in (Action.CREATE, Action.RECREATE):
        _remove_container(name)
        podman("create", f"--label=privatespace.fingerprint={fingerprint}", *command)
        podman("cp", "-", f"{name}:/", feed=_seed(instance, host))
    if action is not Action.KEEP:
        _start(name)
        _wait(instance, host)
    return action


def _start(name: str) -> None:
    """Start a container, once more when the engine stumbles over its own parallel runs."""
    if run(["podman", "start", name], check=False).returncode != 0:
        podman("stop", "--time", "2", name, check=False)
        podman("start", name)


def _remove_container(name: str) -> None:
    """Remove a container if there is one, once more when the engine stumbles."""
    if run(["podman", "rm", "--force", "--ignore", "--time", "5", name], check=False).returncode != 0:
        podman("rm", "--force", "--ignore", "--time", "5", name)


def _greets(address: str) -> bool:
    """Whether an SSH server greets on the address, within a second."""
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            return connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False


def _answers(instance: str, host: Host, *, seconds: float) -> bool:
    """Whether the host's SSH server greets within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not _greets(topology.ssh_address(instance, host)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _wait(instance: str, host: Host) -> None:
    """Wait until systemd has finished starting and SSH greets. ``LabError`` with what systemd says otherwise."""
    name = topology.container_name(instance, host.name)
    deadline = time.monotonic() + READY_SECONDS
    state = "silent"
    while time.monotonic() < deadline:
        wait = ("timeout", str(READY_SECONDS), "systemctl", "is-system-running", "--wait")
        state = podman("exec", name, *wait, check=False).strip()
        if state in ("running", "degraded"):
            break
        time.sleep(0.2)
    if state != "running":
        failed = podman(
            "exec", name, "systemctl", "list-units", "--failed", "--plain", "--no-legend", check=False
        ).split("\n")[0]
        raise LabError(
            f"{host.name} is {state}, not running: {failed or 'no failed unit'}; look with ./lab shell {host.name}"
        )
    if not _answers(instance, host, seconds=deadline - time.monotonic()):
        raise LabError(
            f"{host.name} runs, but its SSH server does not answer on {topology.ssh_address(instance, host)}"
        )
