"""Every profile in the real OpenVPN, and every QR code through a real reader."""

from __future__ import annotations

import base64
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import ADDRESS, Client, Vpn, command, running, wait_for
from integration.qr_reader import read_image, read_svg

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile import render_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile_variants import VARIANTS
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.qr_code import MOST_BYTES, render_qr_code
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.totp_uri import render_totp_uri

ELSEWHERE = "192.0.2.80"
BEHIND = "198.51.100.7"
PUSHES = {
    "full": 'push "redirect-gateway def1"\n',
    "split": 'push "route 198.51.100.0 255.255.255.0"\n',
}
BACK_SECONDS = 30


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running() as vpn:
        yield vpn


def deliver(vpn: Vpn, name: str, **options: Any) -> str:
    """The profile of a new device, over both protocols."""
    text = vpn.profile(name, "udp").read_text()
    parts = dict(re.findall(r"<([a-z0-9-]+)>\n(.*?)</\1>", text, re.DOTALL))
    delivery = {
        "common_name": name, "certificate": parts["cert"], "ca_chain": parts["ca"],
        "private_key": parts["key"], "tls_crypt_v2": parts["tls-crypt-v2"],
    }  # fmt: skip
    listeners = [one.as_dict() for one in vpn.listeners]
    return render_profile(delivery, gateways=[{"name": "g", "address": ADDRESS, "listeners": listeners}], **options)


def connect(vpn: Vpn, name: str, text: str, *, tunnel: str = "split") -> Client:
    """A client that has connected with a profile, told to send everything or one network through the tunnel."""
    for listener in vpn.listeners:
        (vpn.folder / "ccd" / listener.name / "DEFAULT").write_text(PUSHES[tunnel])
    path = vpn.folder / f"{name}.ovpn"
    path.write_text(text)
    client = vpn.client()
    command("ip", "-n", client.namespace, "route", "add", "default", "via", ADDRESS)
    vpn.start_client(client, path)
    wait_for(f"connection of {name}", 15, client.connected)
    return client


def through_tunnel(client: Client, target: str) -> bool:
    """Whether the client would send to an address through its tunnel."""
    return " dev tun" in command("ip", "-n", client.namespace, "route", "get", target)


