"""Each planted cause is named and no other; several at once are all named; what one explains is not named again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.diagnosis.observed import (
    DAY,
    GOOD_SYSCTL,
    LIMIT_DOWN,
    LIMIT_UP,
    MEASURING_PORT,
    NOW,
    OPTIONS,
    World,
    expired,
    foreign,
    healthy,
    observe,
)

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import findings
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    BUFFERS_TOO_SMALL,
    CANNOT_TELL,
    CAUSES,
    CERTAIN,
    CLOCK_SKEW,
    COMPRESSION_COSTS,
    CONFIG_NEWER,
    CPU_BOUND,
    DCO_OFF,
    DNS_LEAK,
    DNS_SLOW,
    EXPIRY,
    FAULT,
    HINT,
    LIKELY,
    MTU_BLACK_HOLE,
    PACKET_LOSS,
    POSSIBLE,
    REORDERING,
    RESOLVER_FROM_DHCP,
    STALE_CONFIG,
    SYSCTL_HURTS,
    TCP_OUTPUT_SATURATION,
    UDP_BLOCKED,
    UDP_LIMITED,
    UNKNOWN,
    Finding,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Clock,
    Machine,
    Observations,
    Resolver,
    Sample,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DOWN,
    OUTSIDE,
    TUNNEL_TCP,
    UDP,
    LogCount,
    Lookup,
    PathMtu,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdicts import describe_scope, find

DHCP = Resolver("192.0.2.53", "dhcp", "/etc/resolv.conf", answered=True, seconds=0.02)
COMPRESSED = {"options": {**OPTIONS["udp"], "compress": "lz4-v2", "allow-compression": "asym"}}
WORLDS: dict[str, tuple[World, str]] = {
    "udp blocked": (World(blocked=True), UDP_BLOCKED),
    "udp limited both ways": (World(limits=(LIMIT_DOWN, LIMIT_UP)), UDP_LIMITED),
    "udp limited down": (World(limits=(LIMIT_DOWN,)), UDP_LIMITED),
    "udp limited up to half": (World(limits=(("up", 50e6),)), UDP_LIMITED),
    "udp limited on a fast path": (World(rate=1e9, rtt=0.005, limits=(("down", 50e6),)), UDP_LIMITED),
    "1 % lost": (World(loss=0.01), PACKET_LOSS),
    "3 % lost on a short way": (World(loss=0.03, rtt=0.005), PACKET_LOSS),
    "reordering within the window": (World(reordering=0.05, depth=300), REORDERING),
    "reordering beyond it": (World(reordering=0.05, depth=800, bad_ids=400), REORDERING),
    "black hole": (World(hole=1400), MTU_BLACK_HOLE),
    "cpu quota": (World(quota=0.05), CPU_BOUND),
    "weak core": (World(core=40e6), CPU_BOUND),
    "others on the core": (World(core=120e6, waiting=0.6), CPU_BOUND),
    "stolen": (World(core=100e6, steal=0.4, burstable=True), CPU_BOUND),
    "output saturation": (World(saturated=300), TCP_OUTPUT_SATURATION),
    "small buffers": (World(buffers=65536), BUFFERS_TOO_SMALL),
    "larger small buffers": (World(buffers=262144), BUFFERS_TOO_SMALL),
    "compression": (World(listener=COMPRESSED), COMPRESSION_COSTS),
    "resolver from DHCP": (World(gateway={"resolvers": (DHCP,)}), RESOLVER_FROM_DHCP),
    "slow names": (World(lookup_seconds=0.9), DNS_SLOW),
    "names lost": (World(lookups_lost=0.9), DNS_SLOW),
    "leak": (World(resolvers=()), DNS_LEAK),
    "stale configuration": (World(gateway=foreign()), STALE_CONFIG),
    "newer configuration": (World(listener={"stale": True}), CONFIG_NEWER),
    "expired CRL": (World(gateway=expired()), EXPIRY),
    "certificate about to expire": (World(gateway=expired("gateway certificate", -3)), EXPIRY),
    "clock": (World(gateway={"clock": Clock(synchronised=False, offset=3600.0, source="ntp")}), CLOCK_SKEW),
    "offload": (World(listener={"dco": "possible", "dco_reason": "the listener was started without it"}), DCO_OFF),
    "sysctl": (World(gateway={"sysctl": {**GOOD_SYSCTL, "net.ipv4.tcp_window_scaling": "0"}}), SYSCTL_HURTS),
    "no measurement outside": (World(outside=False), CANNOT_TELL),
    "no probe": (World(probes=()), CANNOT_TELL),
}
PAIRS: dict[str, tuple[World, set[str]]] = {
    "loss and a limit": (World(loss=0.01, rtt=0.005, limits=(LIMIT_DOWN, LIMIT_UP)), {PACKET_LOSS, UDP_LIMITED}),
    "a quota and a limit": (World(quota=0.05, limits=(LIMIT_DOWN,)), {CPU_BOUND, UDP_LIMITED}),
    "a quota and loss": (World(quota=0.01, loss=0.01, rtt=0.005), {CPU_BOUND, PACKET_LOSS}),
    "a quota and buffers": (World(quota=0.01, buffers=131072), {CPU_BOUND, BUFFERS_TOO_SMALL}),
    "buffers and a limit": (World(buffers=65536, limits=(LIMIT_UP,)), {BUFFERS_TOO_SMALL, UDP_LIMITED}),
    "reordering and loss": (World(reordering=0.05, depth=200, loss=0.02), {REORDERING, PACKET_LOSS}),
    "a hole and loss": (World(hole=1400, loss=0.03), {MTU_BLACK_HOLE, PACKET_LOSS}),
    "a hole and DHCP": (World(hole=1400, gateway={"resolvers": (DHCP,)}), {MTU_BLACK_HOLE, RESOLVER_FROM_DHCP}),
    "blocked and stale": (World(blocked=True, gateway=foreign()), {UDP_BLOCKED, STALE_CONFIG}),
    "blocked and a quota": (World(blocked=True, quota=0.05), {UDP_BLOCKED, CPU_BOUND}),
    "compression and a weak core": (World(core=40e6, listener=COMPRESSED), {COMPRESSION_COSTS, CPU_BOUND}),
    "reordering and a limit": (
        World(reordering=0.05, depth=90, limits=(LIMIT_DOWN, LIMIT_UP)),
        {REORDERING, UDP_LIMITED},
    ),
    "saturation and buffers": (World(saturated=190, buffers=65536), {TCP_OUTPUT_SATURATION, BUFFERS_TOO_SMALL}),
    "expired and sysctl": (
        World(gateway={**expired(), "sysctl": {**GOOD_SYSCTL, "net.ipv4.tcp_sack": "0"}}),
        {EXPIRY, SYSCTL_HURTS},
    ),
}


def causes(found: tuple[Finding, ...]) -> set[str]:
    return {one.cause for one in found}


def only(observations: Observations, cause: str) -> Finding:
    found = find(observations)
    assert causes(found) == {cause}, [one.title for one in found]
    return found[0]


def test_every_cause_is_planted_here() -> None:
    assert {cause for _world, cause in WORLDS.values()} == set(CAUSES)


@pytest.mark.parametrize("name", WORLDS)
def test_the_planted_cause_is_named_and_no_other(name: str) -> None:
    world, cause = WORLDS[name]
    only(observe(world), cause)


@pytest.mark.parametrize("name", PAIRS)
def test_causes_at_once_are_all_named(name: str) -> None:
    world, planted = PAIRS[name]
    assert causes(find(observe(world))) == planted


@pytest.mark.parametrize(
    "world",
    [
        World(),
        World(rate=10e6),
        World(rate=1e9, rtt=0.002),
        World(rate=1e9, rtt=0.2),
        World(rate=2e6, rtt=0.6),
        World(noise=0.12),
        World(errors=0.15, seed=4),
        World(probes=("alice", "bob")),
        World(probe_cpu=1.0),
        World(buffers=2 * 1024 * 1024),
        World(depth=3),
    ],
)
def test_nothing_is_found_on_a_healthy_path(world: World) -> None:
    found = find(observe(world))
    assert found == (), [one.title for one in found]


def test_faults_come_first_and_the_most_certain_of_them() -> None:
    world = World(blocked=True, gateway={**foreign(()), "resolvers": (DHCP,)}, listener={"stale": True, "state": "?"})
    order = [(one.weight, one.certainty) for one in find(observe(world))]
    ranks = [((FAULT, HINT, UNKNOWN).index(weight), (CERTAIN, LIKELY, POSSIBLE).index(sure)) for weight, sure in order]
    assert ranks == sorted(ranks)
    assert find(observe(world)) == find(observe(world))


# UDP


def test_the_rate_that_udp_is_held_to_is_found() -> None:
    found = only(observe(World(limits=(LIMIT_DOWN,))), UDP_LIMITED)
    assert (found.direction, found.certainty) == (DOWN, CERTAIN)
    assert "about 10 Mbit/s" in found.title or "about 9." in found.title
    assert dict(found.figures)["rate_bps"] == pytest.approx(10e6, rel=0.1)
    assert any("round 1: TCP" in row for row in found.evidence[0].lines)


def test_a_port_that_is_not_held_back_is_offered() -> None:
    world = World(limits=(LIMIT_DOWN, LIMIT_UP), limited_ports=(MEASURING_PORT,))
    found = find(observe(world))
    assert causes(found) == {UDP_LIMITED}
    assert f"on port {MEASURING_PORT}" in found[0].title
    assert any("5202 is not held back" in one.text for one in found[0].remedies)


def test_three_rounds_are_not_enough_for_a_mild_limit() -> None:
    observations = observe(World(limits=(("down", 60e6),), noise=0.01))
    path = observations.paths[0]
    path = replace(path, segments=tuple(one for one in path.segments if one.round <= 3))
    found = only(replace(observations, paths=(path,)), CANNOT_TELL)
    assert "only 3 rounds" in found.title


def test_a_sender_that_is_too_slow_is_no_limit() -> None:
    observations = observe(World())
    path = observations.paths[0]
    segments = tuple(
        replace(one, delivered=20e6, lost=0.0) if one.protocol == UDP and one.purpose == "pair" else one
        for one in path.segments
    )
    found = find(replace(observations, paths=(replace(path, segments=segments),)))
    assert causes(found) == {CANNOT_TELL}
    assert "the sender was too slow" in found[0].title


def test_udp_is_never_blamed_for_what_it_was_not_allowed_to_send() -> None:
    observations = observe(World())
    path = observations.paths[0]
    segments = tuple(
        replace(one, offered=8e6, delivered=8e6, lost=0.0) if one.protocol == UDP and one.purpose == "pair" else one
        for one in path.segments
    )
    assert find(replace(observations, paths=(replace(path, segments=segments),))) == ()


def test_the_tunnels_tell_of_a_limit_where_nothing_else_could_be_measured() -> None:
    found = find(observe(World(outside=False, limits=(LIMIT_DOWN,))))
    assert [(one.cause, one.certainty) for one in found] == [(UDP_LIMITED, POSSIBLE), (CANNOT_TELL, LIKELY)]


def test_tunnels_alone_are_not_believed_where_packets_get_lost() -> None:
    """With bbr the TCP listener is many times faster on such a path."""
    observations = observe(World(outside=False, limits=(LIMIT_DOWN,), loss=0.02, rtt=0.005))
    assert UDP_LIMITED not in causes(find(observations))


def test_a_listener_that_does_not_run_is_not_blocked() -> None:
    observations = observe(World(blocked=True))
    listeners = tuple(
        replace(one, state="not_running") if one.transport == "udp" else one for one in observations.gateway.listeners
    )
    found = find(replace(observations, gateway=replace(observations.gateway, listeners=listeners)))
    assert causes(found) == {CANNOT_TELL}
    assert "does not run" in found[0].title


def test_a_handshake_that_was_late_is_not_blocked_udp() -> None:
    """On a path that loses packets it may take longer than the probe waits."""
    observations = observe(World(blocked=True))
    path = observations.paths[0]
    tunnels = tuple(replace(one, answered=one.transport == UDP) for one in path.tunnels)
    found = find(
        replace(observations, paths=(replace(path, tunnels=tunnels, segments=observe(World()).paths[0].segments),))
    )
    assert causes(found) == {CANNOT_TELL}


def test_a_gateway_on_which_no_server_runs_is_not_fine() -> None:
    found = find(healthy(listeners=()))
    assert causes(found) == {CANNOT_TELL}
    assert "no OpenVPN server runs" in found[0].title


def test_a_probe_that_opened_no_tunnel_says_nothing_of_the_vpn() -> None:
    observations = observe(World())
    path = observations.paths[0]
    outside = tuple(one for one in path.segments if one.place == OUTSIDE)
    bare = replace(
        path, tunnels=(), segments=outside, unmeasured=("Nothing was measured inside a tunnel: no profile.",)
    )
    found = only(replace(observations, paths=(bare,)), CANNOT_TELL)
    assert "it opened no tunnel" in found.title
    assert "no profile" in found.evidence[0].text


def test_the_unit_that_runs_a_listener_is_named() -> None:
    found = only(observe(World(listener={"stale": True, "unit": "openvpn@old.service"})), CONFIG_NEWER)
    assert found.remedies[0].command == "systemctl restart openvpn@old.service openvpn@old.service"


def test_a_measuring_port_that_is_closed_for_udp_is_not_blocked_udp() -> None:
    observations = observe(World())
    path = observations.paths[0]
    segments = tuple(replace(one, delivered=0.0, lost=1.0) if one.protocol == UDP else one for one in path.segments)
    found = find(replace(observations, paths=(replace(path, segments=segments),)))
    assert causes(found) == {CANNOT_TELL}
    assert "port 5201" in found[0].title


# The path


def test_half_a_per_cent_in_every_round_is_a_hint() -> None:
    found = only(observe(World(loss=0.0045, rtt=0.002, limits=(("down", 1e12),), seed=1)), PACKET_LOSS)
    assert found.weight == HINT


def test_the_first_router_that_loses_is_named() -> None:
    from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Hop

    observations = observe(World(loss=0.02))
    hops = (Hop(1, "192.0.2.9", 0.3, 0.001), Hop(2, "192.0.2.10", 0.0, 0.004), Hop(3, "192.0.2.11", 0.02, 0.02),
            Hop(4, "", 1.0, None), Hop(5, "192.0.2.1", 0.02, 0.04))  # fmt: skip
    paths = (replace(observations.paths[0], hops=hops),)
    found = find(replace(observations, paths=paths))
    assert "From router 3 (192.0.2.11)" in found[0].evidence[1].text


def test_sockets_that_overflow_are_not_the_path() -> None:
    observations = observe(World(loss=0.02))
    path = observations.paths[0]
    echoes = tuple(replace(one, rtt=one.rtt or 0.04) for one in path.echoes)
    gateway = replace(observations.gateway, udp_errors={"RcvbufErrors": 5000})
    found = find(replace(observations, gateway=gateway, paths=(replace(path, echoes=echoes),)))
    assert [(one.cause, one.direction) for one in found] == [(PACKET_LOSS, "down")]


@pytest.mark.parametrize("depth", [300, 5000])
def test_the_window_to_set_is_twice_the_depth(depth: int) -> None:
    found = only(observe(World(reordering=0.05, depth=depth, bad_ids=50)), REORDERING)
    values = {one.variable: one.value for one in found.remedies if one.variable}
    assert values == {"openvpn_replay_window_packets": 2 * depth}


def test_a_window_that_is_wide_enough_is_left_alone() -> None:
    found = only(observe(World(reordering=0.05, depth=100)), REORDERING)
    assert not [one for one in found.remedies if one.variable]


def test_a_client_that_drops_needs_its_profile_changed() -> None:
    observations = observe(World(reordering=0.05, depth=90))
    logs = (LogCount("replay_bad_id", "client_udp", 80),)
    found = find(replace(observations, paths=(replace(observations.paths[0], logs=logs),)))
    assert any("replay-window 512 15" in one.text for one in found[0].remedies)


def test_an_mtu_that_a_router_names_is_no_black_hole() -> None:
    observations = observe(World())
    told = (PathMtu(OUTSIDE, DOWN, 1400, 1401, 1400, 1500),)
    jumbo = (PathMtu(OUTSIDE, DOWN, 1500, 1501, None, 9001),)
    for mtus in (told, jumbo):
        assert find(replace(observations, paths=(replace(observations.paths[0], mtus=mtus),))) == ()


def test_large_pings_that_vanish_while_all_runs_well_are_a_mere_possibility() -> None:
    observations = observe(World())
    mtus = (PathMtu(OUTSIDE, DOWN, 1400, 1401, None, 1500),)
    found = only(replace(observations, paths=(replace(observations.paths[0], mtus=mtus),)), MTU_BLACK_HOLE)
    assert (found.weight, found.certainty) == (HINT, POSSIBLE)


@pytest.mark.parametrize(("address", "mssfix", "segment"), [("192.0.2.1", 1372, 1288), ("2001:db8::1", 1352, 1268)])
def test_sizes_are_computed_from_the_path(address: str, mssfix: int, segment: int) -> None:
    observations = observe(World(hole=1400))
    paths = (replace(observations.paths[0], address=address),)
    found = only(replace(observations, paths=paths), MTU_BLACK_HOLE)
    values = {one.variable: one.value for one in found.remedies if one.variable}
    assert (values["openvpn_mssfix"], values["openvpn_max_segment_size"]) == (mssfix, segment)


# The gateway's own


def test_what_a_process_did_at_another_time_explains_no_slow_tunnel() -> None:
    observations = observe(World(core=40e6))
    samples = tuple(replace(one, at=one.at - 600) for one in observations.gateway.samples)
    found = find(replace(observations, gateway=replace(observations.gateway, samples=samples)))
    assert CPU_BOUND not in causes(found)


def test_a_quota_is_told_apart_from_a_full_core() -> None:
    quota = only(observe(World(quota=0.05)), CPU_BOUND)
    core = only(observe(World(core=40e6)), CPU_BOUND)
    others = only(observe(World(core=120e6, waiting=0.6)), CPU_BOUND)
    assert "quota" in quota.title
    assert [one.command for one in quota.remedies] == [
        f"systemctl set-property openvpn-server@{name}.service CPUQuota=" for name in ("tcp", "udp")
    ]
    assert {one.variable for one in core.remedies} == {"openvpn_listeners"}
    assert {one.variable for one in others.remedies} == {"openvpn_realtime_scheduling"}


def test_the_listeners_to_set_are_whole() -> None:
    found = only(observe(World(core=40e6)), CPU_BOUND)
    (value,) = [one.value for one in found.remedies if one.variable]
    assert value == [
        {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20", "per_core": True},
        {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20", "per_core": True},
    ]


def test_a_machine_with_one_core_needs_another() -> None:
    found = only(observe(World(core=40e6, gateway={"machine": Machine(1)})), CPU_BOUND)
    assert not any(one.variable for one in found.remedies)
    assert "This machine has one core" in found.remedies[0].text


def test_what_more_cores_would_give_is_said() -> None:
    machine = Machine(2, instance_type="c7i.large")
    found = only(observe(World(core=10e6, gateway={"machine": machine})), CPU_BOUND)
    told = " ".join(one.text for one in found.remedies)
    assert "this c7i.large has 2" in told
    assert "for all users together" in told
    assert "One user alone is still served by one core" in told


def test_credits_that_are_spent_are_named() -> None:
    found = only(observe(World(core=100e6, steal=0.4, burstable=True)), CPU_BOUND)
    assert any("t3.small earns credits" in one.text for one in found.evidence)
    assert any("without credits" in one.text for one in found.remedies)


def test_a_core_that_is_full_costs_nothing_where_the_line_is_slower() -> None:
    assert find(observe(World(rate=30e6, core=40e6))) == ()


def test_waiting_alone_is_no_fault() -> None:
    """On a host with few cores each process waits a little, and sleeps the more."""
    assert find(observe(World(waiting=0.2))) == ()


def test_without_a_probe_a_full_core_is_likely() -> None:
    samples = tuple(Sample(NOW + number / 4, 0.25, "udp", 0.97) for number in range(40))
    found = find(replace(healthy(samples=samples), paths=()))
    assert [(one.cause, one.certainty) for one in found] == [(CPU_BOUND, LIKELY), (CANNOT_TELL, CERTAIN)]


def test_a_receive_buffer_of_the_kernels_own_size_is_fixed_all_the_same() -> None:
    """Asked for 65536, the kernel shows twice that, which is what it has anyhow: the log line shows no change."""
    found = only(observe(World(buffers=65536)), BUFFERS_TOO_SMALL)
    assert {"down", "up"} == {"down" if "from the gateway" in one.text else "up" for one in found.evidence}
    values = {one.variable: one.value for one in found.remedies}
    assert values == {"openvpn_socket_buffer_bytes": 0, "openvpn_measured_path": {}}
    assert dict(found.figures)["cap_bps"] == pytest.approx(9.8e6, rel=0.1)


def test_a_buffer_that_the_kernel_clamped_names_its_limit() -> None:
    sysctl = {**GOOD_SYSCTL, "net.core.wmem_max": "212992"}
    found = only(observe(World(buffers=65536, gateway={"sysctl": sysctl})), BUFFERS_TOO_SMALL)
    assert "openvpn_send_buffer_limit_bytes" in {one.variable for one in found.remedies}


def of_the_probe(observations: Observations) -> Observations:
    """The same, where all lines of the log are about the probe's own client."""
    logs = tuple(replace(one, own=one.count, clients=()) for one in observations.gateway.logs)
    return replace(observations, gateway=replace(observations.gateway, logs=logs))


