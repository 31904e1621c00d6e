# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files of the role on this machine, with files in folders of their own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.run_playbook import local, run_playbook
from integration.web.web_site import NAME, NGINX

ROLE = "privatespace.gateway.web"
GATEWAY = "gateway"


def run_role(folder: Path, entries: str, *flags: str, shown: str = "", **variables: Any) -> str:
    """Run task files, one after the other; what was said, with the value of an expression at its end."""
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
    play = {"name": "Run", "hosts": "all", "gather_facts": False, "tasks": tasks}
    own = {"web_enabled": True, "web_server_names": [NAME], **variables}
    done = run_playbook(folder, [play], {"all": {"hosts": {GATEWAY: local(**own)}}}, *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout + done.stderr
    return done.stdout


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
        ({}, [NAME]),
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
    shown = {"inside": {"__web_addresses6": {"content": "eA=="}}, "openvpn_ipv6_outside": answers}
    run_role(tmp_path, "configure", **shown)
    text = (tmp_path / "etc/web/available/https.conf").read_text()
    assert len(re.findall(r"listen .*443 ssl", text)) == sockets
    assert ("listen [::]:443 ssl" in text) is not answers
