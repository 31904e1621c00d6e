"""A gateway with everything switched on, as devices and administrators see it; the other gateway stays as it was."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.lab.lab_run import (
    INSTANCE,
    INTERNET,
    OPENVPN_ALONE,
    PAGE,
    Outcome,
    Playbooks,
    variables_beside_the_inventory,
)
from privatespace_lab import topology
from privatespace_lab.remote import Client, LabHost

INTERNET6 = topology.internet_address6(INSTANCE)
PAGE6 = f"http://[{INTERNET6}]/"
GATEWAY = topology.gateway_addresses(INSTANCE)["gateway1"]
GATEWAY6 = topology.gateway_addresses6(INSTANCE)["gateway1"]
# Beyond the gateway, and not for everybody: the other gateway's address there answers a ping.
BACK_OFFICE = GATEWAY.rpartition(".")[0].rpartition(".")[0] + ".2.22"
FAST_PORT = 1195
LIMIT = ("--limit", "authority1,gateway1", *OPENVPN_ALONE)
OLD_CONFIG = "/etc/openvpn/udp-old.conf"
WANTED = {
    "openvpn_listeners": [
        *(
            {**one, "port_share": "127.0.0.1:8443"} if one["protocol"] == "tcp" else one
            for one in topology.dual_stack_listeners(INSTANCE)
        ),
        {"name": "fast", "protocol": "udp", "port": FAST_PORT, "network": "10.91.32.0/20", "per_core": True},
    ],
    "openvpn_groups": [
        {"name": "staff", "default": True},
        {
            "name": "field",
            "networks": [f"{INTERNET}/32", f"{INTERNET6}/128"],
            "full_tunnel": False,
            "push_routes": [f"{INTERNET}/32", f"{BACK_OFFICE}/32", f"{INTERNET6}/128"],
        },
    ],
    "openvpn_users": [
        {"name": "fiona", "group": "field"},
        {"name": "stella", "device": "laptop", "addresses": {"udp": "10.91.15.77"}, "push_routes": ["10.99.0.0/16"]},
    ],
}


@pytest.fixture(scope="module")
def configured(playbooks: Playbooks, gateways: tuple[LabHost, LabHost]) -> Iterator[Outcome]:
    """gateway1 with everything, and an old configuration that somebody renamed and forgot; afterwards as before."""
    gateway = gateways[0]
    edits = ("s/^port 1194/port 1294/", "s/tun-udp/tun-old/", "s#udp.sock#udp-old.sock#", "/^ifconfig-pool/d")
    old = f"sed '{'; '.join(edits)}; s/10.91.0.0/10.91.64.0/'"
    gateway.run(f"{old} /etc/openvpn/server/udp.conf > {OLD_CONFIG} && systemctl start openvpn@udp-old")
    playbooks.add("fiona", "laptop")
    playbooks.add("stella", "laptop")
    with variables_beside_the_inventory("gateway1", WANTED):
        yield playbooks.succeed("site", *LIMIT)
    playbooks.succeed("site", *LIMIT)
    assert not gateway.succeeds("systemctl is-active openvpn-server@fast-1")


def test_the_forgotten_configuration_is_caught(configured: Outcome, gateways: tuple[LabHost, LabHost]) -> None:
    assert OLD_CONFIG in configured.output
    assert not gateways[0].succeeds(f"test -e {OLD_CONFIG}")
    assert gateways[0].succeeds(f"ls {OLD_CONFIG}.quarantined-*")
    assert not gateways[0].succeeds("systemctl is-active openvpn@udp-old")
    assert gateways[0].run("ss -lun | grep -c :1294; true") == "0"


def test_a_second_run_changes_nothing(configured: Outcome, playbooks: Playbooks) -> None:
    assert playbooks.succeed("site", *LIMIT).changed == 0


@pytest.mark.parametrize("outside", [GATEWAY, GATEWAY6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize(("protocol", "port"), [("udp", 1194), ("tcp", 443)])
def test_both_families_work_outside_and_inside(
    configured: Outcome, alice: Client, playbooks: Playbooks, outside: str, protocol: str, port: int
) -> None:
    alice.install_profile(playbooks.add("alice", "laptop"))
    alice.connect(protocol=protocol, address=outside, port=port)
    assert alice.fetch(PAGE) is not None
    assert alice.fetch(PAGE6) is not None


def test_the_web_server_behind_the_tcp_port_is_reached(
    configured: Outcome, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    # nginx says so itself; whether browsers trust it is looked at where the certificates are.
    page = alice.run(f"curl --silent --max-time 5 http://{GATEWAY}:443/")
    assert "plain HTTP request was sent to HTTPS port" in page


def test_clients_spread_over_processes_behind_one_port(
    configured: Outcome, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    alice.install_profile(playbooks.add("alice", "laptop"))
    met: set[str] = set()
    # The source port, another each time, decides which process answers: sixteen on one side happen once in 32768 runs.
    for _attempt in range(16):
        alice.connect(protocol="udp", address=GATEWAY, port=FAST_PORT)
        assert alice.fetch(PAGE) is not None
        met |= set(re.findall(r"route-gateway ([0-9.]+)", alice.log()))
        if len(met) > 1:
            break
    running = gateways[0].run("systemctl list-units --plain --no-legend 'openvpn-server@fast-*' | wc -l")
    assert int(running) == int(gateways[0].run("nproc"))
    assert len(met) > 1


def test_a_group_reaches_its_networks_and_nothing_else(
    configured: Outcome, alice: Client, bob: Client, playbooks: Playbooks
) -> None:
    for client, user in ((alice, "fiona"), (bob, "bob")):
        client.install_profile(playbooks.add(user, "laptop"))
        client.connect(protocol="udp", address=GATEWAY, port=1194)
    reach = f"ping -c 1 -W 2 {BACK_OFFICE}"
    assert bob.succeeds(reach)
    assert alice.fetch(PAGE) is not None
    assert alice.fetch(PAGE6) is not None
    assert not alice.succeeds(reach)
    routes = alice.run("ip route show dev tun0")
    assert "0.0.0.0/1" not in routes, "a group with split tunnel was told to send everything"


def test_clients_do_not_reach_each_other(configured: Outcome, alice: Client, bob: Client, playbooks: Playbooks) -> None:
    for client, user in ((alice, "alice"), (bob, "bob")):
        client.install_profile(playbooks.add(user, "laptop"))
        client.connect(protocol="udp", address=GATEWAY, port=1194)
    address = alice.run("ip -oneline -4 address show dev tun0 | awk '{print $4}'").partition("/")[0]
    assert not bob.succeeds(f"ping -c 1 -W 2 {address}")


def test_a_device_has_its_own_address_and_routes(configured: Outcome, alice: Client, playbooks: Playbooks) -> None:
    alice.install_profile(playbooks.add("stella", "laptop"))
    alice.connect(protocol="udp", address=GATEWAY, port=1194)
    assert "10.91.15.77/" in alice.run("ip -oneline -4 address show dev tun0")
    assert "10.99.0.0/16" in alice.run("ip route show dev tun0")


@pytest.fixture
def leaky(alice: Client) -> Iterator[str]:
    """A device with a way out and a resolver outside, so that what leaks can be seen; the name of the interface."""
    outside = alice.interface(topology.address(INSTANCE, topology.HOSTS[3], "outside"))
    network = GATEWAY.rpartition(".")[0]
    gateway6 = GATEWAY6.rpartition(":")[0] + ":1"
    alice.run(
        "cp /etc/resolv.conf /run/resolv.before; echo 'nameserver 192.0.2.53' > /etc/resolv.conf"
        f"; ip route add default via {network}.1 dev {outside}; ip -6 route add default via {gateway6} dev {outside}"
        # What is on the link is reached there: the router of the lab sends nothing back to where it came from.
        f"; ip route add {network}.0/24 dev {outside} table 100; ip rule add to {network}.0/24 table 100"
    )
    yield outside
    alice.stop()
    alice.run(
        "cat /run/resolv.before > /etc/resolv.conf; ip route del default; ip -6 route del default"
        "; ip rule del table 100; ip route flush table 100; true"
    )


def browse(client: Client) -> None:
    """What a browser does: names from whatever resolver is set, pages over both families."""
    client.run(
        "dig +time=1 +tries=1 www.example.org; dig +time=1 +tries=1 @2001:db8::53 www.example.org"
        f"; curl --silent --max-time 2 {PAGE}; curl --silent --max-time 2 --globoff '{PAGE6}'"
        "; curl --silent --max-time 2 --globoff 'http://[2001:db8::80]/'; true"
    )


def leaks(client: Client, interface: str) -> list[str]:
    """DNS and IPv6 packets on an interface while somebody browses, without what link and tunnel need themselves."""
    upkeep = "net fe80::/10 or dst net ff00::/8 or (icmp6 and ip6[40] >= 133 and ip6[40] <= 137)"
    client.start_capture(interface, f"(port 53 or port 853 or ip6) and not ({upkeep}) and not host {GATEWAY6}")
    browse(client)
    return client.stop_capture()


@pytest.mark.parametrize("name", ["gateway1", "gateway2"])
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_nothing_leaks_around_a_full_tunnel(
    configured: Outcome, alice: Client, leaky: str, playbooks: Playbooks, protocol: str, name: str
) -> None:
    """gateway1 carries IPv6 inside; gateway2 does not, and IPv6 must not leave around it either."""
    before = leaks(alice, leaky)
    assert [line for line in before if ".53:" in line], "without a tunnel the resolver outside must be asked"
    assert [line for line in before if "2001:db8::80" in line], "without a tunnel IPv6 must leave"
    alice.install_profile(playbooks.add("alice", "laptop"))
    alice.connect(protocol=protocol, address=playbooks.addresses[name])
    assert leaks(alice, leaky) == []
    assert alice.fetch(PAGE) is not None


def test_a_split_tunnel_takes_what_belongs_inside(
    configured: Outcome, alice: Client, leaky: str, playbooks: Playbooks
) -> None:
    alice.install_profile(playbooks.add("fiona", "laptop"))
    alice.connect(protocol="udp", address=GATEWAY, port=1194)
    alice.start_capture(leaky, f"host {INTERNET} or host {INTERNET6}")
    assert "ANSWER: 1" in alice.run(f"dig +time=2 +tries=1 @{INTERNET} www.internet.lab")
    assert alice.fetch(PAGE) is not None
    assert alice.fetch(PAGE6) is not None
    assert alice.stop_capture() == []


def test_disabled_is_out_at_once_and_enabled_is_back(
    configured: Outcome, alice: Client, bystander: Client, playbooks: Playbooks
) -> None:
    alice.install_profile(playbooks.add("alice", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway2"])
    outcome = playbooks.succeed("user_disable", variables={"user_name": "alice"})
    assert re.search(r"1 session cut \(alice@laptop on udp\)", outcome.output)
    assert alice.fetch(PAGE, seconds=2) is None
    alice.start(protocol="tcp", address=GATEWAY)
    assert not alice.is_connected_within(6)
    assert bystander.stop_ping().lost == 0

    playbooks.succeed("user_enable", variables={"user_name": "alice"})
    alice.connect(protocol="udp", address=playbooks.addresses["gateway2"])
    assert alice.fetch(PAGE) is not None


def test_variables_of_another_gateway_do_no_harm(
    configured: Outcome, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    """Somebody runs a playbook without the gateway's own variables, while processes run that only these name."""
    before = gateways[0].run("cat /etc/openvpn/server/privatespace/ccd/*/DEFAULT; nft list table inet privatespace")
    with variables_beside_the_inventory("gateway1", {}):
        outcome = playbooks.run("user_disable", variables={"user_name": "fiona"})
    assert outcome.status != 0
    assert "Run the playbook site first" in outcome.output
    after = gateways[0].run("cat /etc/openvpn/server/privatespace/ccd/*/DEFAULT; nft list table inet privatespace")
    assert without_counters(after) == without_counters(before)
    playbooks.succeed("user_enable", variables={"user_name": "fiona"})


