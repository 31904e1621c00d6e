"""The pure parts of the throughput benchmark: what is written, what is read, what is computed."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from benchmarks import _recipes as recipes
from benchmarks._namespaces import Relay, stale_namespaces
from benchmarks._rows import Row
from benchmarks._traffic import BusyError, Sample, in_rounds, median_mbit, median_ratio, medians, parse_iperf
from benchmarks._tunnels import Ours

PLACE = recipes.Place("udp", 2001, "tun1", "10.91.1.0 255.255.255.0", "10.77.1.1")


def iperf(*, reverse: int = 0, **more: Any) -> str:
    sender = {"min_rtt": 40000, "mean_rtt": 81000}
    end = {"streams": [{"sender": {} if reverse else sender}], "sum_received": {"bits_per_second": 95.5e6}}
    found: dict[str, Any] = {"start": {"test_start": {"reverse": reverse}}, "end": end, **more}
    if reverse:
        found["server_output_json"] = {"end": {"streams": [{"sender": sender}]}}
    return json.dumps(found)


@pytest.mark.parametrize("reverse", [0, 1])
def test_iperf_is_read_in_both_directions(reverse: int) -> None:
    assert parse_iperf(iperf(reverse=reverse)) == Sample(95.5, min_rtt_ms=40.0, mean_rtt_ms=81.0)


def test_a_transfer_that_brought_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing arrived"):
        parse_iperf(json.dumps({"end": {}}))
    with pytest.raises(ValueError, match="No route to host"):
        parse_iperf(iperf(error="unable to connect: No route to host"))


def test_a_busy_server_is_told_apart() -> None:
    with pytest.raises(BusyError):
        parse_iperf(json.dumps({"error": "the server is busy running a test. try again later"}))


def test_each_round_begins_with_another_way() -> None:
    order: list[str] = []

    def way(name: str, direction: str) -> Sample:
        order.append(name)
        return Sample(float(len(order)))

    found = in_rounds({name: partial(way, name) for name in "abc"}, rounds=2, directions=("up",))

    assert "".join(order) == "abcbca"
    assert [sample.mbit for sample in found["a", "up"]] == [1.0, 6.0]


def test_ratios_are_those_of_the_rounds() -> None:
    ours, peer = [Sample(100), Sample(10), Sample(90)], [Sample(50), Sample(5), Sample(90)]
    assert median_ratio(ours, peer) == 2
    row = Row("throughput", "x", 1, "Mbit/s", median_mbit(ours), median_mbit(peer), 180, less_is_better=False,
              paired_ratio=median_ratio(ours, peer))  # fmt: skip
    assert (row.ratio_to_peer, row.ratio_to_floor) == (2, 2)


def test_medians_leave_out_what_was_not_measured() -> None:
    samples = [Sample(1, cpu_s_per_gb=5), Sample(1, cpu_s_per_gb=7), Sample(1)]
    assert medians(samples, "peer_") == {"peer_server_cpu_s_per_gb": 6}


def test_a_relay_delays_half_the_round_trip_each_way_and_queues_for_as_long_as_asked() -> None:
    assert Relay(40, 100, 20, loss_per_million=5).arguments() == ["20000", "100000000", "250000", "5"]


def test_only_namespaces_of_benchmarks_that_ended_are_stale() -> None:
    names = ["psgb12-s", "psgb13-clean", "psgb13x-s", "other", "psg12-s"]
    assert stale_namespaces(names, [13, 1]) == ["psgb12-s"]


@pytest.mark.parametrize(
    "recipe",
    [recipes.STOCK, recipes.OPENVPN_INSTALL, recipes.FIXED_BUFFERS, recipes.COMPRESSED, recipes.SMALL_MTU],
    ids=lambda recipe: str(recipe.name),
)
def test_a_recipe_is_a_whole_pair_of_files(recipe: recipes.Recipe) -> None:
    server, client = recipes.server_text(recipe, PLACE), recipes.client_text(recipe, PLACE, "one")
    assert {"port 2001", "dev tun1", "server 10.91.1.0 255.255.255.0", *recipe.server} <= set(server.splitlines())
    assert {"remote 10.77.1.1 2001", "cert one.crt", "key one.key", *recipe.client} <= set(client.splitlines())
    assert [line for line in server.splitlines() if line.startswith("tls-crypt")] == [
        line for line in client.splitlines() if line.startswith("tls-crypt")
    ]


def test_stock_tunes_nothing() -> None:
    words = {line.split()[0] for line in recipes.STOCK.server + recipes.STOCK.client}
    assert not words & {"sndbuf", "rcvbuf", "tcp-nodelay", "fast-io", "txqueuelen", "tun-mtu", "mssfix", "compress"}


def test_our_lines_are_left_out_only_if_they_are_there() -> None:
    text = "fast-io\nverb 3\n"
    assert Ours(without=("fast-io",), server=("sndbuf 1",)).change(text) == "verb 3\nsndbuf 1\n"
    with pytest.raises(ValueError, match="not in list"):
        Ours(without=("tcp-nodelay",)).change(text)
