# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server of a whole host: behind OpenVPN on one port, shut in, taken away and brought back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.lab.lab_run import CHECKOUT, INSTANCE, INVENTORY, PLAYBOOK_SECONDS, Outcome, lab_environment
from integration.tls_scan import scan_tls
from integration.web.web_site import issue_chain
from privatespace_lab import topology
from privatespace_lab.acme import AcmeServer
from privatespace_lab.remote import Client, LabHost

GATEWAY = "gateway2"
ADDRESS = topology.gateway_addresses(INSTANCE)[GATEWAY]
UNIT = "privatespace-web.service"
LIVE = "/etc/privatespace/tls/live"
# Where nobody has got a certificate for this gateway yet, the tests make one.
MADE = "lab"
Play = Callable[..., Outcome]


@pytest.fixture(scope="module")
def play(hosts: None, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run an entry point of a role on one gateway, as a play of an administrator does."""
    path = tmp_path_factory.mktemp("play") / "play.json"

    def run(role: str = "web", entry: str = "main", *flags: str, fails: bool = False, **variables: Any) -> Outcome:
        task = {
            "name": entry,
            "ansible.builtin.include_role": {"name": f"privatespace.gateway.{role}", "tasks_from": entry},
        }
        path.write_text(json.dumps([{"hosts": GATEWAY, "become": True, "gather_facts": False, "tasks": [task]}]))
        given = json.dumps({"web_enabled": True, **variables})
        done = subprocess.run(
            ["ansible-playbook", str(path), "-i", str(INVENTORY), "-e", given, *flags],
            env=lab_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=PLAYBOOK_SECONDS, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout
        assert "[WARNING]" not in done.stdout, done.stdout
        return Outcome(done.returncode, " ".join(done.stdout.split()) if fails else done.stdout)

    return run


@dataclass(frozen=True)
class Web:
    """The gateway, the name of its pages, and the certificate that theirs leads to."""

    host: LabHost
    name: str
    root: Path


@pytest.fixture(scope="module")
def web(play: Play, gateways: tuple[LabHost, LabHost], tmp_path_factory: pytest.TempPathFactory) -> Web:
    host = next(one for one in gateways if one.name == GATEWAY)
    name = json.loads(host.run("cat /etc/privatespace/announce.json"))["name"]
    root = tmp_path_factory.mktemp("root") / "root.pem"
    if host.run(f"readlink {LIVE}", check=False) in {"", MADE}:
        root.write_bytes(certify(host, name))
    else:
        root.write_text(AcmeServer(INSTANCE).root())
    play("openvpn")
    play()
    host.run(f"systemctl reload {UNIT}")
    return Web(host, name, root)


def certify(host: LabHost, name: str) -> bytes:
    """Have a certificate on the gateway; the certificate that it leads to."""
    folder = f"{LIVE.rpartition('/')[0]}/{MADE}"
    chain, key, root = issue_chain((name,))
    host.run(f"mkdir -p -m 0700 {folder}")
    host.write(f"{folder}/fullchain.pem", chain.decode())
    host.write(f"{folder}/privkey.pem", key.decode())
    host.run(f"ln -sfn {MADE} {LIVE}")
    return root


def test_pages_are_shown_on_the_port_of_openvpn(web: Web, bob: Client) -> None:
    assert "openvpn" in web.host.run("ss --listening --tcp --numeric --processes 'sport = :443'")
    pages = "/var/lib/privatespace/web/pages"
    web.host.run(f"echo a page of the lab >{pages}/lab.html")
    bob.write("/root/web-root.pem", web.root.read_text())
    answer = bob.run(f"curl --silent --show-error --include --cacert /root/web-root.pem https://{web.name}/lab")
    web.host.run(f"rm {pages}/lab.html")
    assert "HTTP/2 200" in answer
    assert "content-security-policy: default-src 'none'; style-src 'self'" in answer
    assert answer.endswith("a page of the lab")
    moved = bob.run(f"curl --silent --output /dev/null --write-out '%{{redirect_url}}' http://{web.name}/lab")
    assert moved == f"https://{web.name}/lab"


def test_strangers_names_are_not_answered(web: Web, bob: Client) -> None:
    told = bob.run(f"curl --insecure --show-error https://{ADDRESS}/ 2>&1", check=False)
    assert "unrecognized name" in told


def test_it_keeps_to_mozillas_profile(web: Web, tmp_path: Path) -> None:
    scan = scan_tls(web.name, ADDRESS, tmp_path, root=web.root)
    assert scan.complies, scan.text


def test_where_visitors_come_from_is_known_while_they_are_there(web: Web, bob: Client) -> None:
    bob.run(
        f"systemd-run --quiet --collect --unit=lab-visitor --property=StandardInput=null sh -c "
        f"'sleep 20 | openssl s_client -quiet -connect {ADDRESS}:443 -servername {web.name}'"
    )
    try:
        noted = ""
        deadline = time.monotonic() + 15
        while not noted and time.monotonic() < deadline:
            noted = web.host.run("cat /run/privatespace-visitors/* 2>/dev/null", check=False)
        own = bob.run(f"ss --no-header --tcp --numeric 'dport = :443' dst {ADDRESS}").split()[3]
        assert noted.startswith("[AF_INET")
        assert noted.endswith(own)
        names = web.host.run("stat --format '%n %a %G' /run/privatespace-visitors/*")
        assert names.startswith("/run/privatespace-visitors/[AF_INET]127.0.0.1:")
        assert names.endswith(" 640 privatespace-visitors")
    finally:
        bob.run("systemctl stop lab-visitor", check=False)


def test_a_second_run_changes_nothing(play: Play, web: Web) -> None:
    assert play("web", "main", "--check").changed == 0
    assert play().changed == 0


def test_it_is_shut_in(web: Web) -> None:
    assert web.host.succeeds(f"systemd-analyze security --threshold=25 {UNIT}")
    owners = web.host.run(f"ps -o user= --ppid $(systemctl show --property=MainPID --value {UNIT})").split()
    assert owners
    assert {owner[:7] for owner in owners} == {"private"}


def test_it_comes_back_when_it_is_killed(web: Web) -> None:
    before = web.host.run(f"systemctl show --property=MainPID --value {UNIT}")
    web.host.run(f"kill -9 {before}")
    is_another = f"test $(systemctl show --property=MainPID --value {UNIT}) != {before}"
    assert web.host.succeeds(f"timeout 20 sh -c 'until systemctl is-active {UNIT} && {is_another}; do sleep 0.2; done'")


@pytest.mark.parametrize(
    "context", ["http", *(pytest.param(one, marks=pytest.mark.soak) for one in ("server80", "server443"))]
)
def test_a_bad_part_of_another_role_is_refused_and_the_others_stay(play: Play, web: Web, context: str) -> None:
    before = web.host.run("sha256sum $(find /etc/privatespace/web -type f)")
    part = {"web_fragment_name": "lab", "web_fragment_context": context, "web_fragment_content": "nonsense on;"}
    told = play("web", "fragment", fails=True, **part).output
    assert 'unknown directive "nonsense"' in told
    assert web.host.run("sha256sum $(find /etc/privatespace/web -type f)") == before


def test_a_part_of_another_role_comes_and_goes(play: Play, web: Web, bob: Client) -> None:
    part = {"web_fragment_name": "lab", "web_fragment_context": "server443"}
    good = "location = /lab-part { return 200 here; }"
    assert play("web", "fragment", web_fragment_content=good, **part).changed == 2
    assert play("web", "fragment", web_fragment_content=good, **part).changed == 0
    asked = f"curl --silent --insecure https://{web.name}/lab-part"
    assert bob.succeeds(f"timeout 10 sh -c 'until {asked} | grep -qx here; do sleep 0.2; done'")
    assert play("web", "fragment", **part).changed == 2
    assert bob.succeeds(f"timeout 10 sh -c 'while {asked} | grep -qx here; do sleep 0.2; done'")


@pytest.mark.soak
def test_it_leaves_the_port_to_a_new_listener_and_takes_it_back(play: Play, web: Web) -> None:
    listeners = yaml.safe_load((CHECKOUT / "roles/openvpn/defaults/main.yml").read_text())["openvpn_listeners"]
    alone = {"openvpn_listeners": [one for one in listeners if one["protocol"] == "udp"]}
    holder = "ss --no-header --listening --tcp --numeric --processes 'sport = :443'"
    try:
        play("openvpn", **alone)
        play(**alone)
        assert "nginx" in web.host.run(holder)
    finally:
        play("openvpn")
    assert "openvpn" in web.host.run(holder)
    assert "nginx" not in web.host.run(holder)
    assert play().changed == 0


@pytest.mark.soak
def test_taken_away_it_says_who_still_hands_browsers_over(play: Play, web: Web) -> None:
    try:
        told = " ".join(play(web_enabled=False).output.split())
        assert "OpenVPN still hands browsers to 127.0.0.1:8443, where nobody waits any more" in told
        assert play(web_enabled=False).changed == 0
        assert not web.host.succeeds(f"systemctl cat {UNIT}")
        assert not web.host.succeeds("test -e /etc/privatespace/web || test -e /var/lib/privatespace/web")
        assert not web.host.succeeds("getent passwd privatespace-web")
        assert not web.host.succeeds("systemctl is-active nginx.service")
        assert not web.host.run("ss --no-header --listening --tcp --numeric 'sport = :80'")
        web.host.run("systemd-run --quiet --collect --unit=lab-squatter python3 -m http.server 80; sleep 1")
        refused = play(fails=True)
        assert ":80 is taken by python3" in refused.output
        assert refused.changed == 0
    finally:
        web.host.run("systemctl stop lab-squatter", check=False)
        play()
    assert web.host.succeeds(f"systemctl is-active {UNIT}")
    assert web.host.succeeds("test -L /etc/privatespace/web/enabled/https.conf")