def without_counters(rules: str) -> str:
    """What is watched for a minute only, and what is counted, is no rule."""
    return re.sub(r"packets \d+ bytes \d+|\s*elements = {[^}]*(expires|limit)[^}]*}", "", rules)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"openvpn_push_options": ["ping 5\nscript-security 2"]}, "line"),
        pytest.param(
            {"openvpn_users": [{"name": "fiona", "push_options": ["script-security 2"]}]},
            "script-security",
            marks=pytest.mark.soak,
        ),
        pytest.param({"openvpn_dns_domains": ['lab" \nup /bin/sh']}, "domain", marks=pytest.mark.soak),
    ],
)
def test_hostile_values_are_refused_before_anything_changes(
    playbooks: Playbooks, variables: dict[str, object], complaint: str
) -> None:
    outcome = playbooks.run("site", "--limit", "authority1,gateway2", "--skip-tags", "dns,web", variables=variables)
    assert outcome.status != 0
    assert complaint in outcome.output
    assert outcome.changed == 0


def test_check_mode_says_whom_a_restart_disturbs(configured: Outcome, bystander: Client, playbooks: Playbooks) -> None:
    outcome = playbooks.succeed(
        "site",
        *("--check", "--diff", "--limit", "authority1,gateway2", *OPENVPN_ALONE),
        variables={"openvpn_replay_window_packets": 256},
    )
    assert re.search(r"will restart tcp: 1 user", outcome.output)
    assert bystander.stop_ping().lost == 0


