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
SANITY_AT_LEAST = ("compile", "import", "pep8", "pylint", "shellcheck", "validate-modules", "yamllint")
INSTALLATION_CHATTER = (
    *("Collecting", "Downloading", "Processing", "Looking in", "Installing", "Successfully installed", "Using cached"),
    *("WARNING: Location", "WARNING: Using locale", "\N{BOX DRAWINGS HEAVY HORIZONTAL}"),
)
INVENTORY_GROUPS = ("authority", "gateways", "clients", "outside_world")


def find_python(version: str) -> Path | None:
    """The interpreter of a version such as ``3.13``, from PATH or pyenv's folder, or ``None``.

    A pyenv shim on PATH may exist and yet refuse to run, so each candidate is asked.
    """
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = [Path(folder) / name for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for candidate in (*on_path, *sorted(pyenv.glob(f"versions/{version}*/bin/{name}"))):
        if (
            candidate.is_file()
            and subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0
        ):
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
        """The process environment: the caller's without settings of Ansible, git, mypy, pytest and Python, in UTF-8."""
        foreign = ("ANSIBLE_", "MYPY", "PYTEST_", "PYTHON")
        kept = {name: value for name, value in _without_git(os.environ).items() if not name.startswith(foreign)}
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


def run_sanity(environment: Environment, *, home: Path) -> subprocess.CompletedProcess[str]:
    """Run every sanity check of ansible-test on a copy of the checkout that is its own, for it writes into it.

    :param home: A folder that stands for the user's home, where ansible-test keeps its environments from run to run.
    """
    own = Environment(environment.python, copy_checkout(CHECKOUT / ".lab" / "sanity"))
    version = own.run(own.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    _offer_pip(own, home=home, version=version)
    return own.attempt(
        *(own.tool("ansible-test"), "sanity", "--local", "--python", version, "--color", "no"),
        extra={"HOME": str(home)},
    )


def _offer_pip(environment: Environment, *, home: Path, version: str) -> None:
    """Put a stand-in for get-pip where ansible-test looks for it, so that it downloads none.

    It copies the pip that ansible-test asks for, taken from the package registry like every other pinned tool.
    """
    for name in (".config/pip", ".pip"):
        real, shown = Path.home() / name, home / name
        if real.is_dir() and not shown.exists():
            shown.parent.mkdir(parents=True, exist_ok=True)
            shown.symlink_to(real)
    question = (
        "from types import SimpleNamespace; from ansible_test._internal.python_requirements import get_venv_packages; "
        f"print(get_venv_packages(SimpleNamespace(version='{version}'))['pip'])"
    )
    wanted = environment.run(environment.python, "-c", question).strip()
    cache = home / ".ansible/test/cache"
    source = cache / f"pip-{wanted}"
    if not source.is_dir():
        uv = Path(sys.executable).parent / "uv"
        environment.run(
            uv, "pip", "install", "--quiet", "--python", environment.python, "--target", source, f"pip=={wanted}"
        )
    stand_in = cache / f"get_pip_{wanted.replace('.', '_')}.py"
    stand_in.write_text(
        "import shutil, sysconfig\n"
        f"shutil.copytree({str(source)!r}, sysconfig.get_path('purelib'), dirs_exist_ok=True)\n"
    )


def require_sanity(done: subprocess.CompletedProcess[str]) -> None:
    """Fail the test unless every sanity check ran, on files, and passed."""
    done.stdout = "\n".join(
        line for line in done.stdout.splitlines() if not line.lstrip().startswith(INSTALLATION_CHATTER)
    )
    require_success(done)
    missing = [name for name in SANITY_AT_LEAST if f'Running sanity test "{name}"' not in done.stdout]
    if missing or "skipp" in done.stdout.lower():
        pytest.fail(f"ansible-test skipped checks ({', '.join(missing)}):\n{done.stdout}", pytrace=False)


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
    # A repository of its own: tools that ask git would find the outer one, which ignores everything in .lab.
    subprocess.run(
        ["git", "init", "--quiet", "--template=", root], check=True, capture_output=True, env=_without_git(os.environ)
    )
    _remove_others(root, wanted)
    for name in wanted:
        source, target = CHECKOUT / name, root / name
        if not target.exists() or _stamp(source) != _stamp(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return destination


def _remove_others(root: Path, wanted: set[str]) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        name = path.relative_to(root).as_posix()
        if name == ".git" or name.startswith((".git/", "tests/output")):
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in wanted:
            path.unlink()


def _without_git(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that a git hook sets to point at its own repository."""
    return {
        name: value for name, value in variables.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    }


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
