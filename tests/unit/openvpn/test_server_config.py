"""What a server's configuration says, and what it must never say."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import (
    MARKER,
    render_server_config,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_settings

UDP: dict[str, Any] = {"name": "udp", "protocol": "udp", "port": 1194, "network": "10.91.0.0/20"}
TCP: dict[str, Any] = {"name": "tcp", "protocol": "tcp", "port": 443, "network": "10.91.16.0/20"}


def lines(listener: dict[str, Any], **settings: Any) -> list[str]:
    return render_server_config(parse_process(listener), parse_settings(settings)).splitlines()


def words(listener: dict[str, Any], **settings: Any) -> set[str]:
    return {line.split()[0] for line in lines(listener, **settings) if line and not line.startswith("#")}


@pytest.mark.parametrize("listener", [UDP, TCP])
def test_what_keeps_a_gateway_safe_is_there(listener: dict[str, Any]) -> None:
    rendered = lines(listener, service_user="openvpn", service_group="openvpn")
    assert rendered[0] == MARKER
    for line in (
        "crl-verify /etc/openvpn/server/privatespace/crl.pem",
        "tls-crypt-v2 /etc/openvpn/server/privatespace/tls-crypt-v2-server.key",
        "remote-cert-tls client",
        "tls-version-min 1.2",
        "allow-compression no",
        "dh none",
        "tran-window 120",
        "user openvpn",
        "group openvpn",
        "management-client-user root",
        f"management /run/openvpn-server/{listener['name']}.sock unix",
        f"client-config-dir /etc/openvpn/server/privatespace/ccd/{listener['name']}",
    ):
        assert line in rendered


@pytest.mark.parametrize("listener", [UDP, TCP])
def test_what_would_hurt_is_absent(listener: dict[str, Any]) -> None:
    never = {
        "duplicate-cn", "comp-lzo", "compress", "cipher", "data-ciphers", "fragment", "tun-mtu", "mssfix", "sndbuf",
        "rcvbuf", "script-security", "client-to-client", "chroot", "plugin", "auth-user-pass-verify", "ccd-exclusive",
        "txqueuelen", "bcast-buffers", "tcp-queue-limit", "port-share", "client-connect",
    }  # fmt: skip
    assert not never & words(listener)


def test_what_clients_are_told_is_in_their_files() -> None:
    assert [line for line in lines(UDP) if line.startswith("push")] == ['push "explicit-exit-notify 1"']
    assert not any(line.startswith("push") for line in lines(TCP))


def test_each_protocol_has_its_own_settings() -> None:
    udp, tcp = words(UDP), words(TCP)
    assert udp - tcp == {"fast-io", "explicit-exit-notify", "push"}
    assert tcp - udp == {"tcp-nodelay"}
    assert words(TCP) - words(TCP, tcp_nodelay=False) == {"tcp-nodelay"}


@pytest.mark.parametrize(
    ("address", "ipv6_outside", "udp", "tcp"),
    [
        (None, False, "proto udp", "proto tcp-server"),
        (None, True, "proto udp6", "proto tcp6-server"),
        ("192.0.2.1", True, "proto udp", "proto tcp-server"),
        ("2001:db8::1", False, "proto udp6", "proto tcp6-server"),
    ],
)
def test_ipv6_outside_is_answered_unless_an_address_says_otherwise(
    address: str | None, ipv6_outside: bool, udp: str, tcp: str
) -> None:
    for listener, protocol in ((UDP, udp), (TCP, tcp)):
        rendered = lines({**listener, "address": address}, ipv6_outside=ipv6_outside)
        assert protocol in rendered
        assert [line for line in rendered if line.startswith("local")] == ([f"local {address}"] if address else [])


def test_static_addresses_are_left_out_of_the_pools() -> None:
    rendered = lines({**UDP, "network6": "fd00::/64", "reserved": 100})
    assert "server 10.91.0.0 255.255.240.0 nopool" in rendered
    assert "ifconfig-pool 10.91.0.2 10.91.15.154 255.255.240.0" in rendered
    assert "ifconfig-ipv6 fd00::1/64 fd00::2" in rendered
    assert "ifconfig-ipv6-pool fd00::1000/64" in rendered


@pytest.mark.parametrize(("clients", "burst"), [(10, 100), (2000, 2000)])
def test_everybody_may_come_back_at_once(clients: int, burst: int) -> None:
    assert f"connect-freq-initial {burst} 10" in lines({**UDP, "max_clients": clients})


@pytest.mark.parametrize(
    ("compression", "version", "expected"),
    [
        ("none", "2.6", ["allow-compression no"]),
        ("stub", "2.6", ["compress migrate"]),
        ("lz4-v2", "2.6", ["allow-compression asym", "compress lz4-v2"]),
        ("lzo", "2.7", ["allow-compression asym", "compress lzo", 'push "compress lzo"']),
    ],
)
def test_compression_comes_with_its_warning(compression: str, version: str, expected: list[str]) -> None:
    rendered = lines(UDP, compression=compression, version=version)
    assert [line for line in rendered if "compress" in line.split("#")[0]] == expected
    assert any("VORACLE" in line for line in rendered) == (compression not in ("none", "stub"))


def test_sizes_are_there_when_they_are_asked_for() -> None:
    asked = {
        "tunnel_mtu": 9000, "mssfix": 0, "replay_window_packets": 1024, "replay_window_seconds": 30,
        "tcp_queue_limit": 128, "broadcast_buffers": 512, "transmit_queue_length": 1000,
    }  # fmt: skip
    for line in ("tun-mtu 9000", "mssfix 0", "replay-window 1024 30", "bcast-buffers 512", "txqueuelen 1000"):
        assert line in lines(UDP, **asked)
    assert "tcp-queue-limit 128" in lines(TCP, **asked)
    assert "tcp-queue-limit" not in words(UDP, **asked)
    assert "mssfix 1200" in lines(UDP, mssfix=1200)


def test_buffers_are_fixed_for_all_or_computed_for_tcp() -> None:
    for listener in (UDP, TCP):
        assert {"sndbuf 393216", "rcvbuf 393216"} <= set(lines(listener, socket_buffer_bytes=393216))
    path = {"mbit": 100, "round_trip_ms": 40}
    assert {"sndbuf 667648", "rcvbuf 667648"} <= set(lines(TCP, measured_path=path))
    assert "sndbuf" not in words(UDP, measured_path=path)


def test_ipv6_in_a_tunnel_that_is_too_narrow_is_refused() -> None:
    assert "tun-mtu 1000" in lines(UDP, tunnel_mtu=1000)
    with pytest.raises(InputError, match="needs 1280"):
        lines({**UDP, "network6": "fd00::/64"}, tunnel_mtu=1000)


def test_in_a_chroot_what_is_read_later_has_the_path_of_the_inside() -> None:
    rendered = lines(UDP, chroot=True)
    assert "chroot /etc/openvpn/server/privatespace" in rendered
    assert "crl-verify /crl.pem" in rendered
    assert "client-config-dir /ccd/udp" in rendered
    assert "ca /etc/openvpn/server/privatespace/ca.crt" in rendered


def test_either_the_crl_says_who_is_revoked_or_the_folder_of_serial_numbers_never_both() -> None:
    def checks(**settings: Any) -> list[str]:
        return [line for line in lines(UDP, **settings) if line.startswith("crl-verify")]

    assert checks(revocation="crl") == ["crl-verify /etc/openvpn/server/privatespace/crl.pem"]
    assert checks(revocation="serials") == ["crl-verify /etc/openvpn/server/privatespace/revoked dir"]
    assert checks(revocation="serials", chroot=True) == ["crl-verify /revoked dir"]
    with pytest.raises(InputError, match="revocation is none of crl, serials"):
        checks(revocation="ocsp")


def test_a_second_factor_is_asked_for_once_in_a_while() -> None:
    rendered = lines(UDP, second_factor="totp", second_factor_lifetime_seconds=600)
    assert "script-security 2" in rendered
    assert 'auth-user-pass-verify "/usr/local/lib/privatespace/totp_verify" via-file' in rendered
    assert "auth-gen-token 600" in rendered
    assert "auth-gen-token-secret /etc/openvpn/server/privatespace/auth-token.key" in rendered
    command = lines(UDP, second_factor="command", second_factor_command="/usr/local/bin/ask --realm x")
    assert 'auth-user-pass-verify "/usr/local/bin/ask --realm x" via-file' in command
    plugin = lines(UDP, second_factor="plugin", second_factor_plugin="/usr/lib/oidc.so https://id.example/x")
    assert "plugin /usr/lib/oidc.so https://id.example/x" in plugin
    assert "script-security 2" not in plugin


HOOK = "/usr/local/lib/privatespace/client_connect"


@pytest.mark.parametrize(
    "factor",
    [
        {},
        {"second_factor": "totp"},
        {"second_factor": "command", "second_factor_command": "/usr/local/bin/ask client-connect /bin/true"},
        {"second_factor": "plugin", "second_factor_plugin": "/usr/lib/oidc.so client-connect"},
    ],
)
@pytest.mark.parametrize("listener", [UDP, TCP])
def test_the_hook_is_asked_by_each_process_and_nothing_else_is(
    listener: dict[str, Any], factor: dict[str, Any]
) -> None:
    rendered = lines(listener, connection_hook=HOOK, **factor)
    call = f"{HOOK} {listener['name']} /etc/openvpn/server/privatespace /run/privatespace-sessions"
    assert [line for line in rendered if line.startswith("client-connect")] == [f'client-connect "{call}"']
    assert rendered.count("script-security 2") == 1
    assert "script-security 2" in rendered[: rendered.index(f'client-connect "{call}"')]


def test_programs_are_allowed_once_and_only_where_there_are_any() -> None:
    assert lines(UDP, second_factor="totp").count("script-security 2") == 1
    assert "client-connect" not in words(UDP, second_factor="totp")
    assert "script-security" not in words(UDP)


def test_in_a_chroot_there_is_no_hook() -> None:
    with pytest.raises(InputError, match="chroot and connection_hook do not go together"):
        lines(UDP, chroot=True, connection_hook=HOOK)
    assert "client-connect" not in words(UDP, chroot=True, connection_hook="")


def test_a_web_server_may_share_the_port() -> None:
    assert "port-share 127.0.0.1 4443" in lines({**TCP, "port_share": "127.0.0.1:4443"})


def test_what_lies_behind_clients_is_sent_into_the_tunnel() -> None:
    rendered = lines(UDP, client_networks=["10.20.0.0/16", "fd01::/48"])
    assert {"route 10.20.0.0 255.255.0.0", "route-ipv6 fd01::/48"} <= set(rendered)
    with pytest.raises(InputError):
        lines(UDP, client_networks=["10.20.0.0/16\nup x"])


def test_unknown_devices_are_refused_on_request() -> None:
    assert "ccd-exclusive" in lines(UDP, known_clients_only=True)


def test_a_new_key_changes_the_configuration() -> None:
    assert lines(UDP, loaded_files={"server.crt": "00"}) != lines(UDP, loaded_files={"server.crt": "01"})


def options_of_2_7() -> dict[str, tuple[int, int, str]]:
    rows = Path(__file__).with_name("openvpn-2.7-options.txt").read_text(encoding="utf-8").splitlines()[1:]
    return {name: (int(least), int(most), state) for name, least, most, state in map(str.split, rows)}


EVERYTHING: tuple[dict[str, Any], ...] = (
    {},
    {
        "tunnel_mtu": 9000, "mssfix": 0, "tcp_queue_limit": 128, "broadcast_buffers": 512, "compression": "lz4-v2",
        "transmit_queue_length": 1000, "socket_buffer_bytes": 393216, "ipv6_outside": True, "client_to_client": True,
        "known_clients_only": True, "second_factor": "totp", "connection_hook": HOOK,
    },
    {"chroot": True, "compression": "stub"},
    {"second_factor": "plugin", "second_factor_plugin": "/usr/lib/oidc.so https://id.example/x"},
)  # fmt: skip


@pytest.mark.parametrize("settings", EVERYTHING)
@pytest.mark.parametrize("listener", [{**UDP, "network6": "fd00::/64"}, {**TCP, "port_share": "127.0.0.1:4443"}])
def test_openvpn_2_7_knows_every_option_and_warns_of_none(listener: dict[str, Any], settings: dict[str, Any]) -> None:
    known = options_of_2_7()
    assert (known["fast-io"][2], known["no-replay"][2], known["proto"][2]) == ("deprecated", "removed", "known")
    for line in lines(listener, version="2.7", **settings):
        if line and not line.startswith("#"):
            name, *arguments = shlex.split(line)
            least, most, state = known[name]
            assert least <= len(arguments) <= most, line
            assert state == "known", line


def test_what_2_7_ignores_is_still_there_for_2_6() -> None:
    assert words(UDP, version="2.6") - words(UDP, version="2.7") == {"fast-io", "persist-key"}


def test_networks_behind_clients_are_routed_into_the_tunnel() -> None:
    rendered = lines(UDP, client_networks=["192.168.7.0/24", "fd07::/64"])
    assert "route 192.168.7.0 255.255.255.0" in rendered
    assert "route-ipv6 fd07::/64" in rendered
    with pytest.raises(InputError, match="behind a client is not a network"):
        lines(UDP, client_networks=["192.168.7.1/24"])
