"""Names of gateways by the role: given or only read, the same with --limit, released on request only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from integration.openvpn.run_playbook import local, run_playbook
from integration.pki.authority_host import AuthorityHost

NAMES, RELEASED = "dns_gateway_names | default('none')", "pki_gateway_names_released | default([])"
TOLD = f"NAMES {{{{ {NAMES} | to_json }}}} {{{{ {RELEASED} | to_json }}}} END"
PRINT = {"name": "Print", "ansible.builtin.debug": {"msg": TOLD}}


class Site:
    """An authority with gateways that nobody reaches."""

    def __init__(self, host: AuthorityHost, folder: Path, labels: dict[str, str]) -> None:
        self.folder = folder / "site"
        python = self.folder / "python" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        (self.folder / "ca.pem").touch()
        variables = {"pki_store": str(host.store), "pki_python_folder": str(python.parents[1]), "ansible_become": False}
        gateways = {name: {"ansible_host": "192.0.2.1", "dns_label": label} for name, label in labels.items()}
        self.inventory = {
            "authority": {"hosts": {"ca": local(pki_ca_path=str(self.folder / "ca.pem"), **variables)}},
            "gateways": {"hosts": gateways},
        }

    def play(self, entry: str, *flags: str, **variables: Any) -> CompletedProcess[str]:
        role = {"name": "privatespace.gateway.pki", "tasks_from": entry}
        tasks = [{"name": "Role", "ansible.builtin.include_role": role}, PRINT]
        play = {"name": "Names", "hosts": "authority", "gather_facts": False, "vars": variables, "tasks": tasks}
        return run_playbook(self.folder, [play], self.inventory, *flags)

    def names(self, *flags: str, zone: str = "example.net", **variables: Any) -> Any:
        done = self.play("names", *flags, pki_gateway_zone=zone, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        told = done.stdout.split("NAMES ")[1].split(" END")[0].replace('\\"', '"')
        found, end = json.JSONDecoder().raw_decode(told)
        return found, json.loads(told[end:]), "changed=0" not in done.stdout


@pytest.fixture
def site(host: AuthorityHost, tmp_path: Path) -> Site:
    return Site(host, tmp_path, {"gw1": "", "gw2": "hq"})


def test_given_read_and_kept(site: Site) -> None:
    given, _released, changed = site.names(pki_gateway_names_allocate=True)
    assert (sorted(given), given["gw2"], changed) == (["gw1", "gw2"], "hq.example.net", True)
    assert site.names("--limit", "ca", pki_gateway_names_allocate=True) == (given, [], False)
    site.inventory["gateways"]["hosts"]["gw2"]["dns_label"] = "york"
    assert site.names() == (given, [], False), "who only reads changes nothing"
    again, released, _changed = site.names(pki_gateway_names_allocate=True, pki_gateway_names_reserved=["vpn"])
    assert (again, released) == ({**given, "gw2": "york.example.net"}, ["hq.example.net"])
    del site.inventory["gateways"]["hosts"]["gw1"]
    assert site.names(pki_gateway_names_allocate=True)[0] == {"gw2": "york.example.net"}
    site.inventory["gateways"]["hosts"]["gw1"] = {}
    assert site.names() == (again, [], False), "a gateway that is back has its name"


def test_without_a_zone_nothing_is_done(site: Site, host: AuthorityHost) -> None:
    assert site.names(zone="", pki_gateway_names_allocate=True) == ("none", [], False)
    assert host("pki_info")["gateway_names"] == {}


def test_check_mode_writes_nothing_and_gets_past_a_fresh_host(site: Site, host: AuthorityHost) -> None:
    found, _released, changed = site.names("--check", pki_gateway_names_allocate=True)
    assert (found, changed) == ({"gw2": "hq.example.net"}, True)
    assert host("pki_info")["gateway_names"] == {}
    fresh: dict[str, Any] = {"pki_python_folder": "/nowhere", "__pki_usable": False}
    for allocate in (True, False):
        assert site.names("--check", pki_gateway_names_allocate=allocate, **fresh) == ({}, [], False)


def test_a_name_is_released_on_request_also_of_a_gateway_that_is_gone(site: Site, host: AuthorityHost) -> None:
    wish = {"gateways": [{"name": "gone", "label": "york"}, {"name": "gw2", "label": "hq"}], "zone": "example.net"}
    host("gateway_name", wish)
    for _time in range(2):
        done = site.play("names_release", pki_gateway_zone="example.net", pki_gateway_release="gone")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "york.example.net" in done.stdout.split("NAMES ")[1]
        assert list(host("pki_info")["gateway_names"]) == ["gw2"]


@pytest.mark.parametrize(
    ("gateway", "zone", "words"),
    [
        ("gw7", "example.net", "gave no name to a gateway 'gw7'"),
        ("", "example.net", "Say whose name is to be released"),
        ("gw2", "", "Say whose name is to be released"),
    ],
)
def test_a_release_that_makes_no_sense_is_refused(site: Site, gateway: str, zone: str, words: str) -> None:
    done = site.play("names_release", pki_gateway_zone=zone, pki_gateway_release=gateway)
    assert done.returncode != 0
    assert words in done.stdout


def test_an_authority_that_is_not_there_is_said(site: Site) -> None:
    done = site.play("names", pki_gateway_zone="example.net", pki_python_folder="/nowhere")
    assert done.returncode != 0
    assert "is not an authority yet" in done.stdout
