"""Roles, playbooks and plugins as Ansible's own tools see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from quality.tools import require_valid_syntax

if TYPE_CHECKING:
    from pathlib import Path

    from quality.tools import Environment

NAMESPACE = "privatespace.gateway"


def test_ansible_lint_finds_nothing(line_a: Environment) -> None:
    output = line_a.run(line_a.tool("ansible-lint"), "--offline", "--profile", "production", "--strict")
    if "Passed: 0 failure(s), 0 warning(s)" not in output:
        pytest.fail(f"ansible-lint did not say that it passed:\n{output}", pytrace=False)


def test_playbooks_have_valid_syntax(line_a: Environment, tmp_path: Path) -> None:
    require_valid_syntax(line_a, inventory=tmp_path / "inventory.ini")


@pytest.mark.parametrize(("kind", "folder"), [("module", "modules"), ("filter", "filter")])
def test_ansible_doc_documents_every_plugin(installed: Environment, tree: Path, kind: str, folder: str) -> None:
    files = {f"{NAMESPACE}.{path.stem}" for path in tree.glob(f"plugins/{folder}/*.py")}
    listed = json.loads(_ansible_doc(installed, "--type", kind, "--list", NAMESPACE))
    assert set(listed) == files
    if files:
        documented = json.loads(_ansible_doc(installed, "--type", kind, *sorted(files)))
        incomplete = [name for name in sorted(files) if not _is_complete(documented.get(name, {}))]
        assert not incomplete, f"documentation, examples or return values are missing: {incomplete}"


def _is_complete(entry: dict[str, object]) -> bool:
    doc = entry.get("doc")
    return (
        isinstance(doc, dict)
        and bool(doc.get("short_description"))
        and bool(entry.get("examples"))
        and bool(entry.get("return"))
    )


def test_ansible_doc_documents_every_role(installed: Environment, tree: Path) -> None:
    files = {f"{NAMESPACE}.{path.name}" for path in tree.glob("roles/*") if path.is_dir()}
    listed = json.loads(_ansible_doc(installed, "--type", "role", "--list", NAMESPACE))
    assert set(listed) == files


def _ansible_doc(environment: Environment, *arguments: str) -> str:
    output = environment.run(environment.tool("ansible-doc"), "--json", *arguments, cwd=environment.collections)
    if "WARNING" in output:
        pytest.fail(f"ansible-doc warns:\n{output}", pytrace=False)
    return output