def losing_low_rate_in_the_tunnel(observations: Observations) -> Observations:
    """The same, where UDP at a quarter of the rate lost packets in the tunnel over TCP, as it did with 2 % lost."""
    path = observations.paths[0]
    low = next(one for one in path.segments if one.purpose == "low_rate" and one.direction == DOWN)
    low = replace(low, place=TUNNEL_TCP, port=0, lost=0.0911, datagrams=4981)
    segments = (*(one for one in path.segments if one.place != TUNNEL_TCP or one.purpose != "low_rate"), low)
    return replace(observations, paths=(replace(path, segments=segments),))


def test_drops_of_the_probes_own_are_not_held_against_the_gateway() -> None:
    """Seen on a healthy path of 40 ms: 54 lines for two transfers of TCP, which find their rate so."""
    assert find(of_the_probe(observe(World(saturated=54)))) == ()
    assert find(of_the_probe(observe(World(saturated=5000)))) == ()


def test_a_low_rate_that_the_tunnel_over_tcp_loses_is_held_against_it() -> None:
    observations = losing_low_rate_in_the_tunnel(of_the_probe(observe(World(saturated=446))))
    assert only(observations, TCP_OUTPUT_SATURATION).certainty == LIKELY


def test_lost_packets_of_the_path_and_a_full_core_explain_what_the_tunnel_over_tcp_loses() -> None:
    lossy = of_the_probe(observe(World(loss=0.02, rtt=0.005, saturated=446)))
    only(losing_low_rate_in_the_tunnel(lossy), findings.PACKET_LOSS)
    only(losing_low_rate_in_the_tunnel(of_the_probe(observe(World(core=40e6, saturated=446)))), CPU_BOUND)


