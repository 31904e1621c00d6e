"""What a preflight says of a host: fit, nearly, or not, each with its cause and its remedy."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight import (
    FAILED,
    OK,
    WARNING,
    Check,
    judge_host,
    parse_debian_version,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_ports import (
    REFUSED,
    SILENT,
    UNREACHABLE,
    Attempt,
    Watch,
    judge_ports,
    parse_holders,
    plan_ports,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.preflight_report import build_report

MIB = 1 << 20
FIT: dict[str, Any] = {
    "system": {
        "id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)", "systemd": True,
        "python": [3, 11, 2], "memory": 1024 * MIB, "disk": {"/": 8000 * MIB, "/var": 8000 * MIB},
    },
    "clock": {"asked_at": 1000.0, "now": 1000.4, "answered_at": 1001.0, "synchronised": True},
    "dns": {
        "servers": {"192.0.2.53": "NOERROR"}, "names": {"deb.debian.org": ""},
        "zone": {"name": "example.net", "servers": {"ns1.example.net": "NOERROR"}, "problem": ""},
    },
    "packages": {
        "wanted": ["openvpn", "nftables"], "installed": {},
        "candidates": {"openvpn": "2.6.14-0+deb12u2", "nftables": "1.0"},
        "sources": [{"url": "http://deb.debian.org/debian/dists/bookworm/InRelease", "problem": ""}],
    },
    "kernel": {"tun": "", "nftables": "", "forwarding": "", "offload_modules": [], "openvpn": "2.6.14"},
}  # fmt: skip


def changed(path: str, value: Any) -> dict[str, Any]:
    """A fit host with one difference."""
    host = copy.deepcopy(FIT)
    *way, last = path.split("/")
    place = host
    for step in way:
        place = place[step]
    place[last] = value
    return host


def worse(host: dict[str, Any]) -> list[Check]:
    return [one for one in judge_host(host) if one.state != OK]


def test_a_fit_host_is_fit() -> None:
    assert worse(FIT) == []
    assert {one.area for one in judge_host(FIT)} == {"system", "time", "dns", "packages", "kernel"}


@pytest.mark.parametrize(
    ("path", "value", "state", "cause"),
    [
        ("system/version", "11", FAILED, "is not supported"),
        ("system/id", "", FAILED, "is not supported"),
        ("system/systemd", False, FAILED, "systemd does not run"),
        ("system/python", [3, 8, 1], FAILED, "Python 3.8.1 is too old"),
        ("system/memory", 200 * MIB, FAILED, "200 MiB; 256 are needed"),
        ("system/memory", 300 * MIB, WARNING, "300 MiB is little"),
        ("system/memory", None, WARNING, "cannot be read"),
        ("system/disk", {"/var": 100 * MIB}, FAILED, "100 MiB; 400 are needed"),
        ("clock/now", 1010.0, WARNING, "at least 9 s ahead"),
        ("clock/now", 100.0, FAILED, "at least 900 s behind"),
        ("clock/synchronised", False, WARNING, "Nothing keeps the clock right"),
        ("clock/synchronised", None, WARNING, "cannot be told"),
        ("dns/servers", {}, FAILED, "names no server"),
        ("dns/servers", {"192.0.2.53": "no answer"}, FAILED, "192.0.2.53 (no answer)"),
        ("dns/servers", {"192.0.2.53": "NOERROR", "192.0.2.54": "REFUSED"}, WARNING, "192.0.2.54 (REFUSED)"),
        ("dns/names", {"deb.debian.org": "Name or service not known"}, FAILED, "Name or service not known"),
        ("dns/zone/servers", {}, FAILED, "Nobody says which servers"),
        ("dns/zone/servers", {"a": "NOERROR", "b": "not authoritative"}, WARNING, "b (not authoritative)"),
        ("dns/zone/servers", {"a": "no answer"}, FAILED, "a (no answer)"),
        ("packages/sources", [], FAILED, "apt has no source"),
        ("packages/sources", [{"url": "http://x", "problem": "timed out"}], FAILED, "timed out"),
        (
            "packages/candidates",
            {"openvpn": "2.5.1-3", "nftables": "1.0"},
            FAILED,
            "2.5.1-3 would be installed; 2.6 is",
        ),
        ("packages/candidates", {"openvpn": "2.6.3"}, WARNING, "apt knows no version"),
        ("kernel/tun", "/dev/net/tun cannot be opened: No such file", FAILED, "/dev/net/tun cannot be opened"),
        ("kernel/nftables", "The kernel has no nftables", FAILED, "no nftables"),
        ("kernel/forwarding", "it cannot be written: Read-only file system", FAILED, "Read-only"),
    ],
)
def test_one_difference_is_one_line_with_a_remedy(path: str, value: Any, state: str, cause: str) -> None:
    (found,) = worse(changed(path, value))
    assert found.state == state
    assert cause in found.cause
    assert found.remedy


def test_sources_that_do_not_answer_are_no_fault_where_everything_is_installed() -> None:
    host = changed("packages/sources", [{"url": "http://x", "problem": "timed out"}])
    host["packages"]["installed"] = {"openvpn": "2.6.14", "nftables": "1.0"}
    assert [one.state for one in worse(host)] == [WARNING]


def test_offload_is_told_and_never_a_fault() -> None:
    (without,) = [one for one in judge_host(FIT) if one.subject == "offload"]
    assert (without.state, "no ovpn-dco-v2" in without.cause) == (OK, True)
    (there,) = [
        one for one in judge_host(changed("kernel/offload_modules", ["ovpn-dco-v2"])) if one.subject == "offload"
    ]
    assert "can carry the data itself" in there.cause
    host = changed("kernel/openvpn", "2.7.0")
    assert "no ovpn (DCO)" in next(one.cause for one in judge_host(host) if one.subject == "offload")


@pytest.mark.parametrize(
    ("text", "version"), [("2.6.14-0+deb12u2", (2, 6)), ("1:2.7~rc1", (2, 7)), ("13", (13, 0)), ("none", (0, 0))]
)
def test_versions_of_packages(text: str, version: tuple[int, int]) -> None:
    assert parse_debian_version(text) == version


MARK, ELSEWHERE = "a1b2c3d4e5f60718", "0000000000000000"
OPEN = Watch("udp", 1194, True, marks={}, wire=())
ASKED = Attempt("p", MARK, "udp", 1194, False, outcome=SILENT, own_address="198.51.100.7")


def verdict(watch: dict[str, Any], asked: dict[str, Any], *more: Attempt) -> Check:
    attempt = Attempt(**{**vars(ASKED), **asked})
    return judge_ports([Watch(**{**vars(OPEN), **watch})], [attempt, *more])[0]


@pytest.mark.parametrize(
    ("watch", "asked", "state", "cause"),
    [
        ({}, {"answered": True, "seconds": 0.0214}, OK, "Reachable, answered in 21 ms."),
        ({}, {}, FAILED, "Nothing arrives."),
        ({"wire": None}, {}, FAILED, "Nothing arrives."),
        ({"marks": {ELSEWHERE: "203.0.113.9"}, "wire": (ELSEWHERE,)}, {}, FAILED, "Nothing arrives."),
        ({"marks": {MARK: "203.0.113.7"}}, {}, FAILED, "arrives (from 203.0.113.7), but the answer is lost"),
        ({"wire": (MARK,)}, {}, FAILED, "the host's own firewall drops it"),
        ({"wire": ("198.51.100.7",)}, {}, FAILED, "the host's own firewall drops it"),
        ({}, {"outcome": REFUSED}, FAILED, "Somebody on the way refuses it"),
        ({}, {"connected": True}, FAILED, "Somebody else takes the connection"),
        ({}, {"outcome": UNREACHABLE, "detail": "No route to host"}, FAILED, "no way to the address: No route to host"),
        ({"open": False, "holder": "named", "holder_pid": 7}, {}, FAILED, "holds the port: named (process 7)"),
        ({"open": False, "holder": "openvpn", "holder_pid": 7}, {}, WARNING, "openvpn (process 7) has it already"),
        ({"open": False, "holder": "nginx"}, {"protocol": "tcp", "connected": True}, OK, "Reachable; nginx"),
        (
            {"open": False, "holder": "nginx"},
            {"protocol": "tcp", "detail": "refused"},
            FAILED,
            "does not answer: refused",
        ),
        ({"open": False, "error": "Permission denied"}, {}, FAILED, "cannot be listened on: Permission denied"),
    ],
)
def test_where_a_question_went(watch: dict[str, Any], asked: dict[str, Any], state: str, cause: str) -> None:
    found = verdict({**watch, "protocol": asked.get("protocol", "udp")}, asked)
    assert found.state == state
    assert cause in found.cause
    assert bool(found.remedy) == (state != OK)


def test_a_port_that_another_probe_reaches_is_the_way_of_this_one() -> None:
    found = verdict({}, {}, Attempt("q", ELSEWHERE, "udp", 1194, True))
    assert found.state == WARNING
    assert found.cause == "Nothing arrives. q gets through."


def test_a_probe_is_known_by_the_address_that_another_port_saw() -> None:
    """Behind NAT: TCP 443 saw where the mark came from, so the bare SYN to 80 is its own."""
    watches = [
        Watch("tcp", 443, True, marks={MARK: "203.0.113.7"}, wire=()),
        Watch("tcp", 80, True, marks={}, wire=("203.0.113.7",)),
    ]
    attempts = [Attempt("p", MARK, "tcp", 443, True), Attempt("p", MARK, "tcp", 80, False, outcome=SILENT)]
    assert "own firewall" in judge_ports(watches, attempts)[1].cause


def test_ports_that_nobody_asked_for() -> None:
    assert [one.state for one in judge_ports([OPEN], [])] == [WARNING]
    held = Watch("tcp", 443, False, holder="apache2", holder_pid=3)
    assert [one.state for one in judge_ports([held], [])] == [FAILED]


def test_ports_are_planned_once_each() -> None:
    listeners = [
        {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"},
        {"name": "tcp", "protocol": "tcp", "port": 443, "address": "192.0.2.1"},
    ]
    found = [(one.protocol, one.port, one.purpose, one.address) for one in plan_ports(listeners, web_ports=[80, 443])]
    assert found == [
        ("udp", 1194, "openvpn udp", ""),
        ("tcp", 443, "openvpn tcp and web", "192.0.2.1"),
        ("tcp", 80, "web", ""),
    ]


@pytest.mark.parametrize(
    "listener", [{"protocol": "sctp", "port": 1}, {"protocol": "udp", "port": 0}, {"protocol": "udp"}]
)
def test_a_listener_that_is_none_is_refused(listener: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"no port|not udp or tcp"):
        plan_ports([listener])


def test_holders_are_read_from_ss() -> None:
    output = """\
