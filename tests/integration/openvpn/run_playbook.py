"""Runs a playbook on this machine with an inventory of its own, as an operator would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration.run_module import collections_path

TIMEOUT_SECONDS = 120


def run_playbook(
    folder: Path,
    playbook: Any,
    inventory: Mapping[str, Any],
    *arguments: str,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the name of a playbook of the collection, or plays as data.

    :param folder: A folder that the caller removes.
    :param inventory: As an inventory file in YAML has it; every host is this machine.
    """
    name = playbook
    if not isinstance(playbook, str):
        name = str(folder / "play.json")
        Path(name).write_text(json.dumps(playbook), encoding="utf-8")
    hosts = folder / "inventory.json"
    hosts.write_text(json.dumps(inventory), encoding="utf-8")
    configuration = folder / "ansible.cfg"
    configuration.write_text("[inventory]\nenable_plugins = ansible.builtin.yaml\n", encoding="utf-8")
    extra = ("--extra-vars", json.dumps(dict(variables))) if variables else ()
    return subprocess.run(
        (str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(hosts), *extra, *arguments, name),
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(configuration),
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_NOCOLOR": "true",
        },
        cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip


def local(**variables: Any) -> dict[str, Any]:
    """A host of an inventory that is this machine."""
    return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