def test_tcp_of_users_finds_its_rate_by_a_few_drops() -> None:
    assert find(observe(World(saturated=100))) == ()
    found = only(observe(World(saturated=101)), TCP_OUTPUT_SATURATION)
    assert found.certainty == CERTAIN
    assert "bob" in found.evidence[0].text


def test_drops_of_others_are_counted_without_those_of_the_probe() -> None:
    observations = observe(World(loss=0.02, rtt=0.005, saturated=800))
    logs = tuple(replace(one, own=500) if one.kind == "output_saturation" else one for one in observations.gateway.logs)
    found = find(replace(observations, gateway=replace(observations.gateway, logs=logs)))
    assert causes(found) == {findings.PACKET_LOSS, TCP_OUTPUT_SATURATION}
    (saturated,) = (one for one in found if one.cause == TCP_OUTPUT_SATURATION)
    assert dict(saturated.figures)["dropped_packets"] == 300


# Names, time, configuration


def test_a_name_that_the_gateway_has_to_ask_for_first_is_not_slow() -> None:
    assert find(observe(World(lookup_seconds=0.2))) == ()


def test_a_resolver_from_dhcp_that_answers_well_limits_nothing_today() -> None:
    weights = [
        only(
            observe(World(gateway={"resolvers": (replace(DHCP, answered=answered, seconds=0.02),)})), RESOLVER_FROM_DHCP
        )
        for answered in (True, False)
    ]
    assert [one.weight for one in weights] == [HINT, FAULT]


