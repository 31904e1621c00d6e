"""Packets of DNS as servers send them, cut short, and turned in circles."""

from __future__ import annotations

import struct

import dns.message
import dns.rrset
import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.zone_questions import (
    NS,
    SOA,
    ZoneQuestion,
)

SERVERS = ZoneQuestion("example.net", NS)
HOLDS = ZoneQuestion("example.net", SOA)


def answer(question: ZoneQuestion, *records: str, rcode: int = 0, authoritative: bool = True) -> bytes:
    """What a real server would send, with compressed names."""
    message = dns.message.make_response(dns.message.from_wire(question.packet))
    message.set_rcode(rcode)  # type: ignore[arg-type]
    if authoritative:
        message.flags |= 0x0400
    for record in records:
        message.answer.append(dns.rrset.from_text("example.net.", 60, "IN", "NS", record))
    return message.to_wire()


def test_the_question_is_one() -> None:
    asked = dns.message.from_wire(SERVERS.packet)
    assert str(asked.question[0]) == "example.net. IN NS"


def test_servers_are_named() -> None:
    assert SERVERS.outcome(answer(SERVERS, "ns2.example.net.", "ns1.example.org.")) == "ns1.example.org ns2.example.net"
    assert SERVERS.outcome(answer(SERVERS)) == "no servers"


def test_who_holds_the_zone_says_so_itself() -> None:
    assert HOLDS.outcome(answer(HOLDS)) == "NOERROR"
    assert HOLDS.outcome(answer(HOLDS, authoritative=False)) == "not authoritative"
    assert HOLDS.outcome(answer(HOLDS, rcode=5)) == "REFUSED"


def test_what_is_no_answer_is_nothing() -> None:
    packet = answer(SERVERS, "ns1.example.net.")
    assert SERVERS.outcome(b"") == ""
    assert SERVERS.outcome(SERVERS.packet) == ""
    assert ZoneQuestion("example.net", NS, identifier=1).outcome(packet) == ""


@pytest.mark.parametrize("length", range(12, 60))
def test_what_is_cut_short_does_no_harm(length: int) -> None:
    packet = answer(SERVERS, "ns1.example.net.")
    if length < len(packet):
        assert SERVERS.outcome(packet[:length]) == "an answer that cannot be read"


def test_a_name_that_points_at_itself_ends() -> None:
    header = struct.pack("!6H", SERVERS.identifier, 0x8000, 1, 1, 0, 0)
    assert SERVERS.outcome(header + b"\xc0\x0c" + b"\0" * 8) == "an answer that cannot be read"
