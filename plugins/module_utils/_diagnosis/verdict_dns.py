# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: who answers for the gateway, how fast, and whether users' questions leave the tunnel.

Asked outside under the name ``system`` is what the probe uses anyhow, a measure for comparison. Asked in a tunnel it is
what the probe uses while connected; where that is none of the resolvers that the gateway pushed, questions leak. A full
tunnel that pushes no resolver leaks for everybody.

A resolver from DHCP that is slow or silent explains slow names, here and in the tunnel: then it alone is named.
On a path that loses packets, single lost questions are no finding. Where nobody answers anything, the names that were
asked for are at fault (cannot_tell).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CANNOT_TELL,
    CERTAIN,
    DNS_LEAK,
    DNS_SLOW,
    FAULT,
    HINT,
    LIKELY,
    PACKET_LOSS,
    RESOLVER_FROM_DHCP,
    UNKNOWN,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations, Resolver
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.measured import idle_rtt, median, usable
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import OUTSIDE, Lookup, Path, Tunnel
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import Found, known

# Each name is asked for once: what the gateway does not hold yet it asks others for, and the probe's own may hold it.
SLOW_ALONE, SLOW_BESIDE, TIMES_SLOWER = 0.5, 0.25, 3
_UNANSWERED, _UNANSWERED_LOSSY, _FEWEST_UNANSWERED, _FEWEST = 0.25, 0.5, 2, 2
_MOST_LINES = 8


def find_dhcp_resolver(observations: Observations, _found: Found) -> Iterator[Finding]:
    """Resolvers that the gateway took from DHCP."""
    taken = [one for one in observations.gateway.resolvers if one.source == "dhcp"]
    if not taken:
        return
    remedies = [
        Remedy("Have the gateway ask its own dnsmasq, whatever DHCP says.", "dnsmasq_own_resolver", "override"),
        Remedy("Have dnsmasq ask none of the servers of DHCP either.", "dnsmasq_dhcp_upstreams", value=False),
    ]
    if not any(one.source == "dnsmasq" for one in observations.gateway.resolvers):
        remedies.insert(0, Remedy("Run dnsmasq on the gateway.", "dnsmasq_enabled", value=True))
    names = wording.listed([one.address for one in taken])
    yield Finding(
        cause=RESOLVER_FROM_DHCP,
        # One that answers well limits nothing today; somebody may even want it so.
        weight=FAULT if any(_is_ill(one) for one in taken) else HINT,
        certainty=CERTAIN,
        title=f"The gateway asks a name server that DHCP gave it: {names}",
        explanation=(
            "Whoever runs the network of the gateway decides who answers its questions, sees them, and can change that"
            " at any time. A server that DHCP names may be slow, filtered, or gone after a move."
        ),
        evidence=tuple(
            Evidence(f"{one.address} comes from DHCP{_health(one)}.", one.file or "resolver") for one in taken
        ),
        remedies=tuple(remedies),
        gateway=observations.gateway.name,
    )


def _health(one: Resolver) -> str:
    if one.answered is False:
        return " and does not answer"
    return f" and answers in {wording.duration(one.seconds)}" if one.seconds is not None else ""


def _is_ill(one: Resolver) -> bool:
    return one.answered is False or (one.seconds is not None and one.seconds > SLOW_ALONE)


def find_slow_names(observations: Observations, found: Found) -> Iterator[Finding]:
    """Resolvers that are slow or silent, of the gateway and of its tunnels."""
    resolvers = observations.gateway.resolvers
    if any(_is_ill(one) and one.source == "dhcp" for one in resolvers):
        return
    ill = [one for one in resolvers if _is_ill(one)]
    if ill:
        yield _slow_gateway(observations, ill)
    for path in observations.paths:
        yield from _slow_path(observations, path, found)


def _slow_gateway(observations: Observations, ill: list[Resolver]) -> Finding:
    names = wording.listed([one.address for one in ill])
    all_ill = len(ill) == len(observations.gateway.resolvers)
    return Finding(
        cause=DNS_SLOW,
        weight=FAULT if all_ill else HINT,
        certainty=CERTAIN if any(one.answered is False for one in ill) else LIKELY,
        title=f"The gateway's name server {names} answers slowly or not at all",
        explanation="Pages begin late, or not at all, for everybody whose names this gateway looks up.",
        evidence=tuple(Evidence(f"{one.address}{_health(one)}.", one.file or "resolver") for one in ill),
        remedies=_remedies(),
        gateway=observations.gateway.name,
    )


def _remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("Ask all upstreams at once and take the first answer.", "dnsmasq_all_upstreams_at_once", value=True),
        Remedy("Name servers that are near and answer, in dnsmasq_upstreams."),
    )


def _slow_path(observations: Observations, path: Path, found: Found) -> Iterator[Finding]:
    asked = [one for one in path.lookups if one.source == "pushed" and one.place != OUTSIDE]
    others = [one for one in path.lookups if one not in asked]
    if not asked:
        return
    missing = sum(not one.answered for one in asked)
    lossy = known(found, PACKET_LOSS, probe=path.probe)
    silent = missing >= _FEWEST_UNANSWERED and missing / len(asked) >= (_UNANSWERED_LOSSY if lossy else _UNANSWERED)
    if silent and others and not any(one.answered for one in others):
        yield _nobody_answers(observations, path)
    elif silent or _is_slow(path, asked, others):
        yield _slow_tunnel(observations, path, (asked, missing))