def test_a_dead_resolver_from_dhcp_explains_slow_names() -> None:
    dead = replace(DHCP, answered=False, seconds=None)
    only(observe(World(gateway={"resolvers": (dead,)}, lookups_lost=0.9)), RESOLVER_FROM_DHCP)


def test_where_nobody_answers_the_names_are_at_fault() -> None:
    observations = observe(World(lookups_lost=1.0))
    path = observations.paths[0]
    lookups = tuple(replace(one, answered=False, seconds=None) for one in path.lookups)
    found = only(replace(observations, paths=(replace(path, lookups=lookups),)), CANNOT_TELL)
    assert "not even outside" in found.title


def test_a_stranger_that_is_asked_while_connected_is_a_leak() -> None:
    observations = observe(World())
    path = observations.paths[0]
    foreign_lookup = Lookup("198.51.100.53", TUNNEL_TCP, "system", "a.example.net", True, 0.03)
    local = Lookup("127.0.0.53", TUNNEL_TCP, "system", "a.example.net", True, 0.03)
    paths = (replace(path, lookups=(*path.lookups, local)),)
    assert find(replace(observations, paths=paths)) == ()
    paths = (replace(path, lookups=(*path.lookups, foreign_lookup)),)
    assert only(replace(observations, paths=paths), DNS_LEAK).certainty == LIKELY