udp   UNCONN 0      0            0.0.0.0:1194      0.0.0.0:*    users:(("openvpn",pid=812,fd=6))
tcp   LISTEN 0      511                *:80              *:*    users:(("nginx",pid=9,fd=6),("nginx",pid=8,fd=6))
tcp   LISTEN 0      128             [::]:22           [::]:*
garbage
"""
    assert parse_holders(output) == {
        ("udp", 1194): ("openvpn", 812),
        ("tcp", 80): ("nginx", 9),
        ("tcp", 22): ("another program", 0),
    }


def test_the_table_names_what_failed_and_the_failure_the_hosts() -> None:
    watches = [dict(vars(OPEN), wire=[])]
    hosts = {
        "good": {
            "host": FIT,
            "watches": watches,
            "asked": [{"item": "p", "attempts": [dict(vars(ASKED), answered=True)]}],
        },
        "bad": {
            "host": changed("kernel/tun", "It is\x1b[31m gone"),
            "watches": watches,
            "asked": [{"item": "q", "msg": "Permission denied"}],
        },
        "gone": {},
    }
    report = build_report(hosts)
    assert report["failure"].startswith("Not fit to become a gateway: bad (1), gone (1).")
    assert {name: one["state"] for name, one in report["hosts"].items()} == {"good": OK, "bad": FAILED, "gone": FAILED}
    text = "\n".join(report["lines"])
    assert "good: ok" in text
    assert "bad: FAILED" in text
    assert "\x1b" not in text
    assert "probe q" in text
    assert "It could not ask: Permission denied" in text
    assert "The host did not answer Ansible." in text


def test_areas_can_be_left_out_and_check_mode_says_what_it_did_not_try() -> None:
    host = {"bad": {"host": changed("kernel/tun", "gone"), "watches": None}}
    report = build_report(host, skip=["kernel"])
    assert report["failure"] == ""
    assert any("check mode opens no listener" in line for line in report["lines"])
