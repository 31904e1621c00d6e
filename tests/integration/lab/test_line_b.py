"""The main playbooks under the newest supported ansible-core; not collected where its Python is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from integration.lab.lab_run import PAGE, Playbooks
from quality.tools import CHECKOUT, find_python, make_environment

if TYPE_CHECKING:
    from privatespace_lab.remote import Client


@pytest.fixture(scope="module")
def newest(playbooks: Playbooks) -> Playbooks:
    """Playbooks run by the newest supported ansible-core."""
    python = find_python("3.13")
    assert python is not None
    requirements = CHECKOUT / "tests/requirements-2.21.txt"
    interpreter = make_environment("venv-2.21", requirements=requirements, python=python)
    return replace(playbooks, command=str(interpreter.parent / "ansible-playbook"))


def test_the_main_playbooks_on_hosts_that_the_default_line_made(alice: Client, newest: Playbooks) -> None:
    assert newest.succeed("site", "--skip-tags", "dns,web", "--limit", "authority1,gateway1").changed == 0
    alice.install_profile(newest.add("victor", "laptop"))
    alice.connect(protocol="udp", address=newest.addresses["gateway1"])
    assert alice.fetch(PAGE) is not None
    newest.succeed("status")
    assert "1 session cut (victor@laptop on udp)" in newest.remove("victor").output
    assert alice.fetch(PAGE, seconds=2) is None


@pytest.mark.soak
def test_the_whole_installation(newest: Playbooks) -> None:
    assert newest.succeed("site").changed == 0
