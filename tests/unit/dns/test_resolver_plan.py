"""Overriding, putting back, and refusing to: decided on plain values."""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_formats import (
    Listening,
    parse_listening,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_messages import Question, is_response
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_plan import (
    Memory,
    Step,
    own_ports,
    plan_resolver,
    render_resolv_conf,
    require_free_ports,
    require_no_foreign_unit,
    require_stubby,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_proof import (
    others,
    require_answer,
    require_other_answer,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.resolver_sources import (
    DHCLIENT_HOOK,
    MARKER,
    RESOLVED_DROP_IN,
    HostFiles,
)

RESOLV_CONF, MEMORY = "/etc/resolv.conf", "/var/lib/privatespace/resolver.json"
DNSMASQ, STUBBY = "privatespace-dnsmasq.service", "privatespace-stubby.service"
STUB = "../run/systemd/resolve/stub-resolv.conf"
BEFORE = {RESOLV_CONF: "nameserver 127.0.0.53\n", "/etc/dhcpcd.enter-hook": "echo mine\n"}
BEFORE_LINKS = {RESOLV_CONF: STUB}


def host(texts: dict[str, str], links: dict[str, str]) -> HostFiles:
    programs = frozenset({"/sbin/dhclient", "/usr/sbin/dhcpcd"})
    return HostFiles(texts, links, programs, frozenset({"systemd-resolved"}))


def carried_out(texts: dict[str, str], links: dict[str, str], policy: str, **more: Any) -> tuple[Any, Any, Any]:
    """What a run leaves, and its change."""
    change = plan_resolver(host(texts, links), policy=policy, memory=Memory(MEMORY, texts.get(MEMORY)), **more)
    texts, links = dict(texts), dict(links)
    for step in change.steps:
        if step.kind == "write":
            texts[step.path] = step.content
            links.pop(step.path, None)
        elif step.kind == "link":
            links[step.path] = step.content
            texts[step.path] = BEFORE[RESOLV_CONF]
        elif step.kind == "remove":
            texts.pop(step.path, None)
            links.pop(step.path, None)
    return texts, links, change


@pytest.mark.parametrize("undo", ["keep", "report"])
def test_overriding_twice_changes_once_and_undoing_leaves_exactly_what_was_there(undo: str) -> None:
    texts, links, change = carried_out(BEFORE, BEFORE_LINKS, "override", search=["corp.example"])
    assert change.steps[0].path == MEMORY
    assert change.steps[1] == Step("write", RESOLV_CONF, render_resolv_conf(["corp.example"]))
    assert change.steps[-1] == Step("reload", "systemd-resolved")
    assert texts["/etc/dhcpcd.enter-hook"].startswith(f"echo mine\n{MARKER}\n")
    assert {RESOLVED_DROP_IN, DHCLIENT_HOOK} <= set(texts)
    assert links == {}
    assert change.before != change.after

    again = carried_out(texts, links, "override", search=["corp.example"])[2]
    assert (again.needed, again.before) == (False, again.after)
    assert {one["manager"] for one in again.result["sources"]} == {"dhclient", "dhcpcd", "systemd-resolved"}

    texts, links, undone = carried_out(texts, links, undo)
    assert (texts, links) == (BEFORE, BEFORE_LINKS)
    assert undone.steps[-1] == Step("reload", "systemd-resolved")
    assert not carried_out(texts, links, undo)[2].needed


def test_a_resolv_conf_that_somebody_wrote_meanwhile_is_theirs() -> None:
    texts, links, _change = carried_out(BEFORE, BEFORE_LINKS, "override")
    texts[RESOLV_CONF] = "nameserver 10.0.0.2\n"
    kept = carried_out(texts, links, "keep")[0]
    assert kept[RESOLV_CONF] == "nameserver 10.0.0.2\n"
    assert MEMORY not in kept
    overridden = carried_out(texts, links, "override")[0]
    assert json.loads(overridden[MEMORY]) == {"text": "nameserver 10.0.0.2\n", "link": None}


def test_where_there_was_no_resolv_conf_there_is_none_again() -> None:
    texts, links, _change = carried_out({}, {}, "override")
    assert carried_out(texts, links, "keep")[:2] == ({}, {})


def test_a_source_that_is_gone_takes_its_file_along() -> None:
    texts, links, _change = carried_out(BEFORE, BEFORE_LINKS, "override")
    change = plan_resolver(HostFiles(texts, links), policy="override", memory=Memory(MEMORY, texts[MEMORY]))
    assert Step("remove", DHCLIENT_HOOK) in change.steps
    assert Step("remove", RESOLVED_DROP_IN) in change.steps


def test_reporting_changes_nothing_and_tells_every_source() -> None:
    change = plan_resolver(host(BEFORE, BEFORE_LINKS), policy="report", memory=Memory(MEMORY, None))
    assert not change.needed
    assert change.result["messages"][0] == (
        f"resolv.conf: /etc/resolv.conf is a link to {STUB} (127.0.0.53): left alone"
    )
    assert len(change.result["messages"]) == 4


def test_what_dhcp_gave_is_still_known_when_resolv_conf_is_ours() -> None:
    texts, links, change = carried_out({RESOLV_CONF: "nameserver 10.0.0.2\n"}, {}, "override")
    assert change.result["network_servers"] == ["10.0.0.2"]
    assert carried_out(texts, links, "override")[2].result["network_servers"] == ["10.0.0.2"]


def test_a_damaged_memory_is_told() -> None:
    ours = {RESOLV_CONF: render_resolv_conf([]), MEMORY: "{"}
    with pytest.raises(StateError, match="damaged"):
        carried_out(ours, {}, "keep")


NETWORK = "/etc/systemd/network/20-lan.network"
NETWORKD_HOST = frozenset({"systemd-networkd", "systemd-resolved"})


@pytest.mark.parametrize("undo", ["keep", "report"])
def test_undoing_has_networkd_read_its_files_before_those_that_ask_it_and_overriding_does_not(undo: str) -> None:
    texts = {NETWORK: "[Network]\nDHCP=yes\n", RESOLV_CONF: "nameserver 127.0.0.53\n"}
    change = plan_resolver(HostFiles(texts, units=NETWORKD_HOST), policy="override", memory=Memory(MEMORY, None))
    assert [step.path for step in change.steps if step.kind == "reload"] == ["systemd-resolved"]
    texts |= {step.path: step.content for step in change.steps if step.kind == "write"}
    assert f"{NETWORK}.d/zz-privatespace.conf" in texts
    undone = plan_resolver(HostFiles(texts, units=NETWORKD_HOST), policy=undo, memory=Memory(MEMORY, texts[MEMORY]))
    assert [step.path for step in undone.steps if step.kind == "reload"] == ["systemd-networkd", "systemd-resolved"]
    assert undone.steps[-2:] == (Step("reload", "systemd-networkd"), Step("reload", "systemd-resolved"))


LEASE = {"/run/systemd/netif/leases/2": "DNS=10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5\n"}
NAMED = {"/etc/systemd/resolved.conf": "[Resolve]\nDNS=10.0.0.9\n"}


@pytest.mark.parametrize(("found", "servers"), [(LEASE, ["10.0.0.2", "10.0.0.3", "10.0.0.4"]), (NAMED, ["10.0.0.9"])])
def test_without_its_memory_undoing_names_the_servers_of_the_network(found: dict[str, str], servers: list[str]) -> None:
    texts = {**found, RESOLV_CONF: render_resolv_conf([])}
    undone, _links, _change = carried_out(texts, {}, "keep")
    assert undone == {**found, RESOLV_CONF: "".join(f"nameserver {server}\n" for server in servers)}
    assert not carried_out(undone, {}, "keep")[2].needed


def test_without_its_memory_and_any_server_undoing_is_refused_and_overriding_is_not() -> None:
    texts = {RESOLV_CONF: render_resolv_conf([])}
    with pytest.raises(StateError, match=r"resolver\.json is gone") as refused:
        carried_out(texts, {}, "keep")
    assert "nameserver ADDRESS" in str(refused.value)
    carried_out(texts, {}, "override")


def test_dnsmasq_is_not_given_up_where_nobody_else_answers() -> None:
    assert others(["127.0.0.1", "::1", "127.0.0.53", "10.0.0.2"]) == ["127.0.0.53", "10.0.0.2"]
    require_other_answer({"10.0.0.2#53": "no answer", "10.0.0.3#53": "NXDOMAIN"}, name=".")
    with pytest.raises(StateError, match=r"10\.0\.0\.2#53 \(SERVFAIL\)"):
        require_other_answer({"10.0.0.2#53": "SERVFAIL"}, name=".")
    with pytest.raises(StateError, match="names no server but dnsmasq"):
        require_other_answer({}, name=".")


@pytest.mark.parametrize(("running", "enabled"), [({"dnsmasq.service"}, set()), (set(), {"stubby.service"})])
def test_a_packages_own_resolver_is_refused_with_the_command(running: set[str], enabled: set[str]) -> None:
    with pytest.raises(StateError, match=r"systemctl disable --now (dnsmasq|stubby)"):
        require_no_foreign_unit(running=running, enabled=enabled)


@pytest.mark.parametrize("address", ["0.0.0.0", "*", "127.0.0.1", "::1", "::"])
def test_whoever_else_has_the_port_is_named(address: str) -> None:
    with pytest.raises(StateError, match=r"'named' \(process 7\) listens on"):
        require_free_ports({DNSMASQ: [Listening(address, "named", (7,))]}, running={DNSMASQ: 8}, host=HostFiles({}))


def test_our_own_dnsmasq_and_the_stub_of_systemd_are_no_conflict() -> None:
    require_no_foreign_unit(running={"privatespace-dnsmasq.service"}, enabled=set())
    sockets = [Listening("127.0.0.1", "dnsmasq", (8,)), Listening("127.0.0.53", "systemd-resolve", (9,))]
    require_free_ports({DNSMASQ: sockets}, running={DNSMASQ: 8}, host=HostFiles({}))


def test_a_child_of_our_own_dnsmasq_that_answers_over_tcp_is_no_conflict() -> None:
    line = 'tcp LISTEN 0 32 127.0.0.1:53 0.0.0.0:* users:(("dnsmasq",pid=9,fd=6),("dnsmasq",pid=8,fd=6))'
    require_free_ports({DNSMASQ: parse_listening(line)}, running={DNSMASQ: 8}, host=HostFiles({}))
    with pytest.raises(StateError, match=r"'dnsmasq' \(process 9, 8\) listens on"):
        require_free_ports({DNSMASQ: parse_listening(line)}, running={DNSMASQ: 7}, host=HostFiles({}))


def test_only_stubby_may_wait_where_dnsmasq_asks_it() -> None:
    assert (own_ports(0), own_ports(5335)) == ({DNSMASQ: 53}, {DNSMASQ: 53, STUBBY: 5335})
    lines = 'tcp LISTEN 0 9 127.0.0.1:5335 0.0.0.0:* users:(("{}",pid={},fd=3))'
    own, other = parse_listening(lines.format("stubby", 8)), parse_listening(lines.format("unbound", 7))
    require_free_ports({STUBBY: own}, running={STUBBY: 8}, host=HostFiles({}))
    told = r"'unbound' \(process 7\) listens on 127\.0\.0\.1 port 5335, where privatespace-stubby\.service has to"
    with pytest.raises(StateError, match=told):
        require_free_ports({DNSMASQ: (), STUBBY: other}, running={}, host=HostFiles({}))
    require_stubby({STUBBY: own}, running={STUBBY: 8})
    # A unit that starts again and again has no process, or one without the socket.
    for sockets, running in ((other, {}), (other, {STUBBY: 0}), (other, {STUBBY: 8}), ((), {STUBBY: 8}), ((), {})):
        with pytest.raises(StateError, match="journalctl --unit=privatespace-stubby"):
            require_stubby({STUBBY: sockets}, running=running)


def test_a_second_stub_listener_is_refused_with_its_file() -> None:
    path = "/etc/systemd/resolved.conf"
    one = host({path: "[Resolve]\nDNSStubListenerExtra=0.0.0.0\n"}, {})
    with pytest.raises(StateError, match=re.escape(path)):
        require_free_ports({}, running={}, host=one)


def test_a_question_and_its_answer() -> None:
    question = Question("Name.example", identifier=7)
    assert question.packet == struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\x04Name\x07example\x00\x00\x01\x00\x01"
    assert Question(".").packet[12:] == b"\x00\x00\x02\x00\x01"
    for code, word in ((0, "NOERROR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (9, "the code 9")):
        assert question.outcome(struct.pack("!6H", 7, 0x8180 | code, 1, 0, 0, 0)) == word
    for other in (b"", struct.pack("!6H", 8, 0x8180, 1, 0, 0, 0), question.packet):
        assert question.outcome(other) == ""


@pytest.mark.parametrize("name", ["", "a\nb", "*.example", f"{'a' * 300}.example"])
def test_a_question_that_cannot_be_asked_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        Question(name)


def test_who_is_to_blame_is_told() -> None:
    require_answer("NXDOMAIN", {"9.9.9.9#53": "no answer"}, name=".")
    with pytest.raises(
        StateError, match=r"No upstream answers: 9\.9\.9\.9#53 \(no answer\); 1\.1\.1\.1#53 \(REFUSED\)"
    ):
        require_answer("no answer", {"9.9.9.9#53": "no answer", "1.1.1.1#53": "REFUSED"}, name=".")
    with pytest.raises(StateError, match=r"are dead: 9\.9\.9\.9#53 \(no answer\)\. Look at the clock"):
        require_answer("SERVFAIL", {"9.9.9.9#53": "no answer", "1.1.1.1#53": "NOERROR"}, name=".")
    require_answer("", {}, name=".")
    require_answer("", {"9.9.9.9#53": "no answer", "1.1.1.1#53": "NOERROR"}, name=".")
    with pytest.raises(StateError, match=r"^Asked for '\.': No upstream answers: 9\.9\.9\.9#53 \(no answer\)"):
        require_answer("", {"9.9.9.9#53": "no answer"}, name=".")
    with pytest.raises(StateError, match="journalctl"):
        require_answer("no answer", {}, name=".")


def test_a_domain_that_would_be_a_line_of_its_own_is_refused() -> None:
    with pytest.raises(InputError, match="control character"):
        render_resolv_conf(["corp.example\nnameserver 203.0.113.66"])


@pytest.mark.parametrize("outcome", ["NOERROR", "NXDOMAIN", "REFUSED", "the code 9"])
def test_a_refusal_is_a_response(outcome: str) -> None:
    assert is_response(outcome)


@pytest.mark.parametrize("outcome", ["", "no answer", "Network is unreachable"])
def test_silence_is_none(outcome: str) -> None:
    assert not is_response(outcome)
