"""Devices, counters and connections are read from the kernel's own texts, and from what is left of them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import network_readings as readings
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Interface, TcpSession

LINKS = [
    {"ifname": "lo", "mtu": 65536, "link_type": "loopback", "qdisc": "noqueue"},
    {"ifname": "eth0", "mtu": 1500, "link_type": "ether", "qdisc": "fq_codel",
     "stats64": {"rx": {"dropped": 12, "errors": 3}, "tx": {"dropped": 7}}},
    {"ifname": "tun-udp", "mtu": 1500, "link_type": "none", "qdisc": "fq_codel", "linkinfo": {"info_kind": "tun"}},
]  # fmt: skip
# iproute2 6.1 (Debian 12) and 6.15 (Debian 13).
SS = (
    "ESTAB 0      131072 192.0.2.1:443 203.0.113.5:51234\n"
    "\t cubic wscale:7,7 rto:240 rtt:40.5/2.25 ato:40 mss:1448 pmtu:1500 cwnd:10 bytes_sent:1000000 bytes_retrans:25000"
    " bytes_acked:900000 segs_out:800 send 2.8Mbps lastsnd:4 delivery_rate 2500000bps delivered:700 busy:2000ms"
    " sndbuf_limited:500ms(25.0%) unacked:10 retrans:0/18 rcv_space:14480 notsent:65536 minrtt:39.1\n"
    "ESTAB 0      0      [::ffff:192.0.2.1]:443 [::ffff:198.51.100.7]:40112\n"
    "\t bbr wscale:9,9 rto:204 rtt:1.25/0.5 mss:1448 bytes_sent:5000 bytes_acked:5000 busy:40ms minrtt:0.9\n"
    "ESTAB 0      0      [2001:db8::1]:443 [2001:db8::9]:40112\n"
    "\t cubic mss:1448 cwnd:10\n"
)
SNMP = (
    "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 503 0 9 626 8 2\n"
    "UdpLite: InDatagrams\nUdpLite: 0\n"
)
DEV = (
    "Inter-|   Receive                                  |  Transmit\n"
    " face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier comp\n"
    "    lo:    0       0    0    0    0     0          0         0     0       0    0    0    0     0       0    0\n"
    "  eth0: 1296      14    3   12    0     0          0         0  1656      18    0    7    0     0       0    0\n"
)


def test_devices_are_read_without_the_loopback() -> None:
    assert readings.parse_links(json.dumps(LINKS), speeds={"eth0": 1e9}) == (
        Interface("eth0", 1500, "ether", 12, 7, 3, "fq_codel", 1e9),
        Interface("tun-udp", 1500, "tun", queue_discipline="fq_codel"),
    )


def test_counters_are_those_of_the_window() -> None:
    assert readings.parse_device_counters(DEV) == {"lo": (0, 0, 0), "eth0": (12, 7, 3)}
    device = Interface("eth0", 1500, "ether", 15, 7, 4)
    (found,) = readings.since([device], readings.parse_device_counters(DEV))
    assert (found.received_dropped, found.sent_dropped, found.received_errors) == (3, 0, 1)
    (new,) = readings.since([Interface("tun-udp", 1500, sent_dropped=5)], {"tun-udp": (0, 9, 0)})
    assert new.sent_dropped == 5


def test_errors_of_udp_are_added_over_both_families() -> None:
    assert readings.parse_udp_counters(SNMP) == {"InErrors": 9, "RcvbufErrors": 8, "SndbufErrors": 2}
    six = "Udp6InErrors                    \t1\nUdp6RcvbufErrors                \t4\nUdp6SndbufErrors \t0\n"
    assert readings.parse_udp_counters(SNMP, six) == {"InErrors": 10, "RcvbufErrors": 12, "SndbufErrors": 2}


def test_connections_are_read() -> None:
    first, second = readings.parse_tcp_sessions(SS)
    assert first == TcpSession("203.0.113.5:51234", 0.0405, 0.0391, 0.025, 2500000, 65536, 0.25)
    assert second == TcpSession("198.51.100.7:40112", 0.00125, 0.0009, 0.0, None, 0, 0.0)


def test_readings_of_a_connection_become_one() -> None:
    def reading(rtt: float, unsent: int, rate: float, again: float) -> list[TcpSession]:
        return [TcpSession("a", rtt, rtt / 2, again, rate, unsent, again)]

    (merged,) = readings.merge_sessions(
        [reading(0.1, 9, 5.0, 0.1), reading(0.3, 5, 9.0, 0.2), reading(0.2, 0, 1.0, 0.3)]
    )
    assert merged == TcpSession("a", 0.2, 0.05, 0.3, 9.0, 9, 0.3)


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[1, 2]", '"x"', "\x00", "ESTAB\n\tx", "\t\n\t", "eth0: 1 2", "Udp:\nUdp:", "null"]
)
def test_damaged_texts_are_nothing(text: str) -> None:
    assert readings.parse_links(text) == ()
    assert readings.parse_device_counters(text) == {}
    assert readings.parse_tcp_sessions(text) == ()
    assert set(readings.parse_udp_counters(text).values()) <= {0}
