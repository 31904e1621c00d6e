"""The resolver of a gateway: real dnsmasq, stubby and BIND."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.dnsmasq.resolvers import (
    CORP,
    LOCAL_PORT,
    NOBODY,
    OUTSIDE,
    TLS_NAME,
    TLS_PORT,
    TUNNEL,
    WORLD,
    Answer,
    Resolvers,
    command,
    wait_for,
)
from integration.run_module import RunModule

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_formats import parse_listening
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_plan import OWN_UNIT as UNIT
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_plan import require_free_ports
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_sources import HostFiles

LISTENING_SOCKETS = ("ss", "-H", "-l", "-n", "-p", "-t", "-u", "sport = :53")
HOSTS = [{"name": "wiki", "addresses": ["10.20.0.7", "fd00:20::7"]}]
# Nobody signs with it; dnsmasq wants one.
ROOT_KEY = f". IN DS 1 13 2 {'AB' * 32}"
QUERY = "ansible_collections.privatespace.gateway.plugins.module_utils._host.resolver_query"
MESSAGES = "ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages"


@pytest.fixture(scope="module")
def world() -> Iterator[Resolvers]:
    with Resolvers() as resolvers:
        yield resolvers


def test_it_answers_in_the_tunnel_and_on_the_loopback_address_and_nobody_outside(world: Resolvers) -> None:
    right = Answer("NOERROR", ("45.60.70.5",))
    with world.dnsmasq():
        assert world.ask("www.example") == right
        for server in ("127.0.0.1", "::1"):
            assert world.ask("www.example", server=server, where="gateway") == right
        assert world.ask("www.example", server=OUTSIDE, where="world") == Answer("", ())
        assert world.ask("nothing.example").status == "NXDOMAIN"


def test_an_open_connection_over_tcp_does_not_make_dnsmasq_somebody_else(world: Resolvers) -> None:
    """It is a child of dnsmasq that serves it, with the sockets on which dnsmasq listens."""
    opened = (
        "import socket, time; held = socket.create_connection(('127.0.0.1', 53)); print(flush=True); time.sleep(60)"
    )
    with world.dnsmasq():
        pid = world.pid("dnsmasq")
        world.start("held", "gateway", sys.executable, "-c", opened)
        try:
            wait_for("child of dnsmasq", lambda: command("pgrep", "--parent", str(pid), check=False))
            sockets = parse_listening(world.inside("gateway", *LISTENING_SOCKETS))
        finally:
            world.stop("held")
    assert any(len(one.pids) > 1 for one in sockets)
    require_free_ports({UNIT: sockets}, running={UNIT: pid}, host=HostFiles({}))


def test_idle_connections_of_one_client_do_not_end_tcp_for_the_others(world: Resolvers) -> None:
    opened = (
        "import socket, time; held = [socket.create_connection(('10.91.0.1', 53)) for _ in range(25)]; time.sleep(60)"
    )
    with world.dnsmasq(tcp_connections=200):
        pid = world.pid("dnsmasq")
        world.start("held", "client", sys.executable, "-c", opened)
        try:
            wait_for("children", lambda: len(command("pgrep", "--parent", str(pid), check=False).split()) == 25)
            asked = world.inside("client", "dig", f"@{TUNNEL}", "+tcp", "+time=2", "+tries=1", "+short", "www.example")
        finally:
            world.stop("held")
    assert asked.split() == ["45.60.70.5"]


def test_the_tunnel_goes_and_comes_back(world: Resolvers) -> None:
    with world.dnsmasq():
        world.remove_tunnel()
        assert world.ask("www.example", server="127.0.0.1", where="gateway").records
        world.add_tunnel()
        wait_for("answer in the new tunnel", lambda: world.ask("www.example").records)
        assert world.ask("www.example", server=OUTSIDE, where="world").status == ""


def test_a_tunnel_that_is_not_there_yet(world: Resolvers) -> None:
    world.remove_tunnel()
    try:
        with world.dnsmasq():
            world.add_tunnel()
            wait_for("answer in the tunnel", lambda: world.ask("www.example").records)
    finally:
        world.inside("gateway", "ip", "link", "show", "tun-udp")


@pytest.mark.parametrize("at_once", [False, True])
def test_a_dead_upstream_does_not_cost_the_answer(world: Resolvers, at_once: bool) -> None:
    """The client asks once: it is dnsmasq that asks the next one."""
    with world.dnsmasq(upstreams=[NOBODY, WORLD], all_upstreams_at_once=at_once):
        assert world.ask("www.example", seconds=5).records == ("45.60.70.5",)


def test_with_all_upstreams_dead_local_names_are_answered(world: Resolvers) -> None:
    with world.dnsmasq(upstreams=[NOBODY], hosts=HOSTS, local_domain="office.test"):
        assert world.ask("wiki.office.test").records == ("10.20.0.7",)
        assert world.ask("wiki.office.test", "AAAA").records == ("fd00:20::7",)
        assert world.ask("10.20.0.7", "PTR").records == ("wiki.office.test.",)
        assert world.ask("other.office.test").status == "NXDOMAIN"
        assert world.ask("www.example").status in ("", "SERVFAIL")


@pytest.mark.parametrize("name", ["home.example", "self.example"])
def test_private_addresses_from_outside_are_refused(world: Resolvers, name: str) -> None:
    with world.dnsmasq():
        assert world.ask(name).records == ()
    with world.dnsmasq(rebind_protection=False):
        assert len(world.ask(name).records) == 1


def test_exceptions_of_rebind_protection_hold_for_their_domain_only(world: Resolvers) -> None:
    with world.dnsmasq(rebind_domains=["lan.example"]):
        assert world.ask("www.lan.example").records == ("192.168.7.7",)
        assert world.ask("home.example").records == ()


def test_a_split_domain_goes_to_its_server_only_and_may_be_private(world: Resolvers) -> None:
    domains = [{"domain": "corp.test", "servers": [CORP]}, {"domain": "10.20.0.0/16", "servers": [CORP]}]
    with world.dnsmasq(domains=domains):
        assert world.ask("wiki.corp.test").records == ("10.20.0.7",)
        world.ask("10.20.0.7", "PTR")
        asked = [line for line in world.asked().splitlines() if "corp.test" in line or "20.10.in-addr" in line]
        assert len(asked) >= 2
        assert all("view corp" in line for line in asked)


def test_lists_are_read_again_without_a_restart(world: Resolvers, run_module: RunModule) -> None:
    lists = world.folder / "list"
    lists.write_text("0.0.0.0 ads.example\nconf-file=/etc/shadow\nserver=/www.example/10.77.53.4\n")
    given = {"lists": [str(lists)], "path": str(world.folder / "dnsmasq.blocklist"), "kept_domains": ["www.example"]}
    with world.dnsmasq():
        assert world.ask("ads.example").records
        foretold = run_module("dnsmasq_blocklist", given, check=True, diff=True)
        assert foretold.changed
        assert (world.folder / "dnsmasq.blocklist").read_text() == ""
        result = run_module("dnsmasq_blocklist", given)
        assert (result["domains"], result["bad_lines"]) == (1, {str(lists): 2})
        assert not run_module("dnsmasq_blocklist", given).changed
        pid = world.pid("dnsmasq")
        os.kill(pid, signal.SIGHUP)
        wait_for("blocked name", lambda: world.ask("ads.example").status == "NXDOMAIN")
        assert world.ask("x.ads.example", "AAAA").status == "NXDOMAIN"
        assert world.ask("www.example").records == ("45.60.70.5",)
        assert world.pid("dnsmasq") == pid


def test_what_is_signed_wrongly_is_not_answered(world: Resolvers) -> None:
    with world.dnsmasq():
        assert world.ask("www.bogus.test").records == ("45.60.70.66",)
    with world.dnsmasq(dnssec=True, trust_anchors=world.anchors, root_keys=ROOT_KEY):
        assert world.ask("www.signed.test", seconds=5).records == ("45.60.70.7",)
        assert world.ask("www.bogus.test", seconds=5) == Answer("SERVFAIL", ())


@pytest.mark.parametrize(("name", "answers"), [(TLS_NAME, True), ("dns.wrong.test", False)])
def test_stubby_asks_only_whose_certificate_is_for_the_name(world: Resolvers, name: str, answers: bool) -> None:
    with world.stubby(name), world.dnsmasq(tls=True, tls_local_port=LOCAL_PORT):
        before = len(world.asked().splitlines())
        answer = world.ask("www.example", seconds=5)
        assert answer.records == (("45.60.70.5",) if answers else ())
        assert (len(world.asked().splitlines()) > before) is answers


@pytest.mark.parametrize(("name", "words"), [(TLS_NAME, ""), ("dns.wrong.test", "Hostname mismatch")])
def test_why_an_upstream_over_tls_does_not_answer_is_told(world: Resolvers, name: str, words: str) -> None:
    asks = f"greet_over_tls({WORLD!r}, port={TLS_PORT}, name={name!r}, ca_file={str(world.folder / 'tls.crt')!r})"
    told = world.python("gateway", f"from {QUERY} import greet_over_tls; print({asks})")
    assert words in told
    assert bool(told) is bool(words)


@pytest.mark.parametrize(
    ("server", "outcome"),
    [(TUNNEL, "NOERROR"), (WORLD, "NOERROR"), (NOBODY, "no answer"), ("192.0.2.1", "unreachable")],
)
def test_the_proof_tells_who_answers(world: Resolvers, server: str, outcome: str) -> None:
    asks = f"ask_server({server!r}, port=53, question=Question('.'), timeout_seconds=1.5)"
    imports = f"from {QUERY} import ask_server; from {MESSAGES} import Question; "
    with world.dnsmasq():
        assert outcome in world.python("gateway", f"{imports}print({asks})")


def test_a_host_that_names_nobody_but_dnsmasq_does_not_give_it_up(tmp_path: Path, run_module: RunModule) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    given = {"policy": "keep", "root": str(tmp_path), "require_others": True}
    assert "names no server but dnsmasq" in run_module("gateway_resolver", given, fails=True)["msg"]


def test_whoever_is_not_stubby_has_not_its_port(run_module: RunModule) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"tls_local_port": taken.getsockname()[1], "require_stubby": True}
        told = run_module("gateway_resolver", given, check=True, fails=True)["msg"]
        assert "privatespace-stubby.service does not listen where dnsmasq asks it" in told