def test_clients_are_back_in_seconds_after_a_restart(
    configured: Outcome, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    alice.install_profile(playbooks.add("alice", "laptop"))
    for protocol in ("udp", "tcp"):
        alice.connect(protocol=protocol, address=GATEWAY)
        gateways[0].run(f"systemctl restart openvpn-server@{protocol}")
        print(f"restart of {protocol}: packets again after {seconds_until_answered(alice):.1f} s")


def test_clients_follow_a_gateway_to_a_new_address(
    configured: Outcome, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    gateway, moved = gateways[0], GATEWAY.rpartition(".")[0] + ".31"
    device = gateway.interface(GATEWAY)
    alice.install_profile(playbooks.add("alice", "laptop"))
    alice.run(f"cp /etc/hosts /run/hosts.before; echo '{GATEWAY} moving.lab' >> /etc/hosts")
    try:
        alice.connect(protocol="udp", address="moving.lab", port=1194)
        gateway.run(
            f"systemctl stop openvpn-server@udp; ip address del {GATEWAY}/24 dev {device}"
            f"; ip address add {moved}/24 dev {device}; systemctl start openvpn-server@udp"
        )
        alice.run("cp /run/hosts.before /etc/hosts; " + f"echo '{moved} moving.lab' >> /etc/hosts")
        print(f"new address: packets again after {seconds_until_answered(alice):.1f} s")
        assert moved in alice.run("grep 'link remote:' /run/lab-vpn.log | tail -n 1")
    finally:
        alice.run("cat /run/hosts.before > /etc/hosts")
        gateway.run(f"ip address del {moved}/24 dev {device}; ip address add {GATEWAY}/24 dev {device}; true")


def seconds_until_answered(client: Client, *, limit: float = 40) -> float:
    """How long until a packet passes the tunnel again."""
    start = time.monotonic()
    while not client.succeeds(f"ping -c 1 -W 1 -I tun0 {INTERNET}"):
        assert time.monotonic() - start < limit, client.log()[-1500:]
    return time.monotonic() - start


def test_a_reboot_brings_everything_back(
    configured: Outcome, alice: Client, playbooks: Playbooks, gateways: tuple[LabHost, LabHost]
) -> None:
    gateways[0].reboot()
    assert gateways[0].run("ss -lun | grep -c :1294; true") == "0"
    alice.install_profile(playbooks.add("fiona", "laptop"))
    alice.connect(protocol="udp", address=GATEWAY, port=FAST_PORT)
    assert alice.fetch(PAGE) is not None
    assert not alice.succeeds(f"ping -c 1 -W 2 {BACK_OFFICE}")


def test_the_unit_is_shut_in(configured: Outcome, gateways: tuple[LabHost, LabHost]) -> None:
    for gateway in gateways:
        verdict = gateway.run("systemd-analyze security --no-pager openvpn-server@udp | tail -n 1")
        print(f"{gateway.name}: {verdict}")
        score = re.search(r"(\d+\.\d)", verdict)
        assert score is not None
        assert float(score[1]) < 3.0


def test_status_is_for_people_and_for_programs(
    configured: Outcome, bystander: Client, playbooks: Playbooks, tmp_path: Path
) -> None:
    path = tmp_path / "status.json"
    playbooks.succeed("status", variables={"output": "json", "output_path": str(path)})
    state = json.loads(path.read_text())
    assert state["schema"] == 1
    assert "bob@laptop" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_prometheus_finds_the_state(configured: Outcome, bystander: Client, gateways: tuple[LabHost, LabHost]) -> None:
    gateways[1].run("systemctl start privatespace-metrics.service")
    text = gateways[1].run("cat /var/lib/prometheus/node-exporter/privatespace.prom")
    assert re.search(r'^privatespace_\w*sessions\w*{[^}]*listener="tcp"[^}]*} 1$', text, re.MULTILINE)


def test_a_changed_route_drops_nobody(configured: Outcome, bob: Client, playbooks: Playbooks) -> None:
    """The last one: what it changes is taken back together with everything else."""
    bob.install_profile(playbooks.add("bob", "laptop"))
    bob.connect(protocol="udp", address=GATEWAY, port=1194)
    bob.start_ping(INTERNET)
    with variables_beside_the_inventory("gateway1", {**WANTED, "openvpn_push_routes": ["10.98.0.0/16"]}):
        assert playbooks.succeed("site", *LIMIT).changed > 0
    assert bob.stop_ping().lost == 0
    bob.connect(protocol="udp", address=GATEWAY, port=1194)
    assert "10.98.0.0/16" in bob.run("ip route show dev tun0")
