# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files of the role on this machine, with files in folders of their own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.dns.name_server import free_port
from integration.openvpn.run_playbook import local, run_playbook
from integration.run_module import CHECKOUT
from integration.web.web_site import NAME, NGINX

ROLE = "privatespace.gateway.web"
GATEWAY = "gateway"
TCP = {"name": "tcp", "protocol": "tcp", "port": 443}


def run_role(
    folder: Path, entries: str, *flags: str, shown: str = "", fails: bool = False, main_pid: int = 0, **variables: Any
) -> str:
    """Run task files, one after the other; what was said, with the value of an expression at its end.

    :param main_pid: The process that systemd takes for the web server.
    """
    systemctl = folder / "bin/systemctl"
    systemctl.parent.mkdir(exist_ok=True)
    systemctl.write_text(f"#!/bin/sh\necho LoadState=loaded\necho MainPID={main_pid}\n")
    systemctl.chmod(0o755)
    # What the role itself has in vars gives way to those of a task only.
    places = {
        "__web_folder": f"{folder}/etc/web",
        "__web_state_folder": f"{folder}/var/web",
        "__web_certificate_folder": f"{folder}/tls",
        "__web_unit_folder": f"{folder}/units",
        "__web_listener_folder": f"{folder}/openvpn",
        "__web_user": "root",
    }
    tasks: list[dict[str, Any]] = [
        {"name": entry, "ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry, "public": True},
         "vars": {**places, **variables.pop("inside", {})}}
        for entry in entries.split()
    ]  # fmt: skip
    if shown:
        tasks.append({"name": "Show", "ansible.builtin.debug": {"msg": f"shown: {{{{ {shown} }}}}"}})
    path = {"PATH": f"{systemctl.parent}:{os.environ['PATH']}"}
    play = {"name": "Run", "hosts": "all", "gather_facts": False, "tasks": tasks, "environment": path}
    own = {"web_enabled": True, "web_server_names": [NAME], **variables}
    done = run_playbook(folder, [play], {"all": {"hosts": {GATEWAY: local(**own)}}}, *flags)
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout + done.stderr
    # Long messages are broken into lines by some versions.
    return " ".join((done.stdout + done.stderr).split())


def changes(output: str) -> int:
    return int(output.rpartition("changed=")[2].split()[0])


def test_the_pages_are_enabled_only_while_there_is_a_certificate(tmp_path: Path) -> None:
    link, certificate = tmp_path / "etc/web/enabled/https.conf", tmp_path / "tls"
    assert changes(run_role(tmp_path, "configure")) > 0
    assert not link.is_symlink()
    certificate.mkdir()
    for name in ("fullchain.pem", "privkey.pem"):
        assert changes(run_role(tmp_path, "configure")) == 0
        (certificate / name).write_text("PEM")
    assert changes(run_role(tmp_path, "configure")) == 1
    assert link.readlink() == tmp_path / "etc/web/available/https.conf"
    assert changes(run_role(tmp_path, "configure")) == 0
    (certificate / "fullchain.pem").unlink()
    assert changes(run_role(tmp_path, "configure", "--check")) == 1
    assert link.is_symlink()
    assert changes(run_role(tmp_path, "configure")) == 1
    assert not link.is_symlink()


def test_what_nginx_can_do_is_still_known_where_it_need_not_be_installed(tmp_path: Path) -> None:
    """In check mode, so that no user is made."""
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr.strip()
    assert said in run_role(tmp_path, "version install", "--check", shown="__web_version.stderr")


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"web_server_names": [], "acme_names": ["vpn.example.org", "*.vpn.example.org"]}, ["vpn.example.org"]),
        ({"web_server_names": [], "dns_zone": "example.net", "dns_label": "york"}, ["york.example.net"]),
        ({"web_server_names": [], "dns_zone": "example.net", "dns_gateway_names": {GATEWAY: NAME}}, [NAME]),
    ],
)
def test_which_names_nginx_answers_to(tmp_path: Path, variables: dict[str, Any], names: list[str]) -> None:
    run_role(tmp_path, "configure", **variables)
    (line,) = re.findall(r"server_name (.*);", (tmp_path / "etc/web/available/https.conf").read_text())
    assert line.split() == names


@pytest.mark.parametrize(("answers", "sockets"), [(True, 1), (False, 2)])
def test_it_answers_ipv6_itself_where_openvpn_is_told_not_to(tmp_path: Path, answers: bool, sockets: int) -> None:
    shown: dict[str, Any] = {"inside": {"__web_addresses6": {"content": "eA=="}}, "openvpn_ipv6_outside": answers}
    run_role(tmp_path, "configure", **shown)
    text = (tmp_path / "etc/web/available/https.conf").read_text()
    assert len(re.findall(r"listen .*443 ssl", text)) == sockets
    assert ("listen [::]:443 ssl" in text) is not answers


@pytest.mark.parametrize("comes", [False, True], ids=["alone", "before openvpn"])
def test_browsers_are_not_handed_to_somebody_else(tmp_path: Path, comes: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        variables: dict[str, Any] = {"web_http_port": free_port(), "web_shared_port": port, "openvpn_listeners": [TCP]}
        inside = {"__web_openvpn_comes": comes}
        told = run_role(tmp_path, "preflight", "--check", fails=True, inside=inside, **variables)
    assert f"127.0.0.1:{port} is taken by" in told
    assert "failed=1" in told


def test_check_mode_before_there_is_a_name_looks_no_further(tmp_path: Path) -> None:
    zone: dict[str, Any] = {"web_server_names": [], "dns_zone": "example.net"}
    assert "has no name yet" in run_role(tmp_path, "preflight", "--check", **zone)
    told = run_role(tmp_path, "preflight", "--check", fails=True, web_server_names=[])
    assert "Set dns_zone and run the playbook site, or set acme_names or web_server_names" in told


def test_ports_that_come_a_moment_after_the_reload_are_waited_for(tmp_path: Path) -> None:
    http, shared = free_port(), free_port()
    sockets: list[socket.socket] = []

    def listen() -> None:
        sockets.extend(socket.create_server((address, port)) for address, port in (("", http), ("127.0.0.1", shared)))

    # Later than the first look.
    timer = threading.Timer(8, listen)
    timer.start()
    try:
        variables: dict[str, Any] = {"web_http_port": http, "web_shared_port": shared, "openvpn_listeners": [TCP]}
        run_role(tmp_path, "waiting", main_pid=os.getpid(), **variables)
    finally:
        timer.join()
        for one in sockets:
            one.close()


def test_ports_that_never_come_are_told(tmp_path: Path) -> None:
    http, shared = free_port(), free_port()
    variables: dict[str, Any] = {"web_http_port": http, "web_shared_port": shared, "openvpn_listeners": [TCP]}
    told = run_role(tmp_path, "waiting", fails=True, main_pid=os.getpid(), **variables)
    assert f"nginx does not wait on 0.0.0.0:{http}, 127.0.0.1:{shared}." in told


@pytest.mark.parametrize("address", ["", "[::]:", "127.0.0.1:"])
def test_openvpn_finds_where_the_web_server_has_its_port(address: str) -> None:
    (looked,) = (
        task["ansible.builtin.find"]["contains"]
        for task in yaml.safe_load((CHECKOUT / "roles/openvpn/tasks/web_port.yml").read_text())
        if "ansible.builtin.find" in task
    )
    pattern = re.sub(r"{{.*}}", "443|1194", looked)
    assert re.match(pattern, f"        listen {address}443 ssl http2;")
    assert re.match(pattern, f"        listen {address}1194;")
    assert not re.match(pattern, f"        listen {address}8443 ssl http2;")
