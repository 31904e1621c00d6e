"""Removal: how long who is removed goes on sending, who else notices, and what a removal costs a fleet.

First layer (a), which denies and cuts and asks no authority: a server for UDP and one for TCP, configured by the
collection's own filter, with sixty live sessions on each, in groups of ten down to fifty. Everybody sends 25 packets a
second through the tunnel, which are sent back; the user who is about to be removed sends 500. Seconds are those from
the beginning of the removal to the last packet of the user's that leaves the tunnel on the gateway, by the kernel's
clock. ``module`` is a process as Ansible starts it on a gateway, Python's start included, and ``empty_module`` what
Ansible's ``ping`` takes there, which does nothing; ``engine`` is what such a process does once it runs. Floor: a bare
``kill`` on the management socket. Peer: a CRL alone, as others do it, where a session lives until its renegotiation was
refused and its old key has run out; here with ``reneg-sec 6`` and ``tran-window 2``, while 3600 and 3600 seconds are
OpenVPN's defaults. Who was removed tries to come back until the denial is lifted. A packet of somebody else's that is
lost, a renegotiation, or somebody removed who gets through ends it with 1.

Then a server with very many revocations, with the CRL and with a folder of serials: memory, and the time from the
start of a client to its connection, once somebody more was revoked since the server's start. Floor: nobody is revoked.

Then the whole of ``user_remove`` on the lab's instance ``bench``, the authority and two gateways, with a session on
each; what a further gateway costs is measured with several inventory names for each of the two, which share its cores
and those of Ansible. Hosts are started and installed before, which is not counted. ``--quick`` leaves this out.

Run it with ``./lab bench removal [--json] [--quick]``; ``./lab down --instance bench`` removes the hosts afterwards.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _crl_memory as crl_memory
from benchmarks._dns_load import percentile
from benchmarks._gateway_module import build_module, run_module_file
from benchmarks._namespaces import Namespaces
from benchmarks._removal_playbook import Site, connected_site, install
from benchmarks._removal_rounds import (
    PACE_SECONDS,
    WATCHED_PACE_SECONDS,
    ByEngine,
    ByKill,
    ByModule,
    Measured,
    Rounds,
    User,
    Way,
    devices_of,
)
from benchmarks._rows import Row, Table, parse_options
from benchmarks._sessions import Device, Sessions
from benchmarks._tunnels import Ours, Server
from benchmarks.converge import INSTANCE, limit, stand

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_run import DenialRun

NAME = "removal"
PROTOCOLS = ("udp", "tcp")
USERS = 60
PLACEHOLDER = "user-to-be-removed"
PROGRAMS = ("openvpn", "ip", "nsenter", "pgrep", "openssl")
# Of the peer: as short as it may be for a benchmark. OpenVPN's own defaults, and what a session lives by them at most.
PEER_RENEGOTIATION_SECONDS, PEER_TRANSITION_SECONDS = 6, 2
DEFAULT_LIFE_SECONDS = 3600 + 3600
PEER_DEVICES = 3
EMPTY_MODULES = 10
PEER_PATIENCE_SECONDS = 30.0
QUIET_SECONDS = 2.0
# How many gateways of the lab's instance there are in this.
HOSTS = 2


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    :param removals: By the module; ``others`` by the engine and by the floor.
    :param revoked: Sizes of CRLs.
    :param fleets: Numbers of gateways; up to two each is a host.
    :param repeated: How often the removal from two is measured.
    """

    removals: int = 100
    others: int = 30
    revoked: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    fleets: tuple[int, ...] = (HOSTS, 1, 10, 50)
    repeated: int = 3


QUICK = Sizes(removals=10, others=5, revoked=(1_000, 100_000), fleets=())


