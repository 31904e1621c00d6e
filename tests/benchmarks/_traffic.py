"""Traffic through tunnels, and what it says: rounds in turn, medians, ratios within a round."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from benchmarks._namespaces import Namespaces
from benchmarks._tunnels import SERVER, Tunnel

DIRECTIONS = ("up", "down")
BYTES_A_GB = 1e9
STARTING_SECONDS = 15
# What the client of iperf3 says while its server is still busy with the transfer before.
BUSY = ("server is busy", "control message", "reset by peer")


@dataclass(frozen=True)
class Sample:
    """One transfer, or several at once.

    :param mbit: What arrived, in Mbit/s, TCP payload.
    :param cpu_s_per_gb: What the server process used for a gigabyte in the tunnel; ``None`` without a tunnel.
    :param min_rtt_ms: The least round trip that the sender of the data saw.
    :param mean_rtt_ms: The mean of it, under the load.
    """

    mbit: float
    cpu_s_per_gb: float | None = None
    min_rtt_ms: float | None = None
    mean_rtt_ms: float | None = None


@dataclass(frozen=True)
class Target:
    """Where a transfer goes.

    :param port: Of an iperf3 server, which serves one transfer at a time.
    :param tunnel: Whose server process is watched, if any.
    """

    client: str
    address: str
    port: int
    tunnel: Tunnel | None = None


@dataclass(frozen=True)
class Length:
    """How long a transfer counts, and how much of its beginning does not, in seconds.

    :param idle: Whether only a trickle is sent, so that the round trip is that of the empty path.
    """

    seconds: int
    omitted: int = 0
    idle: bool = False


Rounds = dict[tuple[str, str], list[Sample]]


class BusyError(Exception):
    """The server of iperf3 has not finished the transfer before."""


def parse_iperf(text: str) -> Sample:
    """What the client of iperf3 printed with ``--json``.

    :raises ValueError: nothing arrived, or iperf3 says what went wrong.
    """
    found: dict[str, Any] = json.loads(text)
    if any(word in found.get("error", "") for word in BUSY):
        raise BusyError(found["error"])
    received = found.get("end", {}).get("sum_received", {}).get("bits_per_second", 0)
    if "error" in found or not received:
        raise ValueError(f"iperf3: {found.get('error', 'nothing arrived')}")
    sender = found.get("server_output_json") if found["start"]["test_start"]["reverse"] else found
    stream = sender["end"]["streams"][0]["sender"] if sender else {}
    least, mean = (stream[key] / 1000 if stream.get(key) else None for key in ("min_rtt", "mean_rtt"))
    return Sample(received / 1e6, min_rtt_ms=least, mean_rtt_ms=mean)


def start_sink(spaces: Namespaces, port: int) -> None:
    """An iperf3 server in the namespace of the servers."""
    argv = ["iperf3", "--server", "--json", "--port", str(port)]
    spaces.start(SERVER, argv, folder=spaces.folder, log=spaces.folder / f"iperf3-{port}.log")


def transfer(spaces: Namespaces, target: Target, direction: str, length: Length) -> Sample:
    """One transfer. TCP inside is cubic, whatever the machine prefers."""
    argv = ["iperf3", "--json", "--client", target.address, "--port", str(target.port), "--congestion", "cubic"]
    argv += ["--get-server-output", "--time", str(length.seconds), "--omit", str(length.omitted)]
    argv += [*(["--reverse"] if direction == "down" else []), *(["--bitrate", "1M"] if length.idle else [])]
    seconds = length.seconds + length.omitted + STARTING_SECONDS
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        before = _used(spaces, target.tunnel)
        try:
            sample = parse_iperf(spaces.inside(target.client, *argv, seconds=seconds))
            break
        except BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    after = _used(spaces, target.tunnel)
    return replace(sample, cpu_s_per_gb=_cpu_s_per_gb(before, after))


def transfer_together(spaces: Namespaces, targets: Sequence[Target], direction: str, length: Length) -> Sample:
    """Transfers of several clients at once: the sum, and all server processes taken together."""
    tunnels = {target.tunnel.pid: target.tunnel for target in targets if target.tunnel is not None}
    before = [_used(spaces, tunnel) for tunnel in tunnels.values()]
    with ThreadPoolExecutor(len(targets)) as pool:
        samples = list(pool.map(lambda target: transfer(spaces, target, direction, length), targets))
    after = [_used(spaces, tunnel) for tunnel in tunnels.values()]
    cpu = _cpu_s_per_gb((sum(each[0] for each in before), sum(each[1] for each in before)),
                        (sum(each[0] for each in after), sum(each[1] for each in after)))  # fmt: skip
    return Sample(sum(sample.mbit for sample in samples), cpu)


def _used(spaces: Namespaces, tunnel: Tunnel | None) -> tuple[float, int]:
    return (0, 0) if tunnel is None else (tunnel.cpu_seconds(), spaces.transferred(SERVER, tunnel.device))


def _cpu_s_per_gb(before: tuple[float, int], after: tuple[float, int]) -> float | None:
    carried = after[1] - before[1]
    return (after[0] - before[0]) / (carried / BYTES_A_GB) if carried else None


def in_rounds(
    ways: Mapping[str, Callable[[str], Sample]], *, rounds: int, directions: Sequence[str] = DIRECTIONS
) -> Rounds:
    """Measure all ways in turn, again and again, each round beginning with another one.

    :param ways: What to do for a direction, by name.
    """
    found: Rounds = {(name, direction): [] for name in ways for direction in directions}
    names = list(ways)
    for number in range(rounds):
        start = number % len(names)
        for direction in directions:
            for name in names[start:] + names[:start]:
                found[name, direction].append(ways[name](direction))
    return found


def median_mbit(samples: Sequence[Sample]) -> float:
    """The median of the rates, in Mbit/s."""
    return statistics.median(sample.mbit for sample in samples)


def medians(samples: Sequence[Sample], prefix: str = "") -> dict[str, float]:
    """The medians of what else was measured, by name with its unit."""
    values = {
        "server_cpu_s_per_gb": [sample.cpu_s_per_gb for sample in samples],
        "rtt_in_load_ms": [sample.mean_rtt_ms for sample in samples],
    }
    known = {name: [each for each in found if each is not None] for name, found in values.items()}
    return {f"{prefix}{name}": statistics.median(found) for name, found in known.items() if found}


def median_ratio(ours: Sequence[Sample], peer: Sequence[Sample]) -> float:
    """The median of the ratios of the rounds: what a round suffered from, both did."""
    return statistics.median(mine.mbit / other.mbit for mine, other in zip(ours, peer, strict=True))
