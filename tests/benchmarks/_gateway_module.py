"""A module as Ansible runs it on a gateway: one file for the system's Python, with the arguments in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.run_module import collections_path

SYSTEM_PYTHON = "/usr/bin/python3"
# Where a module that is ready to be sent has its arguments.
_ARGUMENTS = re.compile(rb"^params='(?:[^'\\]|\\.)*',$", re.MULTILINE)
BUILD_SECONDS = 60
RUN_SECONDS = 60
# What Ansible does on the controller before it sends a module.
BUILD = """
import json, sys
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
wanted = json.load(sys.stdin)
init_plugin_loader([wanted["collections"]])
found = module_loader.find_plugin_with_context(wanted["name"])
built = modify_module(
    module_name=found.resolved_fqcn, module_path=found.plugin_resolved_path, module_args=wanted["arguments"],
    templar=Templar(loader=DataLoader()), task_vars={"ansible_python_interpreter": wanted["python"]},
    module_compression="ZIP_DEFLATED",
)
sys.stdout.buffer.write(built.b_module_data)
"""


@dataclass(frozen=True)
class GatewayModule:
    """A module that is ready to be sent.

    :param content: What Ansible sends, with the word in place of which another is written.
    :param placeholder: That word; it stands in the arguments only.
    """

    content: bytes
    placeholder: str

    def write(self, path: Path, word: str) -> None:
        """Write it for another word in the arguments.

        :raises ValueError: the module does not have the placeholder once.
        """
        if self.content.count(self.placeholder.encode()) != 1:
            raise ValueError(f"'{self.placeholder}' does not stand in the module exactly once")
        path.write_bytes(self.content.replace(self.placeholder.encode(), word.encode()))

    def with_arguments(self, arguments: Mapping[str, Any]) -> bytes:
        """The same module with other arguments.

        :raises ValueError: nobody knows where they stand in it.
        """
        line = f"params={json.dumps({'ANSIBLE_MODULE_ARGS': arguments})!r},".encode()
        changed, count = _ARGUMENTS.subn(lambda _found: line, self.content)
        if count != 1:
            raise ValueError(f"the module has its arguments {count} times")
        return changed


def build_module(name: str, arguments: Mapping[str, Any], *, placeholder: str) -> GatewayModule:
    """Have Ansible make a module ready to be sent.

    :param name: With the name of its collection.

    :raises RuntimeError: with what Ansible says.
    """
    wanted = {
        "name": name, "arguments": dict(arguments), "collections": str(collections_path()), "python": SYSTEM_PYTHON,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", BUILD], input=json.dumps(wanted).encode(), capture_output=True, check=False,
        timeout=BUILD_SECONDS, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections_path())},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.decode(errors='replace')[-800:]}")
    return GatewayModule(done.stdout, placeholder)


def run_module_file(path: Path) -> dict[str, Any]:
    """Run what was written, and return what the module returned.

    :raises RuntimeError: it failed.
    """
    done = subprocess.run(
        [SYSTEM_PYTHON, str(path)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=RUN_SECONDS,
    )  # fmt: skip
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"{path.name}: {(done.stderr or done.stdout)[-800:]}") from error
    if result.get("failed"):
        raise RuntimeError(f"{path.name}: {result.get('msg')}")
    return result
