"""DNS inside the tunnel, and the names of a fleet.

First the resolver: a client's namespace, the gateway's with OpenVPN over UDP and dnsmasq as the role configures it by
default, and BIND as the upstream, next to the gateway and then 20 ms behind it. Ours is dnsmasq through the tunnel.
Peers: the same client asks the upstream without VPN; and it asks dnsmasq with Debian's settings through the same
tunnel. Floor: it asks the upstream through the tunnel, without dnsmasq; what is in a cache is answered sooner than
that. ``100 names`` are asked again and again after a first time, ``new names`` once, so that no cache has them, and our
cache is full. All ways are measured in turn in rounds; figures are medians of the rounds, and a ratio is the median of
those of the rounds. Every answer is judged; a question that is lost or answered wrongly counts as one that took two
seconds, and a burst is lost where it is larger than the buffer of a socket (some 190 questions).

Then the fleet: gateways get names in a store, and addresses in a zone of a real BIND and then of Route 53 as moto
imitates it, in one play; then again with nothing to do; then every address changes. Peers: community.general's nsupdate
and amazon.aws's route53, which the package ``ansible`` among the test requirements brings, and our own modules, called
once for each gateway, for fewer gateways (``peer_n``). Floor: a module that does nothing, called once. Messages are
those that the provider counted. Ours also marks the records as ours, and asks the zone's server until it answers right:
of its messages to BIND two a gateway are for that; the peers do neither.

Run it with ``./lab bench dns [--json] [--quick | --knobs]``; ``--quick`` leaves Route 53 out.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._dns_fleet import FLOOR as TASK_FLOOR
from benchmarks._dns_fleet import ONE, PEER, Fleet, Step, addresses, gateway_names, tasks_of
from benchmarks._dns_load import MOST_NAMES
from benchmarks._dns_paths import (
    DIRECT,
    FIRST_NEW,
    FLOOR,
    OURS,
    STOCK,
    Case,
    Paths,
    Rounds,
    figures,
    median_rate,
    median_ratio,
)
from benchmarks._dns_servers import our_text, with_value
from benchmarks._namespaces import Namespaces, Relay
from benchmarks._rows import Row, Table, parse_options
from benchmarks._tunnels import Workshop

NAME = "dns"
FAR = Relay(20, 1000, 20)
PROGRAMS = ("openvpn", "named", "dnsmasq", "dig", "gcc", "ip", "nsenter", "unshare")
LIBRARIES = ("dnspython", "boto3", "moto")
CACHE_SIZES = (150, 1_000, 2_000, 5_000)


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int = 3
    seconds: float = 0.8
    near: tuple[Case, ...] = (Case(100, 1), Case(100, 64), Case(0, 1), Case(0, 64))
    far: tuple[Case, ...] = (Case(1000, 1), Case(1000, 64), Case(0, 64), Case(0, 200))
    gateways: int = 300
    peer_gateways: int = 4
    route53: bool = True


QUICK = Sizes(
    rounds=1, seconds=0.4, near=(Case(100, 64), Case(0, 64)), far=(Case(1000, 64),), gateways=50, peer_gateways=1,
    route53=False,
)  # fmt: skip


def new_names(number: int, count: int) -> range:
    """The part of the zone's names that one of so many cases may ask for the first time."""
    share = (MOST_NAMES - FIRST_NEW) // count
    return range(FIRST_NEW + number * share, FIRST_NEW + (number + 1) * share)


def resolver_rows(paths: Paths, table: Table, sizes: Sizes) -> None:
    """Queries a second, beside the upstream and beside stock."""
    for name, octet, relay, cases in (("near", 1, None, sizes.near), (f"{FAR.round_trip_ms} ms", 2, FAR, sizes.far)):
        targets = paths.upstream(f"u{octet}", octet=octet, relay=relay)
        if any(not case.names for case in cases):
            paths.fill(targets[OURS])
        for number, case in enumerate(cases):
            rounds = paths.measure(targets, case, new_names(number, len(cases)))
            for peer in (DIRECT, STOCK):
                table.add(resolver_row(f"{name}, {case}, {peer}", rounds, peer=peer))


def resolver_row(case: str, rounds: Rounds, *, peer: str, ours: str = OURS) -> Row:
    """A row of one way beside another."""
    mine, other, limit = rounds[ours], rounds[peer], rounds[FLOOR]
    more = {**figures(mine), **figures(other, "peer_"), **figures(limit, "floor_")}
    questions = sum(each.load.answered + each.load.lost + each.load.wrong for each in mine)
    return Row(
        NAME, case, questions, "queries/s", median_rate(mine), median_rate(other), median_rate(limit), more,
        less_is_better=False, paired_ratio=median_ratio(mine, other),
    )  # fmt: skip


