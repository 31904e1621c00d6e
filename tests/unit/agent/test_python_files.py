"""Which Python files a host needs, and what is to be done so that it has these and no others."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import metrics
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.python_files import (
    PythonFile,
    loaded_files,
    plan_files,
)

UTILS = "ansible_collections/privatespace/gateway/plugins/module_utils"


def test_a_program_brings_along_what_it_imports_and_nothing_of_ansible() -> None:
    files = loaded_files()
    assert metrics.__name__ in sys.modules
    for name in ("_agent/metrics.py", "_openvpn/management.py", "_core/errors.py", "_core/__init__.py"):
        assert f"{UTILS}/{name}" in files
    assert b"def gather_gateway" in files[f"{UTILS}/_agent/gateway_state.py"].content
    assert not [name for name in files if "/_module/" in name or not name.startswith(UTILS)]


def test_a_module_without_a_source_is_none_of_ours() -> None:
    name = f"{UTILS}/_openvpn/made_up".replace("/", ".")
    module = types.ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    assert loaded_files({name: module}) == {}


def test_what_differs_is_written_and_what_nobody_needs_is_removed() -> None:
    present = {
        "same": PythonFile(b"1"),
        "other": PythonFile(b"1"),
        "mode": PythonFile(b"1", 0o600),
        "old": PythonFile(b""),
    }
    wanted = {"same": PythonFile(b"1"), "other": PythonFile(b"2"), "mode": PythonFile(b"1"), "new": PythonFile(b"3")}
    change = plan_files(present, wanted)
    assert change.steps == ("mode", "new", "old", "other")
    assert (change.before["new"], change.after["old"]) == ("absent", "absent")
    assert change.before["mode"].endswith("mode 0600")
    assert change.result["files"] == ["mode", "new", "other", "same"]
    assert not plan_files(wanted, wanted).needed