def test_a_split_tunnel_without_resolvers_leaks_nothing() -> None:
    assert find(observe(World(resolvers=(), pushed=("route 10.0.0.0 255.0.0.0",)))) == ()


@pytest.mark.parametrize("offset", [2 * 365 * DAY, -2 * 365 * DAY])
def test_a_wrong_clock_is_not_taken_for_expiry(offset: float) -> None:
    observations = replace(
        observe(World(gateway={"clock": Clock(synchronised=False, offset=offset, source="ntp")})), now=NOW + offset
    )
    assert only(observations, CLOCK_SKEW).weight == FAULT


def test_a_clock_that_nobody_keeps_right_and_that_is_right_is_no_finding() -> None:
    observations = healthy(clock=Clock(synchronised=False, offset=None))
    assert find(observations) == ()
    assert "Nobody keeps the gateway's clock right." in describe_scope(observations)


def test_a_probe_whose_clock_is_wrong_is_a_hint() -> None:
    observations = observe(World())
    paths = (replace(observations.paths[0], clock_offset=40.0),)
    found = only(replace(observations, paths=paths), CLOCK_SKEW)
    assert (found.weight, found.probe) == (HINT, "alice")


def test_an_expired_crl_is_a_hint_where_serial_numbers_are_asked() -> None:
    options = {**OPTIONS["udp"], "crl-verify": "/etc/openvpn/revoked dir"}
    assert only(observe(World(gateway=expired(), listener={"options": options})), EXPIRY).weight == HINT


