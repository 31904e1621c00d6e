"""The lab's instance ``test`` for tests that need whole hosts: fresh, and converged by the Molecule scenario."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from integration.lab.lab_run import CHECKOUT, INSTANCE, INTERNET, Playbooks, run_molecule
from privatespace_lab.remote import Client, LabHost
from quality.tools import find_python

collect_ignore = [] if find_python("3.13") else ["test_line_b.py"]


@pytest.fixture(scope="session")
def molecule_run() -> Iterator[subprocess.CompletedProcess[str]]:
    """Fresh hosts, converged by the Molecule scenario; with ``PRIVATESPACE_LAB_REUSE=1`` the hosts as they stand."""
    if os.environ.get("PRIVATESPACE_LAB_REUSE"):
        yield subprocess.CompletedProcess(["molecule"], 0, "reused", "")
        return
    yield run_molecule()
    if not os.environ.get("PRIVATESPACE_LAB_KEEP"):
        subprocess.run([str(CHECKOUT / "lab"), "down", "--instance", INSTANCE], check=True)


@pytest.fixture(scope="session")
def hosts(molecule_run: subprocess.CompletedProcess[str]) -> None:
    """The hosts, or an error at once when they could not be converged."""
    if molecule_run.returncode != 0:
        pytest.fail("the hosts were not converged; test_molecule.py tells why", pytrace=False)


@pytest.fixture(scope="session")
def playbooks(hosts: None, tmp_path_factory: pytest.TempPathFactory) -> Playbooks:
    """Playbooks of the collection, run as an administrator does."""
    return Playbooks(profiles=tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="session")
def authority(hosts: None) -> LabHost:
    """The certification authority."""
    return LabHost(INSTANCE, "authority")


@pytest.fixture(scope="session")
def gateways(hosts: None) -> tuple[LabHost, LabHost]:
    """Both gateways: the first runs Debian 12, the second Debian 13."""
    return LabHost(INSTANCE, "gateway1"), LabHost(INSTANCE, "gateway2")


@pytest.fixture
def alice(hosts: None) -> Iterator[Client]:
    """A device, disconnected at the end of each test."""
    client = Client(INSTANCE, "alice")
    yield client
    client.stop()


@pytest.fixture
def bob(hosts: None) -> Iterator[Client]:
    """Another device, disconnected at the end of each test."""
    client = Client(INSTANCE, "bob")
    yield client
    client.stop()


@pytest.fixture
def bystander(bob: Client, playbooks: Playbooks) -> Client:
    """bob, connected over TCP to gateway2, with a ping through the tunnel that counts what is lost."""
    profile = playbooks.add("bob", "laptop")
    bob.install_profile(profile)
    bob.connect(protocol="tcp", address=playbooks.addresses["gateway2"])
    bob.start_ping(INTERNET)
    return bob