def knobs(paths: Paths, table: Table) -> None:
    """What the size of the cache costs where names are new: when it is full, dnsmasq looks through all of it."""
    targets = paths.upstream("u1", octet=1)
    sized = {f"cache {size}": size for size in CACHE_SIZES}
    for way, size in sized.items():
        targets[way] = paths.dnsmasq(partial(_with_cache, size), octet=1)
    for way in (OURS, *sized):
        paths.fill(targets[way])
    rounds = paths.measure(targets, Case(0, 64), new_names(0, 1))
    for way in sized:
        table.add(resolver_row(f"near, new names, 64 at once, {way}", rounds, ours=way, peer=OURS))


def _with_cache(size: int, upstream: str, *, folder: Path, port: int) -> str:
    return with_value(our_text(upstream, folder=folder, port=port), "cache-size", size)


def fleet_rows(fleet: Fleet, table: Table, sizes: Sizes) -> None:
    """Names and addresses for all gateways in one play."""
    for open_provider in (fleet.bind, fleet.route53) if sizes.route53 else (fleet.bind,):
        provider = open_provider()
        steps = fleet.play(provider.name, tasks_of(provider, fleet.store(provider.name)), variables_of(sizes))
        require_changes(steps, sizes.peer_gateways)
        if provider.name == "rfc2136":
            table.add(fleet_row("names allocated, one call each", sizes, steps, "allocate", f"{ONE} allocate"))
            require_zone(fleet.zone(), steps["allocate"].result["names"], sizes.gateways)
        for step, what in (("write", "written"), ("write again", "nothing to do"), ("change", "all changed")):
            case = f"{provider.name} {what}, {provider.peer.rpartition('.')[0]}"
            table.add(fleet_row(case, sizes, steps, step, f"{PEER} {step}"))
        table.add(fleet_row(f"{provider.name} written, one call each", sizes, steps, "write", f"{ONE} write"))


def variables_of(sizes: Sizes) -> dict[str, Any]:
    """The gateways, and the addresses that they have first and then."""
    return {
        "gateways": gateway_names(sizes.gateways, "gateway"),
        "few": gateway_names(sizes.peer_gateways, "single"),
        "first": addresses(sizes.gateways, 0),
        "second": addresses(sizes.gateways, sizes.gateways),
    }


def require_changes(steps: Mapping[str, Step], few: int) -> None:
    """See that each task changed what it had to, no less and no more.

    :raises RuntimeError: naming the one that did not.
    """
    for name, step in steps.items():
        each = few if name.startswith((ONE, PEER)) else 1
        expected = 0 if name.endswith("again") or name in ("warm", TASK_FLOOR) else each
        if step.changed != expected:
            raise RuntimeError(f"the task '{name}' changed {step.changed} times, not {expected}")


def require_zone(zone: Mapping[str, str], names: Mapping[str, Mapping[str, str]], count: int) -> None:
    """See that the zone has what the play was for: each gateway's last address at a name of its own.

    :raises RuntimeError: it has not.
    """
    labels = [names[gateway]["label"] for gateway in gateway_names(count, "gateway")]
    last = [address for (address,) in addresses(count, count)]
    if [zone.get(label) for label in labels] != last or len(set(labels)) != count:
        raise RuntimeError("the zone does not have the last address of every gateway")


def fleet_row(case: str, sizes: Sizes, steps: Mapping[str, Step], step: str, peer: str) -> Row:
    """A row of one step, by the gateway."""
    ours, other, count, few = steps[step], steps[peer], sizes.gateways, sizes.peer_gateways
    more: dict[str, float] = {"seconds": ours.seconds, "peer_n": few}
    if ours.messages is not None and other.messages is not None:
        more |= {"messages_a_gateway": ours.messages / count, "peer_messages_a_gateway": other.messages / few}
    floor = 1000 * steps[TASK_FLOOR].seconds / count
    return Row(NAME, case, count, "ms a gateway", 1000 * ours.seconds / count, 1000 * other.seconds / few, floor, more)


def missing_parts() -> list[str]:
    """Programs and libraries that are not installed."""
    known = {distribution.name for distribution in importlib.metadata.distributions()}
    return [name for name in PROGRAMS if shutil.which(name) is None] + [name for name in LIBRARIES if name not in known]


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


def main() -> None:
    """Measure in namespaces that go away again, also after Ctrl-C."""
    options = parse_options(NAME, __doc__ or "", knobs="what the size of dnsmasq's cache changes")
    if missing := missing_parts():
        sys.exit(f"{' and '.join(missing)} not installed: ./lab installs what is missing")
    signal.signal(signal.SIGTERM, _interrupt)
    sizes, table = QUICK if options.quick else Sizes(), Table(options)
    with tempfile.TemporaryDirectory(prefix="psgb", dir="/tmp") as name, Namespaces(Path(name)) as spaces:
        try:
            paths = Paths(Workshop(Path(name), spaces), sizes.rounds, sizes.seconds)
            if options.knobs:
                knobs(paths, table)
                return
            resolver_rows(paths, table, sizes)
            fleet_rows(Fleet(spaces, Path(name)), table, sizes)
        except KeyboardInterrupt:
            sys.exit("interrupted; the namespaces are gone")


if __name__ == "__main__":
    main()
