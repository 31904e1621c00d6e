"""An authority on this machine: a token, a folder, and the modules that work with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.run_module import ModuleResult, RunModule, collections_path
from integration.softhsm import SoftToken, make_token

TIMEOUT_SECONDS = 120
DIRECT_RUN = """
import json, runpy, sys
from datetime import timedelta
sys.path.insert(0, sys.argv[1])
sys.modules.update(dict.fromkeys(sys.argv[4:]))
from ansible.module_utils.testing import patch_module_args
from ansible_collections.privatespace.gateway.plugins.module_utils._host import clock
real = clock.utc_now
clock.utc_now = lambda: real() + timedelta(seconds=float(sys.argv[3]))
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module(f"ansible_collections.privatespace.gateway.plugins.modules.{sys.argv[2]}", run_name="__main__")
"""


@dataclass(frozen=True)
class AuthorityHost:
    """Runs modules with the options of one authority."""

    token: SoftToken
    folder: Path
    run: RunModule | None = None

    @property
    def store(self) -> Path:
        return self.folder / "authority.db"

    @property
    def server_key(self) -> Path:
        return self.folder / "tls-crypt-v2-server.key"

    @property
    def crl(self) -> Path:
        return self.folder / "crl.pem"

    @property
    def crl_der(self) -> Path:
        return self.folder / "crl.der"

    def __call__(
        self,
        module: str,
        options: Mapping[str, Any] | None = None,
        *,
        check: bool = False,
        diff: bool = False,
        fails: bool = False,
        without: tuple[str, ...] = (),
        clock_offset: float = 0,
    ) -> ModuleResult:
        """Run a module in a process of its own, as Ansible does on a host, without the second that a playbook takes.

        :param without: Python packages that cannot be imported there.
        :param clock_offset: How many seconds the clock of that process is ahead.
        """
        arguments = {**self.options_of(module), **(options or {}), "_ansible_check_mode": check, "_ansible_diff": diff}
        done = subprocess.run(
            [sys.executable, "-c", DIRECT_RUN, str(collections_path()), module, str(clock_offset), *without],
            input=json.dumps(arguments), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
        if not done.stdout.lstrip().startswith("{"):
            pytest.fail(f"{module} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
        result = ModuleResult(json.loads(done.stdout), done.stdout + done.stderr)
        if result.failed is not fails:
            pytest.fail(f"{module} {'failed' if result.failed else 'did not fail'}:\n{result.output}")
        return result

    def options_of(self, module: str) -> dict[str, Any]:
        """The options that every run of a module needs here."""
        if module in ("pki_info", "pki_backup", "gateway_name"):
            return {"store": str(self.store)}
        if module == "hsm_key":
            return {**self.token.options}
        if module.startswith("authority_"):
            return {}
        options = {"store": str(self.store), **self.token.options}
        return options | ({"crl_path": str(self.crl), "crl_der_path": str(self.crl_der)} if module == "pki_crl" else {})

    def play(self, module: str, options: Mapping[str, Any], *, check: bool = False, diff: bool = False) -> ModuleResult:
        """Run a module by a playbook, as an administrator does."""
        if self.run is None:
            pytest.fail("this host has no playbooks")
        return self.run(module, {**self.options_of(module), **options}, check=check, diff=diff)

    def set_up(self) -> ModuleResult:
        return self("pki_authority", {"tls_crypt_v2_server_key": str(self.server_key)})

    def users(
        self,
        *users: dict[str, Any] | str,
        check: bool = False,
        fails: bool = False,
        clock_offset: float = 0,
        **options: Any,
    ) -> ModuleResult:
        wanted = [{"name": user} if isinstance(user, str) else user for user in users]
        return self("pki_users", {"users": wanted, **options}, check=check, fails=fails, clock_offset=clock_offset)

    def openssl(self, *arguments: str | Path, stdin: str = "") -> str:
        done = subprocess.run(
            ["openssl", *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False, cwd=self.folder
        )
        if done.returncode != 0:
            pytest.fail(f"openssl {arguments} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an authority that was set up once, to be copied for every test that needs one."""
    folder = tmp_path_factory.mktemp("template")
    token = make_token(folder / "softhsm")
    host = AuthorityHost(token, folder / "authority")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in token.environment.items():
            patch.setenv(name, value)
        host.set_up()
    return folder


@pytest.fixture
def bare_host(soft_token: SoftToken, run_module: RunModule, tmp_path: Path) -> AuthorityHost:
    """A token and nothing else."""
    return AuthorityHost(soft_token, tmp_path / "authority", run_module)


@pytest.fixture
def host(bare_host: AuthorityHost, template: Path) -> AuthorityHost:
    """An authority that has been set up."""
    shutil.rmtree(bare_host.token.objects_folder)
    shutil.copytree(template / "softhsm" / "tokens", bare_host.token.objects_folder)
    shutil.copytree(template / "authority", bare_host.folder)
    return bare_host