def test_a_short_crl_is_not_called_late_in_its_first_days() -> None:
    from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Expiry

    crl = Expiry("CRL", "/crl.pem", NOW + 4 * DAY, NOW - DAY)
    assert find(healthy(expiries=(crl,))) == ()


def test_a_foreign_file_that_nothing_would_read_is_no_finding() -> None:
    assert find(observe(World(gateway=foreign((), starts=False)))) == ()


def test_offload_that_is_off_because_of_compression_is_named_once() -> None:
    listener = {**COMPRESSED, "dco": "possible", "dco_reason": "the configuration says 'compress lz4-v2'"}
    only(observe(World(listener=listener)), COMPRESSION_COSTS)


@pytest.mark.parametrize("value", ["stub", "stub-v2", "migrate", ""])
def test_framing_packs_nothing(value: str) -> None:
    assert find(observe(World(listener={"options": {**OPTIONS["udp"], "compress": value}}))) == ()


@pytest.mark.parametrize(
    ("key", "value", "variable"),
    [
        ("net.ipv4.ip_forward", "0", "openvpn_sysctl_managed"),
        ("net.ipv4.tcp_rmem", "4096 87380 262144", "openvpn_sysctl"),
        ("net.core.netdev_max_backlog", "10", "openvpn_netdev_backlog"),
        ("net.core.rmem_max", "65536", "openvpn_receive_buffer_limit_bytes"),
    ],
)
def test_settings_of_the_kernel_have_their_variable(key: str, value: str, variable: str) -> None:
    found = only(observe(World(gateway={"sysctl": {**GOOD_SYSCTL, key: value}})), SYSCTL_HURTS)
    assert {one.variable for one in found.remedies} == {variable}
    assert key in found.title


