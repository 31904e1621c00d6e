"""Settings are checked before anything is rendered from them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import (
    parse_path_buffer,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.values import parse_host

SCALARS = (
    "folder", "runtime_folder", "version", "client_to_client", "known_clients_only", "ipv6_outside", "tcp_nodelay",
    "socket_buffer_bytes", "compression", "tunnel_mtu", "mssfix", "replay_window_packets", "replay_window_seconds",
    "tcp_queue_limit", "broadcast_buffers", "transmit_queue_length", "service_user", "service_group", "chroot",
    "second_factor", "second_factor_lifetime_seconds", "connection_hook", "sessions_folder",
)  # fmt: skip
HOSTILE = ("1\nscript-security 2", "2\rup /bin/sh", '/x" "y', "a\\b", "x\0", "\u2028up x", "no # x", "yes;x", "${x}")


@pytest.mark.parametrize("key", SCALARS)
@pytest.mark.parametrize("value", HOSTILE)
def test_no_setting_becomes_a_directive_of_its_own(key: str, value: str) -> None:
    with pytest.raises(InputError):
        parse_settings({key: value})


@pytest.mark.parametrize("kind", ["command", "plugin"])
@pytest.mark.parametrize(
    "value", [*HOSTILE, "relative", "/x/../y", "/x  y", "/x 'y'", "/x y\tz", "", "/x $(y)", "/x [y]"]
)
def test_no_second_factor_smuggles_anything(kind: str, value: str) -> None:
    with pytest.raises(InputError):
        parse_settings({"second_factor": kind, f"second_factor_{kind}": value})


@pytest.mark.parametrize(
    "raw",
    [
        {"folder": "relative"},
        {"folder": "/etc/../tmp"},
        {"folder": "/etc/with space"},
        {"version": "new"},
        {"loaded_files": {"ca.crt\nup x": "00"}},
        {"loaded_files": {"ca.crt": "00\nup x"}},
        {"verb": 9},
        {"script-security": 2},
        {"compression": "lz4"},
        {"mssfix": -2},
        {"replay_window_packets": 65537},
        {"replay_window_seconds": 601},
        {"tunnel_mtu": 100},
        {"chroot": "yes"},
        {"service_user": "root"},
        {"service_group": "0"},
        {"second_factor": "totp", "chroot": True},
        {"second_factor": "none", "second_factor_command": "/bin/true"},
        {"second_factor": "totp", "second_factor_plugin": "/x.so"},
        {"socket_buffer_bytes": 4096, "measured_path": {"mbit": 1, "round_trip_ms": 1}},
        {"measured_path": {"mbit": 100}},
        {"measured_path": {"mbit": "100", "round_trip_ms": 40}},
        {"measured_path": {"mbit": 100, "round_trip_ms": 0}},
        {"measured_path": [100, 40]},
        {"measured_path": {"mbit": float("nan"), "round_trip_ms": 40}},
    ],
)
def test_bad_settings_are_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse_settings(raw)


@pytest.mark.parametrize(
    ("mbit", "round_trip_ms", "size"), [(100, 40, 667_648), (100, 40.5, 675_840), (1000, 100, 16_666_624 + 4096)]
)
def test_a_buffer_fills_the_path_that_was_measured(mbit: float, round_trip_ms: float, size: int) -> None:
    found = parse_path_buffer({"mbit": mbit, "round_trip_ms": round_trip_ms})
    assert found == size
    assert 0 <= found - mbit * 1e6 * round_trip_ms / 1e3 / 6 < 4096
    assert parse_path_buffer({}) == 0


def test_a_second_factor_is_a_call() -> None:
    assert parse_settings({"second_factor": "totp"}).second_factor_call == ("/usr/local/lib/privatespace/totp_verify",)
    settings = parse_settings({"second_factor": "plugin", "second_factor_plugin": "/usr/lib/x.so https://id.example/o"})
    assert (settings.second_factor, settings.second_factor_call) == (
        "plugin",
        ("/usr/lib/x.so", "https://id.example/o"),
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "cambridge2.example.net", "localhost"])
def test_a_host_is_an_address_or_a_name(host: str) -> None:
    assert parse_host(host, what="The address") == host


@pytest.mark.parametrize("host", ["", "a b", "-x", "999.1.1.1", "http://x", "x\ny", "x" * 254, "a..b"])
def test_a_bad_host_is_refused(host: str) -> None:
    with pytest.raises(InputError):
        parse_host(host, what="The address")
