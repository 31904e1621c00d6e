# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a resolver is fit to be asked: judged by what it and those behind it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages import ANSWERS

NO_ANSWER = "no answer"
# Where dnsmasq answers.
OWN_ADDRESSES = ("127.0.0.1", "::1")


def require_answer(own: str, upstreams: Mapping[str, str], *, name: str) -> None:
    """Refuse a resolver that does not answer, and say who is to blame.

    :param own: The outcome of a question to dnsmasq on the loopback address; empty where it was not asked.
    :param upstreams: The outcomes of the same question to each upstream.
    :raises StateError: naming every upstream that is dead, or saying that it is not the upstreams.
    """
    dead = dead_upstreams(upstreams)
    if own in ANSWERS or (not own and (not upstreams or len(dead) < len(upstreams))):
        return
    told = f"dnsmasq on 127.0.0.1 was asked for '{name}': {own}." if own else f"Asked for '{name}':"
    if upstreams and len(dead) == len(upstreams):
        raise StateError(
            f"{told} No upstream answers: {'; '.join(dead)}.",
            remedy="Name others, or open the way to them. The gateway's own resolver was not changed.",
        )
    some = f" These upstreams are dead: {'; '.join(dead)}." if dead else " Its upstreams answer this gateway."
    hint = "the clock and DNSSEC of the upstreams" if own == "SERVFAIL" else "journalctl --unit=privatespace-dnsmasq"
    raise StateError(
        f"{told}{some}",
        remedy=f"Look at {hint}. The gateway's own resolver was not changed.",
    )


def others(servers: Sequence[str]) -> list[str]:
    """The servers of a resolv.conf besides dnsmasq, which are asked when it is gone."""
    return [server for server in servers if server not in OWN_ADDRESSES]


def require_other_answer(outcomes: Mapping[str, str], *, name: str) -> None:
    """Refuse to go on without dnsmasq where nobody else answers.

    :param outcomes: What each server of resolv.conf that is not dnsmasq answered.
    :raises StateError: naming them.
    """
    dead = dead_upstreams(outcomes)
    if len(dead) == len(outcomes):
        told = f"No server in it answers: {'; '.join(dead)}." if dead else "It names no server but dnsmasq."
        raise StateError(
            f"Without dnsmasq '{name}' would not be resolved by what /etc/resolv.conf says. {told}",
            remedy="Name a server that answers there, or set 'dnsmasq_probe_name' to a name that it knows.",
        )


def dead_upstreams(upstreams: Mapping[str, str]) -> Sequence[str]:
    """Those that did not answer, each with what happened instead."""
    return [f"{server} ({outcome})" for server, outcome in upstreams.items() if outcome not in ANSWERS]
