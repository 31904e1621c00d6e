"""Running the real tools: on a copy of the checkout, in environments of their own.

Each gate runs the real tool on a copy of the files that git tracks or would track, laid out as
``ansible_collections/privatespace/gateway``. So the checkout may lie at any path, and what a tool
leaves behind, or what lies in ``.lab``, disturbs nobody.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
WORK = CHECKOUT / ".lab" / "quality"
INSIDE = Path("ansible_collections/privatespace/gateway")
GATE_SECONDS = 600
INVENTORY_GROUPS = ("authority", "gateways", "clients", "outside_world")


def find_python(version: str) -> Path | None:
    """The interpreter of a version such as ``3.13``, from PATH or pyenv's folder, or ``None``.

    A pyenv shim on PATH may exist and yet refuse to run, so each candidate is asked.
    """
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = [Path(folder) / name for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for candidate in (*on_path, *sorted(pyenv.glob(f"versions/{version}*/bin/{name}"))):
        if candidate.is_file() and subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0:
            return candidate
    return None


@dataclass(frozen=True)
class Environment:
    """A Python environment with tools in it.

    :param python: Its interpreter.
    :param collections: The folder that holds ``ansible_collections``; only this one is searched for collections.
    """

    python: Path
    collections: Path

    def tool(self, name: str) -> str:
        """The path of a program of this environment."""
        return str(self.python.parent / name)

    def variables(self) -> dict[str, str]:
        """The process environment: the caller's without Ansible's, mypy's and pytest's settings, in UTF-8."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MYPY", "PYTEST_", "PYTHON"))
        }
        return kept | {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_HOME": str(WORK / "ansible-home"),
            "ANSIBLE_NOCOLOR": "1",
            "VIRTUAL_ENV": str(self.python.parent.parent),
        }

    def attempt(
        self, *argv: str | Path, cwd: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end without standard input; what it printed, errors included, is in ``stdout``."""
        return subprocess.run(
            [str(part) for part in argv],
            cwd=cwd or self.collections / INSIDE,
            env=self.variables() | dict(extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=GATE_SECONDS,
            check=False,
        )

    def run(self, *argv: str | Path, cwd: Path | None = None, extra: Mapping[str, str] | None = None) -> str:
        """Run a program that must succeed and return what it printed; the test fails with its output otherwise."""
        done = self.attempt(*argv, cwd=cwd, extra=extra)
        require_success(done)
        return done.stdout


def require_success(done: subprocess.CompletedProcess[str]) -> None:
    """Fail the test with the tool's own words when it did not end with status 0."""
    if done.returncode != 0:
        command = " ".join(Path(part).name if index == 0 else part for index, part in enumerate(done.args))
        pytest.fail(f"{command}\nended with status {done.returncode}:\n{done.stdout}", pytrace=False)


def copy_checkout(destination: Path) -> Path:
    """Make ``destination`` hold ``ansible_collections/privatespace/gateway`` as git would record it now.

    Files that did not change keep their time stamps, so that the tools' caches stay warm.
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    wanted = {name for name in listing.stdout.split("\0") if name and (CHECKOUT / name).is_file()}
    root = destination / INSIDE
    root.mkdir(parents=True, exist_ok=True)
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(root).as_posix() not in wanted:
            path.unlink()
    for name in wanted:
        source, target = CHECKOUT / name, root / name
        if not target.exists() or _stamp(source) != _stamp(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return destination


def _stamp(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_mode


def make_environment(name: str, *, requirements: Path, python: Path) -> Path:
    """The interpreter of ``.lab/NAME``, made anew by uv when the pinned requirements changed."""
    home = CHECKOUT / ".lab" / name
    uv = Path(sys.executable).parent / "uv"
    digest = hashlib.sha256(requirements.read_bytes() + str(python).encode()).hexdigest()
    stamp = home / "made-from.sha256"
    if not stamp.is_file() or stamp.read_text() != digest:
        for argv in (
            ["venv", "--quiet", "--clear", "--no-python-downloads", "--python", str(python), str(home)],
            ["pip", "install", "--quiet", "--python", str(home / "bin/python"), "--requirement", str(requirements)],
        ):
            require_success(
                subprocess.run([uv, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            )
        stamp.write_text(digest)
    return home / "bin/python"


def require_valid_syntax(environment: Environment, *, inventory: Path) -> None:
    """Check every playbook against an inventory that has the groups which the collection knows, without a warning."""
    inventory.write_text("".join(f"[{group}]\n{group.replace('_', '-')}1\n" for group in INVENTORY_GROUPS))
    playbooks = sorted((environment.collections / INSIDE).glob("playbooks/*.yml"))
    if not playbooks:
        pytest.fail("no playbook was found")
    output = environment.run(
        environment.tool("ansible-playbook"), "--syntax-check", "--inventory", inventory, *playbooks
    )
    if "WARNING" in output:
        pytest.fail(f"a syntax check warns:\n{output}", pytrace=False)
