"""Lines of OpenVPN 2.4 to 2.7 are told apart, and nothing that is in a log breaks or slows the reading of it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Buffers
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.openvpn_log import (
    KINDS,
    add_counts,
    count_lines,
    parse_address,
    parse_buffers,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount

LOGS = Path(__file__).with_name("openvpn_logs")
EXPECTED = {
    "2.4-file": {
        "replay_bad_id": 2, "backtrack": 2, "output_saturation": 1, "auth_failed": 1, "crl_expired": 1,
        "tls_handshake_timeout": 1, "tls_error": 2, "decrypt_error": 1, "frag_needed": 1, "bad_lzo": 1,
        "mtu_warning": 1, "ping_restart": 1,
    },
    "2.5-file": {
        "replay_bad_id": 1, "backtrack": 1, "output_saturation": 2, "mbuf_dropped": 1, "auth_failed": 1,
        "certificate_expired": 1, "tls_error": 1, "decrypt_error": 1, "connection_reset": 1, "address_unreachable": 1,
    },
    "2.6-journal": {
        "replay_bad_id": 2, "backtrack": 1, "output_saturation": 1, "auth_failed": 1, "crl_expired": 1,
        "certificate_expired": 1, "tls_error": 3, "frag_needed": 1, "bad_lzo": 1, "mtu_warning": 1,
        "address_unreachable": 2, "ping_restart": 1,
    },
    "2.7-journal": {
        "replay_bad_id": 1, "backtrack": 1, "output_saturation": 1, "auth_failed": 1, "tls_handshake_timeout": 1,
        "tls_error": 1, "decrypt_error": 1, "connection_reset": 1, "ping_restart": 1,
    },
}  # fmt: skip
BUFFERS = {
    "2.4-file": Buffers(212992, 131072, 212992, 131072),
    "2.5-file": Buffers(131072, 393216, 16384, 393216),
    "2.6-journal": Buffers(212992, 212992, 212992, 425984),
    "2.7-journal": Buffers(131072, 131072, 16384, 16384),
}


def lines_of(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text().splitlines()


def counts_of(name: str) -> dict[str, LogCount]:
    return {one.kind: one for one in count_lines(lines_of(name), "udp", True)}


@pytest.mark.parametrize("name", EXPECTED)
class TestRealLines:
    def test_each_kind_is_counted(self, name: str) -> None:
        assert {kind: one.count for kind, one in counts_of(name).items()} == EXPECTED[name]

    def test_buffers_are_read(self, name: str) -> None:
        assert [found for found in map(parse_buffers, lines_of(name)) if found] == [BUFFERS[name]]

    def test_a_count_says_where_when_and_shows_the_newest_line(self, name: str) -> None:
        for one in count_lines(lines_of(name), "tcp", False):
            assert (one.where, one.window) == ("tcp", False)
            assert one.example
            assert one.example[:200] in "\n".join(lines_of(name))


def test_every_kind_is_in_a_fixture() -> None:
    assert {kind for kinds in EXPECTED.values() for kind in kinds} == set(KINDS)


@pytest.mark.parametrize(
    ("name", "kind", "clients"),
    [
        ("2.4-file", "replay_bad_id", ("alice@laptop", "bob")),
        ("2.4-file", "tls_handshake_timeout", ("198.51.100.9:40000",)),
        ("2.4-file", "tls_error", ("198.51.100.9:40000", "198.51.100.10:33333")),
        ("2.4-file", "output_saturation", ()),
        ("2.4-file", "ping_restart", ("bob",)),
        ("2.5-file", "output_saturation", ("carol",)),
        ("2.5-file", "connection_reset", ("carol",)),
        ("2.5-file", "tls_error", ("2001:db8::77",)),
        ("2.5-file", "certificate_expired", ()),
        ("2.6-journal", "replay_bad_id", ("alice@laptop",)),
        ("2.6-journal", "output_saturation", ("bob@phone",)),
        ("2.6-journal", "ping_restart", ("gateway1",)),
        ("2.7-journal", "output_saturation", ("dave",)),
        ("2.7-journal", "tls_error", ("tcp4-server:198.51.100.9:40003",)),
    ],
)
def test_clients_are_named(name: str, kind: str, clients: tuple[str, ...]) -> None:
    assert counts_of(name)[kind].clients == clients


def test_the_deepest_backtrack_wins_and_of_other_figures_the_newest() -> None:
    assert counts_of("2.4-file")["backtrack"].number == 14
    older = "alice/192.0.2.9:1 Replay-window backtrack occurred [21]"
    (found,) = count_lines([older, "PID_ERR replay-window backtrack occurred [20]"], "udp", True)
    assert (found.count, found.number) == (2, 21)
    sizes = [f"write UDPv4 [EMSGSIZE Path-MTU={size}]: Message too long (code=90)" for size in (1280, 1400)]
    assert count_lines(sizes, "udp", True)[0].number == 1400


def test_what_is_no_event_is_not_counted() -> None:
    harmless = ["Initialization Sequence Completed", "", "TLS: soft reset sec=3600", "VERIFY OK: depth=0, CN=alice"]
    assert count_lines(harmless, "udp", True) == ()


def test_counts_of_several_processes_are_added() -> None:
    first, second = (count_lines(lines_of(name), "udp", True) for name in ("2.4-file", "2.5-file"))
    added = {one.kind: one for one in add_counts((*first, *second))}
    assert added["backtrack"].count == 3
    assert added["backtrack"].number == 14
    assert added["replay_bad_id"].clients == ("alice@laptop", "bob")


def garbage(chance: random.Random, real: list[str]) -> str | bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return "".join(chr(chance.choice((chance.randrange(32), chance.randrange(0x3000)))) for _repeat in range(80))
    line = chance.choice(real)
    start, end = sorted((chance.randrange(len(line) + 1), chance.randrange(len(line) + 1)))
    if kind == 2:
        return line[start:end]
    if kind == 3:
        return line[:start] + line[end:] + chance.choice(real)
    if kind == 4:
        return line[:start] + chr(chance.randrange(0xD800)) * chance.randrange(40) + line[start:]
    return bytes(byte ^ (chance.random() < 0.05) for byte in line.encode())


@pytest.mark.parametrize("seed", range(5))
def test_garbage_is_read_without_an_error(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret comes of it
    real = [line for name in EXPECTED for line in lines_of(name)]
    lines = [garbage(chance, real) for _repeat in range(8000)]
    for one in count_lines(lines, "udp", True):
        assert one.kind in KINDS
        assert 1 <= one.count <= len(lines)
        assert len(one.example) <= 400
        assert one.example.isprintable() or not any(ord(char) < 32 for char in one.example)
        assert len(one.clients) <= 50
    for line in lines:
        parse_buffers(line)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1:",
        "[",
        "alice/",
        "::",
        "TLS Error ",
        "SENT CONTROL [",
        " ",
        "1.",
        "Bad ",
        "error: ",
        "9",
        "\x00",
        "from [",
    ],
)
def test_a_line_of_a_megabyte_takes_no_time(piece: str) -> None:
    line = piece * (1_000_000 // len(piece))
    begin = time.monotonic()
    for one in (line, line.encode(), f"{line[:3000]} AEAD Decrypt error: bad packet ID {line}"):
        count_lines([one] * 20, "udp", True)
        parse_buffers(one)
    assert time.monotonic() - begin < 2.0


def test_lines_about_the_probes_are_counted_and_name_nobody() -> None:
    said = "MULTI: packet dropped due to output saturation (multi_process_incoming_tun)"
    lines = [
        f"carol@laptop/203.0.113.5:51234 {said}",
        f"carol@laptop/tcp4-server:[AF_INET]203.0.113.5:51234 {said}",
        f"carol@laptop/[::ffff:203.0.113.5]:51234 {said}",
        f"dave@phone/203.0.113.50:51234 {said}",
        f"erin@desk/2001:db8::5 {said}",
        said,
    ]
    (found,) = count_lines(lines, "tcp", True, is_own=lambda address: str(address) == "203.0.113.5")
    assert (found.count, found.own, found.clients) == (6, 3, ("dave@phone", "erin@desk"))
    (twice,) = add_counts([found, found])
    assert (twice.count, twice.own) == (12, 6)
    (six,) = count_lines(lines[4:], "tcp", True, is_own=lambda address: str(address) == "2001:db8::5")
    assert (six.own, six.clients) == (1, ())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.5", "203.0.113.5"), ("203.0.113.5:1194", "203.0.113.5"), ("[2001:db8::5]:1194", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"), ("udp6:[AF_INET6][2001:db8::5]:1194", "2001:db8::5"),
        ("[AF_INET6]::ffff:203.0.113.5", "203.0.113.5"), ("999.0.113.5:1", None), ("", None), ("carol", None),
    ],
)  # fmt: skip
def test_an_address_is_read_with_or_without_protocol_and_port(text: str, address: str | None) -> None:
    found = parse_address(text)
    assert (None if found is None else str(found)) == address