# What cannot be told


def test_the_port_that_gave_no_figures_is_named() -> None:
    observations = observe(World())
    path = observations.paths[0]
    segments = tuple(
        replace(one, delivered=0.0, error="unable to connect to server: Connection refused")
        if one.place == OUTSIDE
        else one
        for one in path.segments
    )
    found = only(replace(observations, paths=(replace(path, segments=segments),)), CANNOT_TELL)
    assert "on port 5201" in found.title
    assert "Connection refused" in found.evidence[0].text


def test_a_probe_that_is_full_is_the_reason() -> None:
    observations = observe(World(core=40e6, probe_cpu=0.99))
    idle = tuple(replace(one, cpu=0.1) for one in observations.gateway.samples)
    found = find(replace(observations, gateway=replace(observations.gateway, samples=idle)))
    assert causes(found) == {CANNOT_TELL}
    assert all("the probe's own processor was full (99 %)" in one.title for one in found)


def test_a_tunnel_that_was_refused_says_why() -> None:
    observations = observe(World())
    path = observations.paths[0]
    tunnels = tuple(replace(one, connected=False, error="The server refused the certificate.") for one in path.tunnels)
    segments = tuple(one for one in path.segments if one.place == OUTSIDE)
    logs = (LogCount("tls_error", "udp", 2, example="VERIFY ERROR: depth=0, error=unsupported purpose"),)
    paths = (replace(path, tunnels=tunnels, segments=segments, logs=logs),)
    found = find(replace(observations, paths=paths))
    assert causes(found) == {CANNOT_TELL}
    assert "refused the certificate" in found[0].title
    assert "VERIFY ERROR" in found[0].evidence[0].text