@dataclass
class Gateway:
    """Two servers with their users, and the peer's."""

    sessions: Sessions
    servers: Mapping[str, Server]
    users: Sequence[User]
    peers: Sequence[Device]

    @property
    def denied(self) -> Path:
        return self.sessions.folder / "denied"

    def denial(self, **more: Any) -> dict[str, Any]:
        """The parameters of the module."""
        folder = self.sessions.folder
        sockets = [str(self.sessions.socket_of(server)) for server in self.servers.values()]
        return {
            "state": "present", "path": str(self.denied), "client_folder": str(folder / "ccd"),
            "management_sockets": sockets, "reason": "removal", **more,
        }  # fmt: skip

    def remove(self, name: str) -> None:
        """Layer (a) in this process.

        :raises RuntimeError: the user was not connected.
        """
        if not run_denial(self.denial(users=[name]))["sessions_cut"]:
            raise RuntimeError(f"{name} was not connected")

    def lift(self, names: Sequence[str]) -> None:
        """Let users in again."""
        run_denial(self.denial(state="absent", users=list(names)))

    def ways(self) -> dict[str, Way]:
        """Ours, and the floor."""
        module = build_module(
            "privatespace.gateway.openvpn_denial", self.denial(users=[PLACEHOLDER]), placeholder=PLACEHOLDER
        )
        path = self.sessions.folder / "module.py"
        sockets = {protocol: self.sessions.socket_of(server) for protocol, server in self.servers.items()}
        return {
            "module": ByModule(module, path, self.lift),
            "engine": ByEngine(self.remove, self.lift),
            "floor": ByKill(sockets),
        }


