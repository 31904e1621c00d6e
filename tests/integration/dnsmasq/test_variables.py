"""What the role's defaults and its unit become on hosts of several kinds, by Ansible itself."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml
from integration.openvpn.run_playbook import local, run_playbook

ROLE = Path(__file__).resolve().parents[3] / "roles/dnsmasq"
HAS4, HAS6 = {"address": "192.0.2.7"}, {"address": "2001:db8::7"}
HOSTS = {"ipv4_only": (HAS4, {}), "ipv6_only": ({}, HAS6), "both": (HAS4, HAS6), "none": ({}, {})}
PLAY = {
    "hosts": "all",
    "gather_facts": False,
    "vars_files": [f"{ROLE}/defaults/main.yml", f"{ROLE}/vars/main.yml"],
    "tasks": [
        {"set_fact": {"default_ipv4": "{{ found[0] }}", "default_ipv6": "{{ found[1] }}", "cacheable": True}},
        {
            "copy": {
                "content": "{{ [dnsmasq_upstreams, dnsmasq_tls_upstreams | map(attribute='address')] | to_json }}",
                "dest": "{{ playbook_dir }}/{{ inventory_hostname }}",
            }
        },
        {
            "template": {
                "src": f"{ROLE}/templates/privatespace-dnsmasq.service.j2",
                "dest": "{{ playbook_dir }}/{{ inventory_hostname }}.service",
            }
        },
    ],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variables")
    inventory = {"all": {"hosts": {name: local(found=list(found)) for name, found in HOSTS.items()}}}
    done = run_playbook(folder, [PLAY], inventory, "--extra-vars", "dnsmasq_concurrent_queries=3000")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize(
    ("host", "first"),
    [("ipv4_only", "9.9.9.9"), ("ipv6_only", "2620:fe::fe"), ("both", "9.9.9.9"), ("none", "9.9.9.9")],
)
def test_the_upstreams_by_default_are_those_that_the_host_can_reach(results: Path, host: str, first: str) -> None:
    """With both, one kind may lead nowhere, and half of the upstreams would be told as dead at each run."""
    for servers in json.loads((results / host).read_text()):
        assert servers[0] == first
        assert {":" in server for server in servers} == {":" in first}
        assert len(servers) > 2


def test_a_number_given_as_digits_is_a_number_in_the_unit(results: Path) -> None:
    assert "\nLimitNOFILE=10096\n" in (results / "both.service").read_text()


DAY = 86400
STARTED, RESTARTED = ["started", False], ["restarted", False]


@pytest.mark.parametrize(
    ("seconds", "lines", "outcome"),
    [
        (DAY, ["NeedDaemonReload=no"], STARTED),
        (-DAY, ["NeedDaemonReload=no"], RESTARTED),
        (DAY, ["NeedDaemonReload=yes"], ["restarted", True]),
    ],
)
def test_a_process_that_is_older_than_its_program_or_a_unit_that_was_not_read_is_restarted(
    tmp_path: Path, seconds: int, lines: list[str], outcome: list[object]
) -> None:
    """A package's files bear the time at which it was built."""
    tasks = {task["name"]: task for task in yaml.safe_load((ROLE / "tasks/unit.yml").read_text())}
    asked = tasks["Look since when it runs"]["ansible.builtin.command"]["argv"]
    assert {"LoadState", "NeedDaemonReload", "ExecMainStartTimestamp"} <= set(asked[3].partition("=")[2].split(","))
    start = tasks["Have it running on its present files"]
    wanted = start["ansible.builtin.systemd_service"]
    for name in ("conf", "x.service", "program"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    stdout = [f"ExecMainStartTimestamp=@{int(time.time()) + seconds}", *lines]
    given = {
        "__dnsmasq_unit": "x", "__dnsmasq_unit_folder": str(tmp_path), "__dnsmasq_unit_config": str(tmp_path / "conf"),
        "__dnsmasq_unit_program": str(tmp_path / "program"), "__dnsmasq_written": {"changed": False},
        "__dnsmasq_unit_written": {"changed": False},
        "__dnsmasq_since": {"stdout": "\n".join(stdout), "stdout_lines": stdout},
    }  # fmt: skip
    judged = {"state": wanted["state"], "reload": wanted["daemon_reload"], **start["vars"]}
    copy = {
        "copy": {"content": "{{ [state, reload] | to_json }}", "dest": "{{ playbook_dir }}/outcome"},
        "vars": judged,
    }
    play = {"hosts": "all", "gather_facts": False, "vars": given, "tasks": [tasks["Look how old its files are"], copy]}
    done = run_playbook(tmp_path, [play], {"all": {"hosts": {"here": local()}}})
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "outcome").read_text()) == outcome
