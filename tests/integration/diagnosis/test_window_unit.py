"""The measuring window as a unit of systemd, opened and closed by its module on a gateway of its own.

probe .2 --- gateway .1, a host with systemd in namespaces, with listeners and the firewall of the role openvpn
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks._diagnosis_gateway import Gateway, Keys, processes, unit
from benchmarks._hosts import Host
from benchmarks._namespaces import Namespaces
from integration.run_module import collections_path

SUBNET = "10.84.91"
GATEWAY, PROBE = f"{SUBNET}.1", f"{SUBNET}.2"
UNIT = "privatespace-diagnosis.service"
FOLDER = "/run/privatespace/diagnosis"
TALK = Path(__file__).with_name("responder_client.py")


class Remote:
    """The gateway, and Ansible on it."""

    def __init__(self, host: Host, spaces: Namespaces) -> None:
        self.host, self.spaces = host, spaces

    def module(self, name: str, /, *flags: str, fails: bool = False, **arguments: Any) -> dict[str, Any]:
        play = {
            "hosts": "localhost", "gather_facts": False, "connection": "local",
            "tasks": [{f"privatespace.gateway.{name}": arguments}],
        }  # fmt: skip
        self.host.write("/run/play.json", json.dumps([play]), mode=0o600)
        environment = (
            f"ANSIBLE_COLLECTIONS_PATH={collections_path()}", "ANSIBLE_STDOUT_CALLBACK=ansible.posix.json",
            "ANSIBLE_HOME=/run/ansible", f"ANSIBLE_PYTHON_INTERPRETER={sys.executable}", "ANSIBLE_NOCOLOR=1",
        )  # fmt: skip
        ansible = str(Path(sys.executable).with_name("ansible-playbook"))
        done = self.host.attempt(
            "env", "--chdir=/run", *environment, ansible, "-i", "localhost,", *flags, "/run/play.json"
        )
        assert "{" in done.stdout, done.stdout + done.stderr
        text = done.stdout[done.stdout.find("{") :]
        (task,) = json.JSONDecoder().raw_decode(text)[0]["plays"][0]["tasks"]
        found: dict[str, Any] = {**task["hosts"]["localhost"], "output": done.stdout + done.stderr}
        assert bool(found.get("failed")) is fails, found.get("msg", done.stderr)
        return found

    def open(self, *flags: str, **arguments: Any) -> dict[str, Any]:
        return self.module("network_window", *flags, **{"probes": [PROBE], "seconds": 60, **arguments})

    def close(self, *flags: str, **arguments: Any) -> dict[str, Any]:
        return self.module("network_window", *flags, state="absent", **arguments)

    def rules(self) -> str:
        shown = self.host.run("nft", "--stateless", "--terse", "list", "ruleset")
        return "\n".join(line.rstrip() for line in shown.splitlines())

    def verbosities(self) -> list[str]:
        code = (
            "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(3)\ns.connect(sys.argv[1])\n"
            "s.sendall(b'verb\\n')\ntext = b''\nwhile b'verb=' not in text: text += s.recv(4096)\nprint(text.decode())"
        )
        paths = [f"/run/openvpn-server/{process['name']}.sock" for process in processes()]
        shown = [self.host.run("/usr/bin/python3", "-c", code, path) for path in paths]
        return [text.partition("verb=")[2].split()[0] for text in shown]

    def ask(self, question: str) -> str:
        argv = (sys.executable, str(TALK), "udp", GATEWAY, "5202", question)
        return self.spaces.inside("probe", *argv, seconds=10).strip()

    def require_nothing_left(self, rules: str) -> None:
        assert self.rules() == rules
        assert set(self.verbosities()) == {"3"}
        assert self.host.attempt("test", "-e", FOLDER).returncode == 1
        assert self.host.run("systemctl", "list-units", "--all", "--no-legend", UNIT).strip() == ""
        assert not [one for one in self.host.processes().values() if "iperf3" in one or "run.py" in one]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    folder = tmp_path_factory.mktemp("hosts")
    with Namespaces(folder) as spaces:
        spaces.cable("gateway", "probe", subnet=SUBNET)
        with Host(spaces, "gateway", "gateway1", folder / "store") as host:
            made = Gateway(host, Keys())
            made._write_keys()
            for process in processes():
                made._write_listener(process)
            made._write_firewall()
            host.run("systemctl", "daemon-reload")
            host.run("systemctl", "start", *(unit(process["name"]) for process in processes()))
            yield Remote(host, spaces)


@pytest.fixture(autouse=True)
def closed(gateway: Remote) -> Iterator[None]:
    yield
    gateway.host.attempt("systemctl", "stop", UNIT)
    gateway.host.attempt("rm", "-rf", FOLDER)


def test_it_is_opened_used_and_closed(gateway: Remote) -> None:
    rules = gateway.rules()
    opened = gateway.open(address=GATEWAY)
    assert opened["changed"] is True
    window = opened["window"]
    assert (window["address"], window["outside_ports"], window["responder_port"]) == (GATEWAY, [5201, 5203], 5202)
    assert {one["listener"] for one in window["tunnels"]} == {process["name"] for process in processes()}
    assert set(gateway.verbosities()) == {"4"}
    assert gateway.ask(f"{window['token']} time").startswith(window["token"])
    argv = ("iperf3", "--client", GATEWAY, "--port", "5203", "--time", "1", "--bitrate", "20M", "--json")
    assert json.loads(gateway.spaces.inside("probe", *argv, seconds=20))["end"]["sum_received"]["bytes"] > 10**6
    knock = f"import socket; s = socket.socket(2, 2); s.sendto(b'8' * 60, ('{GATEWAY}', 1194))"
    gateway.spaces.inside("probe", sys.executable, "-c", knock, seconds=5)
    time.sleep(0.5)
    finished = gateway.close()
    assert finished["changed"] is True
    seen = finished["seen"]
    assert seen["complete"] is True
    assert {one["listener"] for one in seen["samples"]} == {"", *(process["name"] for process in processes())}
    assert [one["kind"] for one in seen["logs"] if one["where"] == "udp"] == ["tls_error"], "from the journal"
    assert seen["unmeasured"] == []
    gateway.require_nothing_left(rules)
    again = gateway.close()
    assert (again["changed"], again["seen"]) == (False, None)


def test_it_runs_in_a_sandbox(gateway: Remote) -> None:
    gateway.open()
    pid = gateway.host.run("systemctl", "show", "--property=MainPID", "--value", UNIT).strip()
    status = gateway.host.run("cat", f"/proc/{pid}/status")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    served = [number for number, words in gateway.host.processes().items() if words.startswith("iperf3")]
    assert len(served) == 2 + len(processes())
    for number in served:
        status = gateway.host.run("cat", f"/proc/{number}/status")
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert "CapEff:\t0000000000000000" in status


def test_a_second_one_is_refused_by_who_has_it(gateway: Remote) -> None:
    gateway.open()
    refused = gateway.module("network_window", fails=True, probes=[PROBE])
    assert "A measuring window is open on this gateway." in refused["msg"]
    assert "opened it at" in refused["msg"]
    assert "state: absent" in refused["msg"]
    assert set(gateway.verbosities()) == {"4"}


def test_what_a_killed_one_changed_is_taken_back_at_once(gateway: Remote) -> None:
    rules = gateway.rules()
    gateway.open()
    gateway.host.run("systemctl", "kill", "--signal=KILL", UNIT)
    deadline = time.monotonic() + 10
    while gateway.rules() != rules and time.monotonic() < deadline:
        time.sleep(0.1)
    assert gateway.rules() == rules
    assert set(gateway.verbosities()) == {"3"}
    assert gateway.host.attempt("test", "-e", f"{FOLDER}/python").returncode == 1
    seen = gateway.close()["seen"]
    assert seen["complete"] is False
    assert "killed" in seen["unmeasured"][0]
    gateway.require_nothing_left(rules)


def test_it_closes_by_itself_and_its_result_waits(gateway: Remote) -> None:
    rules = gateway.rules()
    gateway.open(seconds=2)
    deadline = time.monotonic() + 15
    while gateway.rules() != rules and time.monotonic() < deadline:
        time.sleep(0.2)
    assert gateway.rules() == rules
    assert "closed by itself" in gateway.close()["seen"]["unmeasured"][-1]
    gateway.require_nothing_left(rules)


def test_check_mode_says_what_would_be_opened(gateway: Remote) -> None:
    rules = gateway.rules()
    told = gateway.open("--check")
    assert (told["changed"], told["window"]) == (True, None)
    assert PROBE in told["messages"][0]
    gateway.require_nothing_left(rules)
    gateway.open()
    assert gateway.close("--check")["changed"] is True
    assert gateway.host.run("systemctl", "is-active", UNIT).strip() == "active"


def test_a_token_that_was_given_is_not_told(gateway: Remote) -> None:
    token = "a-token-of-the-controller"
    opened = gateway.open("-vvv", token=token)
    assert "token" not in opened["window"]
    assert token not in opened["output"]
    assert gateway.ask(f"{token} time").startswith(token)


def test_a_window_without_probes_is_refused(gateway: Remote) -> None:
    assert "probes" in gateway.module("network_window", fails=True)["msg"]


def test_the_gateway_alone_is_looked_at(gateway: Remote) -> None:
    found = gateway.module("network_diagnosis", name="cambridge2", seconds=1)
    assert found["changed"] is False
    seen = found["observations"]["gateway"]
    assert seen["name"] == "cambridge2"
    assert {one["name"] for one in seen["listeners"]} == {process["name"] for process in processes()}
    assert all(one["buffers"] for one in seen["listeners"]), "from the journal"
    assert {one["what"] for one in seen["expiries"]} == {"gateway certificate", "CA certificate", "CRL"}
    assert seen["foreign_configs"] == []
    assert found["summary"]
    assert any("cambridge2" in line for line in found["summary"])


def test_what_a_window_saw_becomes_a_part_of_it(gateway: Remote) -> None:
    gateway.open()
    time.sleep(1)
    seen = gateway.close()["seen"]
    found = gateway.module("network_diagnosis", seen=seen)["observations"]["gateway"]
    assert len(found["samples"]) == len(seen["samples"])
    refused = gateway.module("network_diagnosis", fails=True, seen={"listeners": {}})
    assert "network_window" in refused["msg"]
