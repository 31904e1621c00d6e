"""What a real BIND, and the way to it, can do to an update, and what is said about it then."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dns.flags
import dns.opcode
import pytest
from integration.dns import name_server
from integration.dns.lossy_proxy import FORGE, LOSE_ANSWER, LOSE_QUESTION, PASS, TRUNCATE, LossyProxy, lossy_way_to
from integration.dns.name_server import (
    CONTROLLER,
    GATEWAY,
    STRANGER,
    WILD_ZONE,
    ZONE,
    NameServer,
    free_port,
    new_secret,
)
from integration.dns.runs import have, have_all

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, PartialError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    BadKeyError,
    ForeignRecordError,
    NameServerTimeoutError,
    NoZoneError,
    RefusedError,
)


@pytest.fixture
def lossy(bind: NameServer) -> Iterator[LossyProxy]:
    with lossy_way_to(bind.port) as proxy:
        yield proxy


def through(proxy: LossyProxy, bind: NameServer, **others: Any) -> dict[str, Any]:
    """Updates go through the proxy, and nobody is asked afterwards."""
    return bind.options(servers=[f"127.0.0.1#{proxy.port}"], timeout_seconds=1, verify_seconds=0, **others)


@pytest.mark.parametrize(
    ("others", "kind", "message"),
    [
        ({"key_name": "nobody"}, BadKeyError, "does not know the key 'nobody'"),
        ({"key_algorithm": "hmac-sha512"}, BadKeyError, "with hmac-sha512"),
        ({"key_secret": new_secret()}, BadKeyError, "The secret of the key 'controller' is not the one"),
        ({"zone": "missing.example"}, NoZoneError, "does not hold the zone missing.example"),
        ({"zone": f"child.{ZONE}"}, NoZoneError, f"does not hold the zone child.{ZONE}"),
        ({"servers": ["no-such-host.invalid"]}, NameServerTimeoutError, "No address is known"),
        ({"servers": [f"127.0.0.1#{free_port()}"]}, NameServerTimeoutError, "cannot be reached"),
    ],
)
def test_errors_are_told_apart(bind: NameServer, others: dict[str, Any], kind: type[Exception], message: str) -> None:
    updates = bind.updates()
    with pytest.raises(kind, match=message):
        have(bind.options(**others), "frome", "192.0.2.1")
    assert bind.updates() == updates


def test_the_other_algorithm(bind: NameServer) -> None:
    """Its key is right, so it may ask; the policy does not name it, so it may not write."""
    with pytest.raises(RefusedError, match="refuses the key 'stranger'"):
        have(bind.options(STRANGER), "frome", "192.0.2.1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("*", "is a wildcard"),
        ("frome\n\tA 192.0.2.66", "control character"),
        ("x" * 300, "longer than the 63 characters"),
        ("frome.other.example", "is not in the zone"),
        (ZONE, "is the zone itself"),
    ],
)
def test_hostile_names_reach_nobody(bind: NameServer, lossy: LossyProxy, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        have_all(through(lossy, bind), [{"name": "frome", "addresses": ["192.0.2.1"]}, {"name": name}])
    assert lossy.seen == []


def test_records_of_others(bind: NameServer) -> None:
    """Refused with all that was asked together with them; replaced if that is said."""
    with pytest.raises(ForeignRecordError, match=r"somebody else's: it shows 127.0.0.1, ::1"):
        have_all(bind.options(), [{"name": "frome", "addresses": ["192.0.2.1"]}, {"name": "ns", "state": "absent"}])
    assert (bind.ask("frome"), bind.ask("ns")) == ([], ["127.0.0.1"])
    with pytest.raises(ForeignRecordError, match=f"Other name servers answer for child.{ZONE}"):
        have(bind.options(), "child", "192.0.2.1", overwrite=True)


def test_an_alias_in_the_way(bind: NameServer) -> None:
    _write(bind, "alias", "CNAME", f"ns.{ZONE}.")
    with pytest.raises(ForeignRecordError, match=f"alias.{ZONE} has records of somebody else: CNAME"):
        have(bind.options(), "alias", "192.0.2.1")
    have(bind.options(), "alias", "192.0.2.1", overwrite=True)
    assert bind.ask("alias") == ["192.0.2.1"]


def test_equal_addresses_are_claimed_and_other_texts_stay(bind: NameServer) -> None:
    _write(bind, "equal", "A", "192.0.2.5")
    _write(bind, "equal", "TXT", '"v=spf1 -all"')
    done = have(bind.options(), "equal", "192.0.2.5")
    assert done.changed == (f"equal.{ZONE}",)
    assert bind.ask("equal", "TXT") == ['"heritage=privatespace.gateway"', '"v=spf1 -all"']
    have(bind.options(), "equal")
    assert (bind.ask("equal"), bind.ask("equal", "TXT")) == ([], ['"v=spf1 -all"'])


def test_an_ipv6_server(bind: NameServer) -> None:
    assert have(bind.options(servers=["::1"]), "six", "192.0.2.1").verified is True


def test_the_second_server_answers(bind: NameServer) -> None:
    servers = [f"127.0.0.1#{free_port()}", "localhost"]
    have(bind.options(servers=servers), "second", "192.0.2.1")
    assert bind.ask("second") == ["192.0.2.1"]


def test_an_answer_that_gets_lost(bind: NameServer, lossy: LossyProxy) -> None:
    """The update was carried out, by UDP and by TCP, and nobody said so: what is there is read, and found right."""
    lossy.judge = lambda message: LOSE_ANSWER if message.opcode() == dns.opcode.UPDATE else PASS
    lossy.tcp_judge = lossy.judge
    done = have(through(lossy, bind), "lost", "192.0.2.1")
    assert done.changed == (f"lost.{ZONE}",)
    assert bind.ask("lost") == ["192.0.2.1"]
    assert lossy.updates() == 2


def test_an_update_that_gets_lost(bind: NameServer, lossy: LossyProxy) -> None:
    """It is sent again, as often as anybody could hope that it helps; and then it is said."""
    lossy.judge = lambda message: LOSE_QUESTION if message.opcode() == dns.opcode.UPDATE else PASS
    lossy.tcp_judge = lambda _message: LOSE_QUESTION if lossy.updates() < 5 else PASS
    have(through(lossy, bind), "late", "192.0.2.1")
    assert bind.ask("late") == ["192.0.2.1"]
    lossy.tcp_judge = lossy.judge
    with pytest.raises((PartialError, NameServerTimeoutError), match=r"cannot be reached|did not answer"):
        have(through(lossy, bind), "never", "192.0.2.1")
    assert bind.ask("never") == []


def test_udp_does_not_come_through(bind: NameServer, lossy: LossyProxy) -> None:
    lossy.judge = lambda _message: LOSE_QUESTION
    have(through(lossy, bind), "tcp", "192.0.2.1")
    assert bind.ask("tcp") == ["192.0.2.1"]


def test_a_server_that_says_nothing(bind: NameServer, lossy: LossyProxy) -> None:
    lossy.judge = lossy.tcp_judge = lambda _message: LOSE_QUESTION
    with pytest.raises(NameServerTimeoutError, match=f"The name server 127.0.0.1#{lossy.port}"):
        have(through(lossy, bind), "silent", "192.0.2.1")


def test_an_answer_that_nobody_signed(bind: NameServer, lossy: LossyProxy) -> None:
    """Somebody on the way says that there is no such name: nothing follows from that."""
    lossy.judge = lambda message: FORGE if message.opcode() == dns.opcode.QUERY else PASS
    with pytest.raises(BadKeyError, match="did not sign its answer"):
        have(through(lossy, bind), "ns", "192.0.2.1")
    assert lossy.updates() == 0


def test_a_slow_server(bind: NameServer, lossy: LossyProxy) -> None:
    lossy.delay_seconds = 0.2
    have(through(lossy, bind), "slow", "192.0.2.1")
    assert bind.ask("slow") == ["192.0.2.1"]


def test_answers_that_are_cut(bind: NameServer, lossy: LossyProxy) -> None:
    """By a middle box, or because they are long: the rest is fetched over TCP."""
    lossy.judge = lambda _message: TRUNCATE
    have(through(lossy, bind), "cut", "192.0.2.1")
    assert bind.ask("cut") == ["192.0.2.1"]
    assert "TCP QUERY" in lossy.seen
    lossy.seen.clear()
    lossy.judge = lambda _message: PASS
    have(through(lossy, bind), "big", "192.0.2.1")
    assert bind.ask("big") == ["192.0.2.1"]
    assert lossy.seen.count("TCP QUERY") == 1


def test_two_writers_at_once(bind: NameServer) -> None:
    """Both want another address; each ends with its own written whole, and one of the two stands."""
    have(bind.options(), "race", "192.0.2.1")
    addresses = [[f"192.0.2.{number}", f"2001:db8::{number}"] for number in (10, 11)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda one: have(bind.options(verify_seconds=0), "race", *one), addresses))
    assert [*bind.ask("race"), *bind.ask("race", "AAAA")] in addresses


def test_a_change_between_reading_and_writing_is_seen(bind: NameServer, lossy: LossyProxy) -> None:
    """Somebody takes the free name after it was read: it is theirs."""

    def judge(message: Any) -> str:
        if message.opcode() == dns.opcode.UPDATE and lossy.updates() == 1:
            _write(bind, "taken", "A", "192.0.2.200")
        return PASS

    lossy.judge = judge
    with pytest.raises(ForeignRecordError, match=f"taken.{ZONE} is somebody else's: it shows 192.0.2.200"):
        have(through(lossy, bind), "taken", "192.0.2.1")
    assert bind.ask("taken") == ["192.0.2.200"]
    assert bind.ask("taken", "TXT") == []


def test_a_secondary_that_is_not_told(bind: NameServer, tmp_path: Path) -> None:
    """The record is written and reported, with the server that does not have it."""
    with name_server.running(tmp_path, frozen=True, key_secrets=bind.key_secrets) as stale:
        options = bind.options(verify_servers=[f"127.0.0.1#{bind.port}", f"127.0.0.1#{stale.port}"], verify_seconds=1)
        with pytest.raises(PartialError, match=f"{stale.port} answers for told.{ZONE} with no address") as got:
            have(options, "told", "192.0.2.1")
    assert got.value.results["changed_names"] == [f"told.{ZONE}"]
    assert got.value.results["verified"] is False
    assert bind.ask("told") == ["192.0.2.1"]


def test_many_names_in_few_updates(bind: NameServer) -> None:
    """Three questions a name, and an update for as many as a message holds."""
    records = [
        {"name": f"many{number}", "addresses": [f"192.0.2.{number % 250}", "2001:db8::1"]} for number in range(300)
    ]
    done = have_all(bind.options(), records)
    assert len(done.changed) == 300
    assert done.api_calls <= 3 * 300 + 10
    assert bind.ask("many299") == ["192.0.2.49"]
    assert have_all(bind.options(), records).changed == ()


def test_a_policy_that_lets_a_part_through(bind: NameServer) -> None:
    """One message is carried out whole or not at all."""
    own = GATEWAY.partition(".")[0]
    before = bind.ask(own)
    records = [{"name": own, "addresses": ["192.0.2.77"]}, {"name": "york", "addresses": ["192.0.2.78"]}]
    with pytest.raises(RefusedError, match="refuses the key"):
        have_all(bind.options(GATEWAY), records, claim=False)
    assert bind.ask(own) == before


def test_a_gateway_changes_its_own_addresses_and_nothing_else(bind: NameServer) -> None:
    """Its key may write A and AAAA of one name: that works, and leaves the mark of the controller."""
    own = GATEWAY.partition(".")[0]
    have(bind.options(), own, "192.0.2.1")
    assert have(bind.options(GATEWAY), own, "192.0.2.2", "2001:db8::2", claim=False).changed == (GATEWAY,)
    assert (bind.ask(own), bind.ask(own, "AAAA")) == (["192.0.2.2"], ["2001:db8::2"])
    assert bind.ask(own, "TXT") == ['"heritage=privatespace.gateway"']
    assert have(bind.options(GATEWAY), own, "192.0.2.2", "2001:db8::2", claim=False).changed == ()
    with pytest.raises(RefusedError, match=f"refuses the key '{GATEWAY}' to change 'oxford.{ZONE}'"):
        have(bind.options(GATEWAY), "oxford", "192.0.2.2", claim=False)
    assert bind.ask("oxford") == []


def test_a_wildcard_is_nobody_s_record(bind: NameServer) -> None:
    """It answers for names that do not exist; those are free, and free again once they are removed."""
    options = bind.options(zone=WILD_ZONE)
    assert bind.ask("bude", zone=WILD_ZONE) == ["192.0.2.99"]
    assert have(options, "bude", "192.0.2.1").verified is True
    assert bind.ask("bude", zone=WILD_ZONE) == ["192.0.2.1"]
    assert have(options, "bude", "192.0.2.1").changed == ()
    assert have(options, "bude").verified is True
    assert bind.ask("bude", zone=WILD_ZONE) == ["192.0.2.99"]


def _write(bind: NameServer, name: str, kind: str, value: str) -> None:
    """What somebody else writes, with none of our code."""
    import dns.query
    import dns.rcode
    import dns.tsig
    import dns.update

    key = dns.tsig.Key(dns.name.from_text(CONTROLLER), bind.key_secrets[CONTROLLER], "hmac-sha256")
    update = dns.update.UpdateMessage(f"{ZONE}.", keyring=key)
    update.add(name, 300, kind, value)
    answer = dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR
