"""Runs one module as a user's playbook would, and returns what it returned.

Use the fixture: ``result = run_module("hsm_key", {"state": "present", ...}, check=True)``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = CHECKOUT / ".lab" / "collections"
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class ModuleResult:
    """The end of one module run.

    :param values: Everything that the module returned.
    :param output: All that Ansible printed, to be searched for secrets.
    """

    values: dict[str, Any]
    output: str

    @property
    def changed(self) -> bool:
        return bool(self.values.get("changed"))

    @property
    def failed(self) -> bool:
        return bool(self.values.get("failed"))

    @property
    def message(self) -> str:
        return str(self.values.get("msg", ""))

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class RunModule(Protocol):
    """The fixture ``run_module``; it fails the test when the module fails, unless ``fails`` expects that."""

    def __call__(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        check: bool = False,
        diff: bool = False,
        fails: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> ModuleResult: ...


def collections_path() -> Path:
    """A folder in which Ansible finds this checkout as the collection, made where it is missing."""
    link = COLLECTIONS / "ansible_collections" / "privatespace" / "gateway"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() and not link.exists():
        link.symlink_to(CHECKOUT)
    return COLLECTIONS


def _playbook(name: str, arguments: Mapping[str, Any]) -> str:
    task = {f"privatespace.gateway.{name}": dict(arguments)}
    play = {"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": [task]}
    return json.dumps([play])


def _environment(extra: Mapping[str, str], home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(_empty_configuration(home)),
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "true",
        **extra,
    }


def _empty_configuration(home: Path) -> Path:
    """A configuration file that says nothing, so that none of this machine's is read."""
    home.mkdir(mode=0o700, exist_ok=True)
    path = home / "ansible.cfg"
    path.touch()
    return path


def run(
    folder: Path, name: str, arguments: Mapping[str, Any], *, flags: tuple[str, ...], environment: Mapping[str, str]
) -> ModuleResult:
    """Run a module by ``ansible-playbook`` on this machine, with files in a folder that the caller removes."""
    playbook = folder / "play.json"
    playbook.write_text(_playbook(name, arguments), encoding="utf-8")
    playbook.chmod(0o600)
    ansible = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [str(ansible), "-i", "localhost,", *flags, str(playbook)],
        env=_environment(environment, folder / "ansible"), cwd=folder, capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    start = done.stdout.find("{")
    if start < 0:
        pytest.fail(f"ansible-playbook ended with status {done.returncode} and no result:\n{output}")
    report, _end = json.JSONDecoder().raw_decode(done.stdout[start:])
    return ModuleResult(report["plays"][0]["tasks"][0]["hosts"]["localhost"], output)


@pytest.fixture
def run_module(tmp_path: Path) -> RunModule:
    """A function that runs one module of the collection against this machine."""

    def runner(
        name: str,
        arguments: Mapping[str, Any],
        *,
        check: bool = False,
        diff: bool = False,
        fails: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> ModuleResult:
        flags = (*(["--check"] if check else []), *(["--diff"] if diff else []))
        result = run(tmp_path, name, arguments, flags=flags, environment=environment or {})
        if result.failed is not fails:
            pytest.fail(f"{name} {'failed' if result.failed else 'did not fail'}:\n{result.output}")
        return result

    return runner
