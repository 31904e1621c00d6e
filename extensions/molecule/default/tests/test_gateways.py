"""A gateway after a converge: both listeners run, keys are for root only, the firewall stands."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://gateways"]

FOLDER = "/etc/openvpn/server/privatespace"


@pytest.mark.parametrize(("name", "protocol", "port"), [("udp", "udp", 1194), ("tcp", "tcp", 443)])
def test_a_listener_runs(host: Host, name: str, protocol: str, port: int) -> None:
    service = host.service(f"openvpn-server@{name}")
    assert service.is_running
    assert service.is_enabled
    assert (
        host.socket(f"{protocol}://0.0.0.0:{port}").is_listening or host.socket(f"{protocol}://:::{port}").is_listening
    )


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("", 0o755),
        ("ca.crt", 0o644),
        ("server.crt", 0o644),
        ("server.key", 0o600),
        ("tls-crypt-v2-server.key", 0o600),
        ("crl.pem", 0o644),
    ],
)
def test_modes(host: Host, name: str, mode: int) -> None:
    entry = host.file(f"{FOLDER}/{name}".rstrip("/"))
    assert entry.mode == mode
    assert entry.user == "root"


def test_the_certificate_is_for_servers_and_from_the_ca(host: Host) -> None:
    checked = host.run(f"openssl verify -purpose sslserver -CAfile {FOLDER}/ca.crt {FOLDER}/server.crt")
    assert checked.rc == 0, checked.stderr
    subject = host.check_output(f"openssl x509 -noout -subject -nameopt multiline -in {FOLDER}/server.crt")
    assert "gateway-" in subject


def test_packets_are_forwarded_and_translated(host: Host) -> None:
    assert host.sysctl("net.ipv4.ip_forward") == 1
    rules = host.check_output("nft list ruleset")
    assert "masquerade" in rules


def test_no_unit_failed(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