def empty_module_seconds(folder: Path) -> float:
    """What Ansible takes on a gateway for a module that does nothing: most of it is Python's and Ansible's start."""
    path, seconds = folder / "empty.py", []
    module = build_module("ansible.builtin.ping", {"data": PLACEHOLDER}, placeholder=PLACEHOLDER)
    module.write(path, "pong")
    for _time in range(EMPTY_MODULES):
        began = time.perf_counter()
        run_module_file(path)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def run_denial(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The module ``openvpn_denial`` without Ansible around it."""
    defaults = {
        "users": [], "common_names": [], "serials": {}, "lockdown": "", "lockdown_groups": [], "lockdown_except": [],
        "cut": True, "timeout": 10.0,
    }  # fmt: skip
    run = DenialRun({**defaults, **parameters}, only_look=False)
    return run.apply(run.decide())


def make_gateway(sessions: Sessions, users: int) -> Gateway:
    """Start the servers, and connect everybody."""
    servers = {protocol: sessions.servers(sessions.hooked(), protocol)[0] for protocol in PROTOCOLS}
    (peer,) = sessions.servers(peer_way(sessions), "udp")
    names = [f"user{number:02}" for number in range(users)]
    everybody = [
        User(name, {protocol: sessions.add(server, f"{name}@{protocol}") for protocol, server in servers.items()})
        for name in names
    ]
    peers = [sessions.add(peer, f"peer{number}@bench") for number in range(PEER_DEVICES)]
    sessions.wait()
    sessions.lay_cards()
    devices = [*devices_of(everybody), *peers]
    sessions.connect(devices)
    for each in devices:
        each.seen = each.handshakes()
    sessions.stream(devices, PACE_SECONDS)
    return Gateway(sessions, servers, everybody, peers)


def peer_way(sessions: Sessions) -> Ours:
    """A server that knows a CRL and nothing else; it is ours apart from that."""
    return Ours(
        "CRL alone",
        without=(f"crl-verify {sessions.folder}/crl.pem", "reneg-sec 3600", "tran-window 120"),
        server=(
            f"crl-verify {peer_crl(sessions)}",
            f"reneg-sec {PEER_RENEGOTIATION_SECONDS}",
            f"tran-window {PEER_TRANSITION_SECONDS}",
        ),
    )


def peer_crl(sessions: Sessions) -> Path:
    """The peer's own CRL, so that nobody else's server reads another one."""
    path = sessions.folder / "peer.pem"
    if not path.exists():
        path.write_text(sessions.authority.crl())
        path.chmod(0o644)
    return path


def revoke_peers(gateway: Gateway) -> float:
    """Put a CRL in place that lists all devices of the peer, as peers do; returns when it was there."""
    authority, path = gateway.sessions.authority, peer_crl(gateway.sessions)
    for device in gateway.peers:
        authority.revoke(device.common_name)
    new = path.with_suffix(".new")
    new.write_text(authority.crl())
    new.chmod(0o644)
    new.replace(path)
    return time.time()


def peer_lives(gateway: Gateway, since: float) -> list[float]:
    """Seconds that the peer's sessions lived after the CRL was in place.

    :raises RuntimeError: they never end.
    """
    deadline = time.monotonic() + PEER_PATIENCE_SECONDS
    while True:
        last = [each or since for each in gateway.sessions.last_packets(gateway.peers)]
        if all(time.time() - each > QUIET_SECONDS for each in last):
            return [max(0.0, each - since) for each in last]
        if time.monotonic() > deadline:
            raise RuntimeError("a session of the peer's does not end")
        time.sleep(0.1)


def silence_rows(gateway: Gateway, table: Table, sizes: Sizes) -> bool:
    """Rows of layer (a); whether anything happened that must not."""
    counts = {"floor": sizes.others, "module": sizes.removals, "engine": sizes.others}
    rounds, ways = Rounds(gateway.sessions, gateway.users), gateway.ways()
    since = revoke_peers(gateway)
    found = {name: rounds.measure(ways[name], count) for name, count in counts.items()}
    empty = empty_module_seconds(gateway.sessions.folder)
    peer = statistics.median(peer_lives(gateway, since))
    for name in ("module", "engine"):
        for protocol in PROTOCOLS:
            # When the last packet came is known as exactly as packets follow each other.
            floor = max(statistics.median(found["floor"].silent(protocol)), WATCHED_PACE_SECONDS)
            row = silence_row(name, protocol, found[name], peer=peer, floor=floor)
            table.add(replace(row, more={**row.more, "empty_module": empty}) if name == "module" else row)
    return any(one.harm.any for one in found.values())


def silence_row(name: str, protocol: str, found: Measured, *, peer: float, floor: float) -> Row:
    """A row of one way to remove, over one protocol."""
    seconds, proved = found.silent(protocol), [each.proved for each in found.removed]
    more = {
        "p99": percentile(seconds, 0.99),
        "proved_median": statistics.median(proved),
        "proved_p99": percentile(proved, 0.99),
        **found.harm.as_dict(),
        "packets_answered": found.answered,
        "longest_answer": found.worst,
        "peer_at_most_by_defaults": DEFAULT_LIFE_SECONDS,
    }
    case = f"{protocol}, last packet, {name}, beside a CRL alone"
    return Row(NAME, case, len(seconds), "s", statistics.median(seconds), peer, floor, more)


def memory_rows(table: Table, sizes: Sizes) -> bool:
    """Rows of servers with many revocations; whether somebody revoked got in."""
    floor = crl_cost(crl_memory.CRL, 0)
    let_in = floor.let_in
    for count in sizes.revoked:
        by_file = crl_cost(crl_memory.CRL, count)
        by_folder = crl_cost(crl_memory.SERIALS, count)
        for what, cost, peer in (("crl", by_file, None), ("serials, beside crl", by_folder, by_file)):
            table.add(connection_row(f"{what}: a connection", count, cost, peer=peer, floor=floor))
            table.add(memory_row(f"{what}: server memory", count, cost, peer=peer, floor=floor))
            let_in = let_in or cost.let_in
    return let_in


def crl_cost(way: str, count: int) -> crl_memory.Cost:
    """One server in namespaces of its own."""
    # A million files are there sooner in memory; a server that has looked at them once has them there anyway.
    with namespaces("/dev/shm") as sessions:
        return crl_memory.measure(sessions, way, count)


def connection_row(
    case: str, count: int, cost: crl_memory.Cost, *, peer: crl_memory.Cost | None, floor: crl_memory.Cost
) -> Row:
    """How long a connection takes once the revocations have changed."""
    more = {
        "before_a_change": cost.before, "first_after": cost.first, "server_start": cost.start,
        "others_wait": cost.others_wait, "revoked_let_in": int(cost.let_in),
    }  # fmt: skip
    return Row(NAME, case, count, "s", cost.later, peer.later if peer else None, floor.later, more)


def memory_row(
    case: str, count: int, cost: crl_memory.Cost, *, peer: crl_memory.Cost | None, floor: crl_memory.Cost
) -> Row:
    """What the server has in memory."""
    peer_mb = peer.memory_mb if peer else None
    return Row(NAME, case, count, "MB", cost.memory_mb, peer_mb, floor.memory_mb, {"peak_MB": cost.peak_mb})


def playbook_rows(table: Table, sizes: Sizes) -> None:
    """Rows of the whole playbook."""
    stand(table)
    began = time.monotonic()
    if install(INSTANCE, limit(HOSTS)):
        table.say(f"not counted: {time.monotonic() - began:.0f} s for a run of site")
    counts = [*[HOSTS] * sizes.repeated, *(count for count in sizes.fleets if count != HOSTS)]
    names = [f"bench{int(time.time())}-{number}" for number in range(len(counts))]
    with tempfile.TemporaryDirectory(prefix="psgb", dir="/tmp") as folder:
        site = Site(INSTANCE, limit(HOSTS).split(",")[1:], Path(folder))
        site.make_users(names)
        found: dict[int, list[dict[str, float]]] = {}
        with connected_site(site):
            for name, count in zip(names, counts, strict=True):
                site.connect(name)
                found.setdefault(count, []).append(site.remove(name, count=count))
    two = median_split(found[HOSTS])
    for count, splits in sorted(found.items()):
        table.add(playbook_row(count, median_split(splits), two))


def playbook_row(count: int, split: Mapping[str, float], two: Mapping[str, float]) -> Row:
    """A row of the whole playbook on so many gateways, beside that on two hosts."""
    more = {name: seconds for name, seconds in split.items() if name != "verified_s"}
    if count > HOSTS:
        # Only the first of several names of a host finds something to do: what is between is one thing.
        for name in ("cut_s", "command_to_cut_s"):
            del more[name]
        more["copy_and_verify_s"] = more.pop("copy_s") + more.pop("verify_s")
        more["seconds_a_further_gateway"] = (split["verified_s"] - two["verified_s"]) / (count - HOSTS)
    what = {1: "one host", HOSTS: "two hosts"}.get(count, "two hosts by many names")
    return Row(NAME, f"user_remove to verified, {what}", count, "s", split["verified_s"], more=more)


def median_split(splits: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The run whose time to the proof is the median one; sums stay sums."""
    ordered = sorted(splits, key=lambda split: split["verified_s"])
    return dict(ordered[len(ordered) // 2])


@contextmanager
def namespaces(place: str = "/tmp") -> Iterator[Sessions]:
    """Namespaces, a folder and keys for the time of a block."""
    with tempfile.TemporaryDirectory(prefix="psgb", dir=place) as name, Namespaces(Path(name)) as spaces:
        yield Sessions(Path(name), spaces)


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


def main() -> int:
    """Measure in namespaces that go away again, also after Ctrl-C; 1 where somebody was harmed or got through."""
    options = parse_options(NAME, __doc__ or "")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not installed: ./lab installs what is missing")
    signal.signal(signal.SIGTERM, _interrupt)
    sizes, table = QUICK if options.quick else Sizes(), Table(options)
    try:
        with namespaces() as sessions:
            is_harmed = silence_rows(make_gateway(sessions, USERS), table, sizes)
        is_let_in = memory_rows(table, sizes)
        if sizes.fleets:
            playbook_rows(table, sizes)
    except KeyboardInterrupt:
        sys.exit("interrupted; the namespaces are gone")
    return int(is_harmed or is_let_in)


if __name__ == "__main__":
    sys.exit(main())
