"""Profiles on real client hosts: as files, as QR codes, in NetworkManager, and with the name service of the host."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.lab.lab_run import INTERNET, PAGE, Playbooks
from integration.qr_reader import read_svg
from privatespace_lab.remote import Client

USER = "nina"
NAME = f"{USER}@laptop"
CONNECTION = "vpn-of-a-test"
VARIANTS = ["generic", "linux", "router", "android"]
SITE_NAME = "www.internet.lab"


@pytest.fixture(scope="module")
def profiles(playbooks: Playbooks) -> dict[str, Path]:
    """The profiles of one device, by variant, and its QR code."""
    device = {"user_name": USER, "user_device": "laptop", "user_reissue": "true"}
    wanted = {"openvpn_profile_variants": VARIANTS, "openvpn_profile_qr_codes": True}
    outcome = playbooks.succeed("user_add", variables={**device, **wanted})
    found = {path.name: path for path in playbooks.profiles.glob(f"{NAME}*")}
    assert sorted(found) == sorted([f"{NAME}.svg", f"{NAME}.ovpn", *(f"{NAME}.{one}.ovpn" for one in VARIANTS[1:])])
    assert all(path.name in outcome.output for path in found.values() if path.suffix == ".ovpn")
    return {
        "generic": found[f"{NAME}.ovpn"],
        "qr": found[f"{NAME}.svg"],
        **{one: found[f"{NAME}.{one}.ovpn"] for one in VARIANTS[1:]},
    }


@pytest.fixture
def network_manager(alice: Client) -> Iterator[Client]:
    """A host on which NetworkManager runs for a while, beside the network that it has."""
    alice.run(
        "systemctl start NetworkManager && nmcli general status && nm-online --quiet --startup --timeout 20; true"
    )
    yield alice
    alice.run(f"nmcli connection down {CONNECTION} 2>/dev/null; nmcli connection delete {CONNECTION} 2>/dev/null; true")
    alice.run("systemctl stop NetworkManager; rm -rf /root/.cert; true")
    # Its OpenVPN lets go of the device a moment later; the next one would get another name.
    alice.run("timeout 10 sh -c 'while ip link show tun0; do sleep 0.1; done'")


@pytest.fixture
def resolver(alice: Client) -> Iterator[Client]:
    """A host on which systemd-resolved runs for a while."""
    alice.run("systemctl start systemd-resolved")
    yield alice
    alice.run("systemctl stop systemd-resolved")


def test_all_of_them_are_the_owners_alone(profiles: dict[str, Path]) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in profiles.values()} == {0o600}


def test_a_qr_code_holds_a_profile_that_connects(
    profiles: dict[str, Path], alice: Client, playbooks: Playbooks, tmp_path: Path
) -> None:
    scanned = tmp_path / "scanned.ovpn"
    scanned.write_bytes(read_svg(profiles["qr"].read_text(), tmp_path))
    whole = [line for line in profiles["android"].read_text().splitlines() if not line.startswith("#")]
    assert scanned.read_text().splitlines() == whole
    alice.install_profile(scanned)
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None


@pytest.mark.parametrize("variant", ["generic", "linux"])
def test_network_manager_imports_and_connects(
    profiles: dict[str, Path], network_manager: Client, playbooks: Playbooks, variant: str
) -> None:
    host = network_manager
    host.write(f"/run/{CONNECTION}.ovpn", profiles[variant].read_text())
    routes = host.run("ip route show dev outside")

    host.run(f"nmcli connection import type openvpn file /run/{CONNECTION}.ovpn")

    data = host.run(f"nmcli --escape no --get-values vpn.data connection show {CONNECTION}")
    imported = dict(re.findall(r"([a-z0-9-]+) = (.*?)(?:, (?=[a-z0-9-]+ = )|$)", data))
    expected = [
        f"{address}:{port}:{protocol}"
        for protocol, port in (("udp", 1194), ("tcp", 443))
        for address in playbooks.addresses.values()
    ]
    assert re.split(r"\\*, ", imported["remote"]) == expected
    assert imported["connection-type"] == "tls"
    assert imported["remote-cert-tls"] == "server"
    assert imported["verify-x509-name"] == "name-prefix:gateway-"
    assert imported["tls-version-min"] == "1.2"
    assert imported["connect-timeout"] == "5"
    text = profiles[variant].read_text()
    for tag in ("ca", "cert", "key", "tls-crypt-v2"):
        inline = re.search(rf"<{tag}>\n(.*?)\n?</{tag}>", text, re.DOTALL)
        assert inline is not None
        assert host.run(f"cat {imported[tag]}") == inline[1]
        assert host.run(f"stat -c %a {imported[tag]}") == "600"

    host.run(f"nmcli --wait 20 connection up {CONNECTION} ifname outside")

    assert host.fetch(PAGE) is not None
    assert host.run(f"nmcli --get-values IP4.DNS connection show {CONNECTION}") == "10.91.0.1"
    assert "tun0" in host.run(f"ip route get {INTERNET}")
    host.run(f"nmcli connection down {CONNECTION}")
    assert host.fetch(PAGE, seconds=2) is None
    assert host.run("ip route show dev outside") == routes, "NetworkManager leaves alone what it did not make"


def test_on_linux_all_names_are_asked_through_a_full_tunnel(
    profiles: dict[str, Path], resolver: Client, playbooks: Playbooks
) -> None:
    resolver.install_profile(profiles["linux"])
    resolver.connect(protocol="tcp", address=playbooks.addresses["gateway2"])
    assert resolver.run("resolvectl dns tun0").endswith(": 10.91.16.1"), "the gateway's address in this very tunnel"
    assert resolver.run("resolvectl domain tun0").endswith(": ~.")
    assert INTERNET in resolver.run(f"resolvectl query {SITE_NAME}")
    resolver.stop()
    assert not resolver.succeeds(f"resolvectl query --cache=no {SITE_NAME}")


def test_on_linux_a_host_without_a_resolver_connects_all_the_same(
    profiles: dict[str, Path], alice: Client, playbooks: Playbooks
) -> None:
    alice.install_profile(profiles["linux"])
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None
    alice.stop()


def test_a_router_keeps_its_own_way_out(profiles: dict[str, Path], alice: Client, playbooks: Playbooks) -> None:
    alice.install_profile(profiles["router"])
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    assert alice.fetch(PAGE, seconds=2) is None
    assert alice.succeeds("ping -c 1 -W 2 10.91.0.1")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"openvpn_profile_variants": ["amiga"]}, "amiga"),
        ({"openvpn_profile_poll_timeout": 0}, "between 1 and 120"),
    ],
)
def test_a_mistake_is_found_before_a_certificate_is_issued(
    playbooks: Playbooks, variables: dict[str, object], message: str
) -> None:
    outcome = playbooks.run("user_add", variables={"user_name": "oscar-two", **variables})
    assert outcome.status != 0
    assert message in outcome.output
    assert "Issue the certificate" not in outcome.output.partition("PLAY RECAP")[0].rpartition("fatal:")[0]
