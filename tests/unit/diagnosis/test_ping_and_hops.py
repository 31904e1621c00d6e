"""Output of ping, mtr and traceroute of Debian 12 and 13, as they printed it, and garbage."""

from __future__ import annotations

import random

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.mtr import parse_mtr, parse_traceroute
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Hop
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.ping import parse_pings

ANSWERED = """PING 10.66.2.2 (10.66.2.2) 56(84) bytes of data.
[1795456113.785111] 64 bytes from 10.66.2.2: icmp_seq=1 ttl=63 time=0.263 ms
[1795456113.985799] no answer yet for icmp_seq=2
[1795456114.189881] 64 bytes from 10.66.2.2: icmp_seq=3 ttl=63 time=20.1 ms
[1795456114.189899] 64 bytes from 10.66.2.2: icmp_seq=3 ttl=63 time=20.2 ms (DUP!)
[1795456114.385799] no answer yet for icmp_seq=4
[1795456114.485799] 64 bytes from 10.66.2.2: icmp_seq=4 ttl=63 time=300 ms

--- 10.66.2.2 ping statistics ---
"""
# The first of Debian 12, the second of both, the third of Debian 13.
OWN_12 = "PING 10.66.2.2 (10.66.2.2) 1472(1500) bytes of data.\nping: local error: message too long, mtu=1400\n"
TOLD = "From 10.66.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)\n"
OWN_13 = "ping: sendmsg: Message too long\n"
TOLD_6 = "From fd00::1 icmp_seq=1 Packet too big: mtu=1400\n"
MTR = """{"report": {"mtr": {"src": "vm", "dst": "10.66.2.2", "tests": 2}, "hubs": [
{"count": 1, "host": "10.66.1.1", "Loss%": 50.0, "Snt": 2, "Last": 0.076, "Avg": 0.125, "Best": 0.065},
{"count": "2", "host": "???", "Loss%": 100.0, "Snt": 2, "Avg": 0.0},
{"count": 3, "host": "10.66.2.2", "Loss%": 0.0, "Snt": 2, "Avg": 12.5}]}}"""
TRACEROUTE = """traceroute to 10.66.2.2 (10.66.2.2), 30 hops max, 60 byte packets
 1  10.66.1.1  0.030 ms * 0.010 ms
 2  * * *
10  2001:db8::1  0.044 ms  0.018 ms  0.028 ms
"""


def test_answers_have_the_moment_at_which_they_were_asked_for() -> None:
    first, second, third, fourth = parse_pings(ANSWERED, interval=0.2).answers
    assert (first.number, first.rtt) == (1, 0.000263)
    assert first.at == pytest.approx(1795456113.784848)
    assert (second.number, second.rtt) == (2, None)
    assert second.at == pytest.approx(1795456113.785799)
    assert third.rtt == 0.0201
    # It came late, but it came.
    assert fourth.rtt == 0.3


@pytest.mark.parametrize(
    ("text", "told", "own"), [(OWN_12, None, 1400), (TOLD, 1400, None), (OWN_13, None, 0), (TOLD_6, 1400, None)]
)
def test_who_names_the_mtu_is_told_apart(text: str, told: int | None, own: int | None) -> None:
    found = parse_pings(text)
    assert (found.told, found.own, found.answered) == (told, own, 0)


def test_what_a_router_says_instead() -> None:
    assert (
        parse_pings("From 10.66.1.1 icmp_seq=1 Destination Net Unreachable\n").refused == "Destination Net Unreachable"
    )


def test_hops_of_both_tools() -> None:
    assert parse_mtr(MTR) == (
        Hop(1, "10.66.1.1", 0.5, 0.000125),
        Hop(2, "", 1.0, None),
        Hop(3, "10.66.2.2", 0.0, 0.0125),
    )
    first, second, third = parse_traceroute(TRACEROUTE)
    assert (first.address, third.number, third.address) == ("10.66.1.1", 10, "2001:db8::1")
    assert first.lost == pytest.approx(1 / 3)
    assert first.rtt == pytest.approx(2e-05)
    assert second == Hop(2, "", 1.0, None)
    assert third.rtt == pytest.approx(3e-05)


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_read_as_nothing_or_less(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    for text in (ANSWERED, OWN_12, TOLD, MTR, TRACEROUTE):
        letters = list(text)
        for _change in range(chance.randrange(1, 30)):
            letters[chance.randrange(len(letters))] = chance.choice("\x00{}[]()=:.,0123456789\n ﬂ-*" + text)
        broken = "".join(letters)[chance.randrange(20) :]
        assert len(parse_pings(broken).answers) <= 5
        assert len(parse_mtr(broken)) <= 3
        assert len(parse_traceroute(broken)) <= 6
