# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the matter with a gateway and the ways to it: the rules in their order, oneself first.

Each rule sees what the rules before it have found, so that a cause is named once and not again by its consequences:

- a wrong clock silences certificates that only it makes look expired;
- a full core silences slow tunnels, a UDP limit that only tunnels show, and fixed buffers as the present limit;
- a black hole silences losses of half or more, UDP limits, and tunnels that stall or do not connect;
- blocked UDP silences UDP limits and losses of UDP, and the tunnel over UDP that does not connect;
- lost packets do not silence a UDP limit: random loss slows TCP more than UDP, so that slow UDP beside it is its own;
- reordering silences what only tunnels show; compression silences offload that is off because of it;
- a resolver from DHCP that is ill silences slow names;
- a line that is slow for TCP and UDP alike is nobody's fault, and no finding.

What was measured outside the tunnel is never explained by the process of OpenVPN, which it does not pass.
Nothing that follows from a single run is a verdict. Each rule's own file says the rest.
"""

from __future__ import annotations

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CAUSES,
    CERTAIN,
    FAULT,
    HINT,
    LIKELY,
    POSSIBLE,
    UNKNOWN,
    Finding,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import pairs_of, tcp_rate, usable
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import DIRECTIONS, OUTSIDE, Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_buffers import find_small_buffers
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_channel import (
    find_compression,
    find_offload,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_configuration import (
    find_newer_configurations,
    find_stale_configurations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import Rule
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_cpu import find_cpu
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_dns import (
    find_dhcp_resolver,
    find_leak,
    find_slow_names,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_loss import find_loss
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_mtu import find_black_hole
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_reordering import find_reordering
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_saturation import (
    find_output_saturation,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_sysctl import (
    find_hurtful_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_time import (
    find_clock_skew,
    find_expiry,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_udp_block import find_udp_block
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_udp_limit import find_udp_limit
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_udp_tunnels import (
    find_udp_limit_in_tunnels,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_unknown import find_unknown

RULES: tuple[Rule, ...] = (
    find_clock_skew,
    find_expiry,
    find_cpu,
    find_hurtful_settings,
    find_stale_configurations,
    find_newer_configurations,
    find_dhcp_resolver,
    find_black_hole,
    find_udp_block,
    find_loss,
    find_udp_limit,
    find_reordering,
    find_udp_limit_in_tunnels,
    find_small_buffers,
    find_output_saturation,
    find_compression,
    find_offload,
    find_slow_names,
    find_leak,
    find_unknown,
)
_WEIGHTS = (FAULT, HINT, UNKNOWN)
_CERTAINTIES = (CERTAIN, LIKELY, POSSIBLE)
_NEAR_CEILING = 0.9


def find(observations: Observations) -> tuple[Finding, ...]:
    """What was found: faults, then hints, then what cannot be told; the most certain first. Empty where all is well."""
    found: tuple[Finding, ...] = ()
    for rule in RULES:
        found = (*found, *rule(observations, found))
    return tuple(sorted(found, key=_place))


def _place(finding: Finding) -> tuple[int, int, int, str, str, str]:
    return (
        _WEIGHTS.index(finding.weight),
        _CERTAINTIES.index(finding.certainty),
        CAUSES.index(finding.cause),
        finding.probe,
        finding.direction,
        finding.title,
    )


def describe_scope(observations: Observations) -> tuple[str, ...]:
    """What was looked at, and what was not, a sentence each: what nothing found means."""
    sentences = []
    gateway = observations.gateway
    if gateway.samples:
        seconds = max(one.at for one in gateway.samples) - min(one.at for one in gateway.samples)
        sentences.append(f"The gateway's processor was watched for {wording.duration(max(0.0, seconds))}.")
    else:
        sentences.append("The gateway's processor was not watched.")
    if gateway.clock.synchronised is False:
        sentences.append("Nobody keeps the gateway's clock right.")
    for path in observations.paths:
        sentences.extend(_describe(path))
    if not observations.paths:
        sentences.append("No probe has measured a path: nothing outside the gateway was looked at.")
    return (*sentences, *(f"Not known: {one}" for one in gateway.unknown))


def _describe(path: Path) -> list[str]:
    sent = f"{path.sent_down / 1e6:.0f} MB to it and {path.sent_up / 1e6:.0f} MB from it"
    found = [f"'{path.probe}' measured for {wording.duration(path.seconds)}, {sent}."]
    ceiling = path.ceiling if usable(path.ceiling) else 0.0
    rates = [tcp_rate(path, OUTSIDE, direction) for direction in DIRECTIONS]
    if ceiling > 0 and max((one for one in rates if one is not None), default=0.0) >= _NEAR_CEILING * ceiling:
        found.append(
            f"The path is as fast as the measurement was allowed to be: limits above {wording.rate(ceiling)} were not"
            " looked for. Allow it more bytes to look further."
        )
    for direction, words in zip(DIRECTIONS, ("from the gateway", "to the gateway")):
        rounds = sum(len(pairs) for pairs in pairs_of(path, OUTSIDE, direction).values())
        found.append(f"TCP and UDP {words} were compared outside the tunnel in {rounds} rounds.")
    if not path.tunnels:
        found.append("No tunnel was opened: nothing inside one was looked at.")
    return [*found, *(f"Not measured: {one}" for one in path.unmeasured)]