@pytest.mark.parametrize("tunnel", PUSHES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_connects_and_routes_as_it_is_told(vpn: Vpn, variant: str, tunnel: str) -> None:
    name = f"{variant}@{tunnel}"
    client = connect(vpn, name, deliver(vpn, name, variant=variant), tunnel=tunnel)
    assert "Options error" not in client.log.read_text()
    assert client.lost_packets(0.2, "10.91.0.1") == 0
    assert through_tunnel(client, BEHIND) == (tunnel == "split" or variant != "router")
    assert through_tunnel(client, ELSEWHERE) == (tunnel == "full" and variant != "router")
    client.stop()


@pytest.mark.parametrize("variant", ["generic", "ios"])
def test_a_profile_with_a_second_factor_connects(vpn: Vpn, variant: str) -> None:
    """The answers come from a file in place of the keyboard; nothing else is changed."""
    answers = vpn.folder / "answers"
    answers.write_text("alice\n123456\n")
    answers.chmod(0o600)
    name = f"{variant}@factor"
    text = deliver(vpn, name, variant=variant, second_factor=True)
    assert text.count("\nauth-user-pass\n") == 1
    client = connect(vpn, name, text.replace("\nauth-user-pass\n", f"\nauth-user-pass {answers}\n"))
    assert "Options error" not in client.log.read_text()
    client.stop()


def test_a_client_is_back_after_a_restart_of_the_server(vpn: Vpn, record_property: Any) -> None:
    client = connect(vpn, "back@laptop", deliver(vpn, "back@laptop"))
    guard = vpn._servers["udp"]
    os.kill(vpn.server_pid("udp"), signal.SIGTERM)
    guard.wait(10)
    began = time.monotonic()
    vpn.start_server("udp")
    wait_for("return of the client", BACK_SECONDS, lambda: client.lost_packets(0.1, "10.91.0.1") == 0)
    seconds = time.monotonic() - began
    record_property("seconds", seconds)
    print(f"\nback after a restart of the server: {seconds:.1f} s")
    client.stop()


def _hook(text: str, word: str) -> list[str]:
    """A hook of a profile as the program and arguments that OpenVPN would run."""
    line = next(line for line in text.splitlines() if line.startswith(word))
    return shlex.split(shlex.split(line)[1])


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        (
            {"foreign_option_1": "dhcp-option DNS 10.91.0.1", "redirect_gateway": "1"},
            ["dns tun0 10.91.0.1", "domain tun0 ~.", "default-route tun0 yes"],
        ),
        (
            {
                "foreign_option_1": "dhcp-option DOMAIN corp.example",
                "foreign_option_2": "dhcp-option DNS 10.91.0.1",
                "foreign_option_3": "dhcp-option DNS6 fd00::1",
                "redirect_gateway": "0",
            },
            ["dns tun0 10.91.0.1 fd00::1", "domain tun0 corp.example", "default-route tun0 no"],
        ),
        (
            {
                "foreign_option_1": "dhcp-option DNS 10.91.0.1",
                "foreign_option_2": "dhcp-option DOMAIN-SEARCH corp.example",
                "redirect_gateway": "1",
            },
            ["dns tun0 10.91.0.1", "domain tun0 corp.example ~.", "default-route tun0 yes"],
        ),
        (
            {"foreign_option_1": "dhcp-option DNS 10.91.0.1"},
            ["dns tun0 10.91.0.1", "domain tun0", "default-route tun0 yes"],
        ),
        ({}, []),
    ],
)
def test_the_hook_of_linux_splits_names_as_the_tunnel_does(
    vpn: Vpn, tmp_path: Path, environment: dict[str, str], asked: list[str]
) -> None:
    """What the resolver is asked for; that it obeys is shown on a host with systemd-resolved."""
    text = deliver(vpn, "hook@laptop", variant="linux")
    log = tmp_path / "log"
    resolver = tmp_path / "resolvectl"
    resolver.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    resolver.chmod(0o755)
    settings = dict(shlex.split(line)[1:] for line in text.splitlines() if line.startswith("setenv vpn_dns_"))
    subprocess.run(
        _hook(text, "route-up"),
        env={**settings, **environment, "dev": "tun0", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
    )
    assert (log.read_text().splitlines() if log.exists() else []) == asked


def test_a_phone_reads_a_profile_off_a_screen_and_connects(vpn: Vpn, tmp_path: Path) -> None:
    text = deliver(vpn, "scanned@phone", variant="android", compact=True)
    print(f"\na profile for a phone has {len(text)} of {MOST_BYTES} bytes")
    image = tmp_path / "code.png"
    image.write_bytes(base64.b64decode(render_qr_code(text)))
    assert read_image(image) == text.encode()
    scanned = read_svg(render_qr_code(text, kind="svg"), tmp_path)
    assert scanned == text.encode()
    client = connect(vpn, "scanned@phone", scanned.decode())
    assert client.lost_packets(0.2, "10.91.0.1") == 0
    client.stop()


@pytest.mark.parametrize(
    "text",
    [
        render_totp_uri("alice", issuer="Example VPN", secret="A" * 32),
        "openvpn://import-profile/https://vpn.example.net/p/0123456789",
        "Grüße",
        "x" * MOST_BYTES,
    ],
)
def test_any_text_is_read_byte_for_byte(text: str, tmp_path: Path) -> None:
    image = tmp_path / "code.png"
    image.write_bytes(base64.b64decode(render_qr_code(text)))
    assert read_image(image) == text.encode()
    assert read_svg(render_qr_code(text, kind="svg"), tmp_path) == text.encode()
