"""Hundreds of noisy worlds: what is planted is found, nothing else is; and no incomplete record breaks a rule.

Noise: the rate of every segment varies with a standard deviation of 5 % (15 % between the extremes of ten, as seen);
one segment in fifty ends with an error; each measurement loses a stray packet now and then.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from unit.diagnosis.observed import LIMIT_DOWN, LIMIT_UP, NOW, World, healthy, observe
from unit.diagnosis.test_verdicts import PAIRS, WORLDS

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CANNOT_TELL,
    CAUSES,
    UNKNOWN,
    Finding,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Path, Segment
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.recommendations import (
    recommend,
    render_variables,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdicts import describe_scope, find

SEEDS = 10
HEALTHY_SEEDS = 240
NOISE, ERRORS = 0.05, 0.02
HEALTHY = [
    World(),
    World(rate=10e6),
    World(rate=1e9, rtt=0.004),
    World(rate=3e6, rtt=0.3),
    World(waiting=0.15),
    World(probe_cpu=0.97),
]


def causes_of(world: World) -> tuple[set[str], tuple[Finding, ...]]:
    found = find(observe(world))
    return {one.cause for one in found}, found


def test_the_confusion_matrix_of_single_causes() -> None:
    named: dict[str, Counter[str]] = {}
    wrong = 0
    for name, (world, planted) in WORLDS.items():
        counter = named.setdefault(name, Counter())
        for seed in range(SEEDS):
            seen, _found = causes_of(replace(world, seed=1000 + seed, noise=NOISE, errors=ERRORS))
            counter.update(seen)
            wrong += seen != {planted}
    for name, counter in named.items():
        print(f"{name:32} {dict(counter)}")
    total = SEEDS * len(WORLDS)
    print(f"right {total - wrong} of {total}")
    assert total >= 300
    assert wrong <= 0.02 * total
    for name, (_world, planted) in WORLDS.items():
        assert named[name][planted] >= SEEDS - 1, name


def test_causes_in_pairs_are_both_found_in_noise() -> None:
    missed: Counter[str] = Counter()
    added: Counter[str] = Counter()
    for name, (world, planted) in PAIRS.items():
        for seed in range(SEEDS):
            seen, _found = causes_of(replace(world, seed=2000 + seed, noise=NOISE, errors=ERRORS))
            missed[name] += planted - seen != set()
            added[name] += seen - planted - {CANNOT_TELL} != set()
    print({"right": SEEDS * len(PAIRS) - (missed + added).total()})
    print({"missed": +missed, "added": +added})
    total = SEEDS * len(PAIRS)
    assert missed.total() + added.total() <= 0.05 * total


def test_no_false_alarm_on_healthy_paths() -> None:
    alarms = []
    for seed in range(HEALTHY_SEEDS):
        world = replace(HEALTHY[seed % len(HEALTHY)], seed=3000 + seed, noise=NOISE, errors=ERRORS)
        _seen, found = causes_of(world)
        alarms += [(seed, one.cause, one.title) for one in found]
    assert alarms == []


def test_with_thrice_the_noise_a_healthy_path_has_no_fault() -> None:
    """Something may be said to be unclear then, but nobody is accused."""
    alarms = []
    unclear = 0
    for seed in range(HEALTHY_SEEDS):
        world = replace(HEALTHY[seed % len(HEALTHY)], seed=4000 + seed, noise=3 * NOISE, errors=ERRORS)
        _seen, found = causes_of(world)
        unclear += any(one.weight == UNKNOWN for one in found)
        alarms += [(seed, one.cause, one.title) for one in found if one.weight != UNKNOWN]
    print(f"unclear {unclear} of {HEALTHY_SEEDS}")
    assert alarms == []
    assert unclear <= 0.1 * HEALTHY_SEEDS


@pytest.mark.parametrize("rate", [5e6, 10e6, 20e6, 50e6])
def test_the_rate_of_a_limit_is_right_within_a_tenth(rate: float) -> None:
    for seed in range(20):
        _seen, found = causes_of(World(limits=(("down", rate),), seed=seed, noise=NOISE))
        (limited,) = [one for one in found if one.cause == "udp_limited"]
        assert dict(limited.figures)["rate_bps"] == pytest.approx(rate, rel=0.1)


# Anything may be missing.

STRANGE: tuple[Any, ...] = (0.0, -1.0, float("nan"), float("inf"), 1e300)
RICH = World(
    limits=(LIMIT_DOWN, LIMIT_UP), loss=0.01, reordering=0.03, depth=900, bad_ids=80, buffers=65536, quota=0.05,
    saturated=400, lookups_lost=0.3, errors=0.1, burstable=True, steal=0.2, probes=("alice", "bob"),
)  # fmt: skip


def thinned(record: Any, chance: random.Random, share: float) -> Any:
    """The record with some of its fields missing, or strange numbers in them."""
    changes: dict[str, Any] = {}
    for entry in fields(record):
        value = getattr(record, entry.name)
        annotation = str(entry.type)
        if chance.random() < share:
            value = missing(annotation, value, chance)
        elif isinstance(value, tuple):
            value = tuple(
                thinned(one, chance, share) if is_dataclass(one) else one
                for one in value
                if chance.random() > share / 4
            )
        elif is_dataclass(value):
            value = thinned(value, chance, share)
        changes[entry.name] = value
    return replace(record, **changes)


def missing(annotation: str, value: Any, chance: random.Random) -> Any:
    if annotation.endswith("| None"):
        return chance.choice((None, None, *STRANGE)) if "float" in annotation else None
    if annotation.startswith("tuple"):
        return ()
    if annotation.startswith("Mapping"):
        return dict.fromkeys(value, "nonsense") if chance.random() < 0.5 else {}
    if annotation == "float":
        return chance.choice(STRANGE)
    return {"int": 0, "str": "", "bool": False}.get(annotation, value)


@pytest.mark.parametrize("seed", range(150))
def test_nothing_that_is_missing_breaks_a_rule(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    world = replace(RICH, seed=seed, blocked=seed % 5 == 0, hole=1400 if seed % 7 == 0 else 0, outside=seed % 3 > 0)
    observations = thinned(observe(world), chance, chance.choice((0.02, 0.1, 0.3, 0.8)))
    found = find(observations)
    assert all(one.cause in CAUSES for one in found)
    assert describe_scope(observations)
    assert render_variables(recommend(found)).startswith("---\n")


def test_empty_records_break_nothing() -> None:
    bare = Path("alice", "gateway1", "", 0.0, 0.0, 0.0)
    gateway = healthy(
        listeners=(), samples=(), logs=(), resolvers=(), foreign_configs=(), expiries=(), sysctl={}, interfaces=()
    ).gateway
    for paths in ((), (bare,), (bare, bare)):
        found = find(Observations(gateway, paths, NOW))
        assert {one.cause for one in found} <= {CANNOT_TELL}
        assert describe_scope(Observations(gateway, paths, NOW))


def test_segments_of_nothing_break_nothing() -> None:
    zero = Segment(1, "outside", "udp", "down", "pair", 0.0, 0.0, 0.0, offered=0.0)
    path = Path("alice", "gateway1", "", 0.0, 0.0, 0.0, segments=(zero, replace(zero, protocol="tcp")))
    find(replace(healthy(), paths=(path,)))