def _seconds(lookups: Sequence[Lookup]) -> list[float]:
    return [one.seconds for one in lookups if one.answered and one.seconds is not None and usable(one.seconds)]


def _is_slow(path: Path, asked: list[Lookup], others: list[Lookup]) -> bool:
    taken, beside = _seconds(asked), median(_seconds(others))
    middle = median(taken)
    if middle is None or len(taken) < _FEWEST:
        return False
    beyond = middle - (idle_rtt(path) or 0.0)
    if beside is None:
        return beyond > SLOW_ALONE
    return beyond > SLOW_BESIDE and middle > TIMES_SLOWER * beside


def _slow_tunnel(observations: Observations, path: Path, seen: tuple[list[Lookup], int]) -> Finding:
    asked, missing = seen
    middle = median(_seconds(asked))
    took = f" The others took {wording.duration(middle)}." if middle is not None else ""
    names = wording.listed(sorted({one.resolver for one in asked}))
    return Finding(
        cause=DNS_SLOW,
        weight=FAULT,
        certainty=CERTAIN if missing == len(asked) else LIKELY,
        title=f"Names are looked up slowly in the tunnel (by {names})",
        explanation="Pages begin late although the tunnel itself is fast: each name is waited for first.",
        evidence=(Evidence(f"{missing} of {len(asked)} questions got no answer.{took}", "dns", _rows(asked)),),
        remedies=_remedies(),
        gateway=observations.gateway.name,
        probe=path.probe,
        figures=(("unanswered_share", missing / len(asked)), *((("seconds", middle),) if middle is not None else ())),
    )


def _rows(lookups: Sequence[Lookup]) -> tuple[str, ...]:
    return tuple(
        f"{one.name} at {one.resolver}: "
        + (wording.duration(one.seconds) if one.answered and one.seconds is not None else one.detail or "no answer")
        for one in lookups[:_MOST_LINES]
    )


def _nobody_answers(observations: Observations, path: Path) -> Finding:
    return Finding(
        cause=CANNOT_TELL,
        weight=UNKNOWN,
        certainty=LIKELY,
        title="Whether names are looked up fast cannot be told: no resolver answered, not even outside the tunnel",
        explanation="The names that were asked for may not exist where the probe is, or it has no way to any resolver.",
        evidence=(Evidence(f"{len(path.lookups)} questions, no answer outside.", "dns", _rows(path.lookups)),),
        gateway=observations.gateway.name,
        probe=path.probe,
    )


def find_leak(observations: Observations, _found: Found) -> Iterator[Finding]:
    """Questions that leave the tunnel."""
    for path in observations.paths:
        tunnels = [one for one in path.tunnels if one.connected]
        pushed = {address for one in tunnels for address in one.resolvers}
        strangers = [
            one
            for one in path.lookups
            if one.source == "system" and one.place != OUTSIDE and one.answered and _is_foreign(one.resolver, pushed)
        ]
        bare = [one for one in tunnels if _takes_all(one) and not one.resolvers]
        if bare or (strangers and pushed):
            yield _leak(observations, path, (bare, strangers if pushed else []))


def _takes_all(tunnel: Tunnel) -> bool:
    return any(option.split()[:1] == ["redirect-gateway"] for option in tunnel.pushed)


def _is_foreign(resolver: str, pushed: set[str]) -> bool:
    try:
        # Behind a resolver on the probe itself, nobody knows who is asked.
        return resolver not in pushed and not ipaddress.ip_address(resolver).is_loopback
    except ValueError:
        return False


def _leak(observations: Observations, path: Path, seen: tuple[list[Tunnel], list[Lookup]]) -> Finding:
    bare, strangers = seen
    evidence = [
        Evidence(f"The tunnel over {one.transport.upper()} takes all traffic, and names no resolver.", "openvpn")
        for one in bare
    ]
    if strangers:
        names = wording.listed(sorted({one.resolver for one in strangers}))
        text = f"While connected, '{path.probe}' asks {names}, which the gateway did not name."
        evidence.append(Evidence(text, "dns", _rows(strangers)))
    remedies = []
    if bare:
        remedies.append(Remedy("Have clients ask the gateway.", "openvpn_dns_servers", ["gateway"]))
    if strangers:
        remedies.append(Remedy("Give this user the profile that is made for the platform (openvpn_profile_variants)."))
    return Finding(
        cause=DNS_LEAK,
        weight=FAULT,
        certainty=CERTAIN if bare else LIKELY,
        title="Names are looked up outside the tunnel",
        explanation="Whoever runs the network of the user sees, and may change, which names the user looks up.",
        evidence=tuple(evidence),
        remedies=tuple(remedies),
        gateway=observations.gateway.name,
        probe=path.probe,
    )
