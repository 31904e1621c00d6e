"""Runs of the collection's playbooks on the lab's hosts, and what they say of themselves."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

from conftest import CHECKOUT

STATE = CHECKOUT / ".lab"
PLAYBOOK_SECONDS = 1200
_RECAP = re.compile(r"^\S+\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class PlaybookRun:
    """How a run went.

    :param tasks: Tasks that were begun, whatever the number of hosts.
    :param results: Tasks that ran, each host counted.
    :param changed: Of these, how many changed something.
    """

    seconds: float
    tasks: int
    results: int
    changed: int


def parse_output(text: str, seconds: float) -> PlaybookRun:
    """What ``ansible-playbook`` printed.

    :raises ValueError: there is no recap, or a host failed.
    """
    recap = [[int(number) for number in row] for row in _RECAP.findall(text)]
    if not recap or any(unreachable or failed for _ok, _changed, unreachable, failed in recap):
        raise ValueError(f"the playbook failed: {text[-1500:]}")
    tasks = len(re.findall(r"^(?:TASK|RUNNING HANDLER) \[", text, re.MULTILINE))
    return PlaybookRun(seconds, tasks, results=sum(row[0] for row in recap), changed=sum(row[1] for row in recap))


def environment(instance: str) -> Mapping[str, str]:
    """For programs of Ansible: this checkout, and the hosts of an instance."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(STATE / instance / "ansible.cfg"),
        "ANSIBLE_HOME": str(STATE / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(STATE / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "PRIVATESPACE_CHECKOUT": str(CHECKOUT),
    }


def play(instance: str, name: str, *arguments: str) -> PlaybookRun:
    """Run a playbook of the collection on an instance.

    :raises ValueError: it failed.
    """
    began = time.perf_counter()
    done = subprocess.run(
        ["ansible-playbook", f"privatespace.gateway.{name}", *arguments], env=environment(instance), check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PLAYBOOK_SECONDS,
    )  # fmt: skip
    return parse_output(done.stdout, time.perf_counter() - began)
