"""The status of a server, and whose sessions are whose."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.sessions import remember, select_sessions
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import (
    Session,
    StatusError,
    parse_status,
)

HEADER = (
    "HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\t"
    "Bytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher"
)


def row(name: str, real: str = "192.0.2.1:5000", virtual: str = "10.91.0.2", client_id: int = 0) -> str:
    return f"CLIENT_LIST\t{name}\t{real}\t{virtual}\t\t10\t20\tdate\t1790000000\tUNDEF\t{client_id}\t0\tAES-256-GCM"


def session(name: str, client_id: int = 0, *, virtual: str = "10.91.0.2") -> Session:
    return Session("udp", name, client_id, f"192.0.2.1:{5000 + client_id}", virtual)


def test_a_status_is_read_by_the_names_of_its_columns() -> None:
    swapped = HEADER.replace("Username\tClient ID", "Client ID\tUsername")
    line = row("alice@laptop").replace("UNDEF\t0", "7\tUNDEF")
    noise = ["TITLE\tOpenVPN 2.6.14", "HEADER\tROUTING_TABLE\tx", "ROUTING_TABLE\t10.91.0.2\talice@laptop"]
    (found,) = parse_status([noise[0], swapped, line + "\r\n", *noise[1:]], listener="udp")
    assert found == Session(
        "udp", "alice@laptop", 7, "192.0.2.1:5000", "10.91.0.2", bytes_received=10, bytes_sent=20,
        connected_since=1790000000,
    )  # fmt: skip


@pytest.mark.parametrize("address", ["udp4:192.0.2.1:5000", "tcp4-server:192.0.2.1:5000", "192.0.2.1:5000"])
def test_newer_versions_name_the_protocol_in_the_address(address: str) -> None:
    (found,) = parse_status([HEADER, row("x", address)], listener="udp")
    assert found.real_address == "192.0.2.1:5000"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["TITLE\tx"],
        [row("alice")],
        [HEADER.replace("Client ID", "Number"), row("alice")],
        [HEADER, "CLIENT_LIST\talice"],
        [HEADER, row("alice").replace("\t10\t", "\tten\t")],
    ],
)
def test_what_is_no_status_is_an_error(lines: list[str]) -> None:
    with pytest.raises(StatusError):
        parse_status(lines, listener="udp")


def test_no_sessions_is_a_status_too() -> None:
    assert parse_status([HEADER], listener="udp") == ()


def test_names_are_compared_whole() -> None:
    sessions = [session("al", 1), session("alice", 2), session("al@ice", 3), session("AL", 4)]
    chosen = select_sessions(sessions, names={"al"}, remembered={}, cut_unnamed=True)
    assert [one.client_id for one in chosen.doomed] == [1]


def test_a_session_is_known_by_the_name_it_had() -> None:
    remembered = remember([session("alice", 1), session("bob", 2)])
    sessions = [session("UNDEF", 1), session("UNDEF", 2)]
    chosen = select_sessions(sessions, names={"alice"}, remembered=remembered, cut_unnamed=True)
    assert [one.client_id for one in chosen.doomed] == [1]


def test_the_number_of_a_session_means_nothing_after_a_restart() -> None:
    remembered = remember([session("alice", 1)])
    other = Session("udp", "UNDEF", 1, "198.51.100.9:1", "10.91.0.9")
    chosen = select_sessions([other], names={"alice"}, remembered=remembered, cut_unnamed=False)
    assert chosen.doomed == ()


@pytest.mark.parametrize(("cut_unnamed", "names", "doomed"), [(True, {"x"}, 1), (False, {"x"}, 0), (True, set(), 0)])
def test_an_unnamed_session_that_carries_data_is_cut_when_asked(
    cut_unnamed: bool, names: set[str], doomed: int
) -> None:
    chosen = select_sessions([session("UNDEF")], names=names, remembered={}, cut_unnamed=cut_unnamed)
    assert (len(chosen.doomed), chosen.pending) == (doomed, ())


def test_everybody_but_some_are_found_by_a_judge() -> None:
    sessions = [session("al", 1), session("alice", 2), session("UNDEF", 3), session("UNDEF", 4, virtual="")]
    remembered = remember([session("al", 3)])
    chosen = select_sessions(
        sessions, names=set(), remembered=remembered, cut_unnamed=True, judge=lambda _session, name: name != "al"
    )
    assert [one.client_id for one in chosen.doomed] == [2]
    assert [one.client_id for one in chosen.pending] == [4]
    nobody = select_sessions([session("UNDEF", 5)], names=set(), remembered={}, cut_unnamed=True, judge=None)
    assert nobody.doomed == ()


def test_where_somebody_is_judged_an_unnamed_session_is_cut_too() -> None:
    chosen = select_sessions(
        [session("UNDEF", 5)], names=set(), remembered={}, cut_unnamed=True, judge=lambda _session, _name: False
    )
    assert [one.client_id for one in chosen.doomed] == [5]


def test_a_handshake_is_nobodys_yet() -> None:
    handshake = session("UNDEF", virtual="")
    chosen = select_sessions([handshake], names={"x"}, remembered={}, cut_unnamed=True)
    assert (chosen.doomed, chosen.pending) == ((), (handshake,))


def test_a_name_is_not_judged_by_a_record_that_is_not_written_yet() -> None:
    handshake, refused = session("alice", 1, virtual=""), session("bob", 2, virtual="")
    chosen = select_sessions(
        [handshake, refused, session("carol", 3)], names=set(), remembered={}, cut_unnamed=True,
        judge=lambda _session, name: name == "bob", awaits_record=True,
    )  # fmt: skip
    assert (chosen.doomed, chosen.pending) == ((refused,), (handshake,))