def test_the_scope_says_what_was_not_looked_for() -> None:
    words = " ".join(describe_scope(observe(World(rate=1e9))))
    assert "limits above 84 Mbit/s were not looked for" in words
    assert "not looked for" not in " ".join(describe_scope(observe(World(rate=10e6))))
    alone = " ".join(describe_scope(replace(healthy(unknown=("sysctl is not readable",)), paths=())))
    assert "No probe has measured" in alone
    assert "Not known: sysctl is not readable" in alone


def test_texts_are_sentences_with_their_numbers() -> None:
    for world, _cause in WORLDS.values():
        for one in find(observe(world)):
            texts = [one.explanation, *(part.text for part in one.evidence), *(part.text for part in one.remedies)]
            assert all(text[:1].isupper() or text[:1] in "'/0123456789" for text in texts if text[:3] != "net"), texts
            assert all(text.rstrip().endswith((".", ")")) for text in texts), texts
            assert all("None" not in text and "nan" not in text.split() for text in [one.title, *texts])
            assert one.evidence or one.cause == findings.CANNOT_TELL
            assert one.gateway == "gateway1"


# What explains something else


def test_a_process_that_is_not_full_is_not_the_limit() -> None:
    observations = observe(World(core=40e6))
    half = tuple(replace(one, cpu=one.cpu * 0.6) for one in observations.gateway.samples)
    found = find(replace(observations, gateway=replace(observations.gateway, samples=half)))
    assert causes(found) == {CANNOT_TELL}


def test_reordering_explains_a_tunnel_that_looks_limited() -> None:
    world = World(outside=False, limits=(LIMIT_DOWN,), bad_ids=50, listener={"octets": 20_000_000})
    assert causes(find(observe(world))) == {REORDERING, CANNOT_TELL}


def test_a_few_packets_that_come_twice_among_many_users_are_no_reordering() -> None:
    assert find(observe(World(bad_ids=50))) == ()


def test_buffers_are_not_at_fault_where_a_full_core_allows_as_little() -> None:
    found = find(observe(World(buffers=65536, quota=0.0165)))
    assert CPU_BOUND in causes(found)
    assert [one.weight for one in found if one.cause == BUFFERS_TOO_SMALL] in ([], [HINT])


def test_compression_is_a_fault_where_the_core_is_full() -> None:
    weights = {one.cause: one.weight for one in find(observe(World(core=40e6, listener=COMPRESSED)))}
    assert weights[COMPRESSION_COSTS] == FAULT
    assert only(observe(World(listener=COMPRESSED)), COMPRESSION_COSTS).weight == HINT


def test_the_log_of_a_wrong_clock_is_not_believed() -> None:
    logs = (LogCount("crl_expired", "udp", 4, example="VERIFY ERROR: CRL has expired"),)
    assert only(healthy(logs=logs), EXPIRY).weight == FAULT
    only(healthy(logs=logs, clock=Clock(synchronised=False, offset=4e6, source="ntp")), CLOCK_SKEW)
    older = (replace(logs[0], window=False),)
    assert find(healthy(logs=older)) == ()


@pytest.mark.parametrize(("loss", "cause"), [(0.0, DNS_SLOW), (0.02, PACKET_LOSS)])
def test_single_questions_may_get_lost_where_packets_do(loss: float, cause: str) -> None:
    observations = observe(World(loss=loss))
    path = observations.paths[0]
    pushed = [one for one in path.lookups if one.source == "pushed"]
    lookups = tuple(replace(one, answered=False, seconds=None) if one in pushed[:2] else one for one in path.lookups)
    only(replace(observations, paths=(replace(path, lookups=lookups),)), cause)
