"""An instance of the lab for tests that need whole hosts: fresh and converged, by Molecule where that is tested."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from integration.lab.lab_run import DOWN, INSTANCE, INTERNET, Playbooks, converge, run_lab, run_molecule
from lanes import INSTANCE_VARIABLE
from privatespace_lab.remote import Client, LabHost
from quality.tools import find_python

collect_ignore = [] if find_python("3.13") else ["test_line_b.py"]


# What went wrong when the hosts were made; nothing when they stand. Not there before somebody made them.
TROUBLE = pytest.StashKey[str]()
# What the installation printed, where Molecule made it.
PRINTED = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def own_instance(pytestconfig: pytest.Config) -> Iterator[None]:
    """The instance for this process alone; with ``PRIVATESPACE_LAB_REUSE=1`` the hosts as they stand."""
    if os.environ.get(INSTANCE_VARIABLE, INSTANCE) != INSTANCE:
        pytest.fail("tests of the lab run in two processes at most: each needs hosts of its own", pytrace=False)
    if os.environ.get("PRIVATESPACE_LAB_REUSE"):
        pytestconfig.stash[TROUBLE] = ""
        yield
        return
    yield
    if not os.environ.get("PRIVATESPACE_LAB_KEEP"):
        done = run_lab(*DOWN)
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def molecule_run(own_instance: None, pytestconfig: pytest.Config) -> subprocess.CompletedProcess[str]:
    """The Molecule scenario, which leaves converged hosts behind."""
    if TROUBLE in pytestconfig.stash:
        return subprocess.CompletedProcess(["molecule"], 0, "hosts that stand already are reused", "")
    done = run_molecule()
    pytestconfig.stash[PRINTED] = done.stdout
    failed = done.returncode != 0
    pytestconfig.stash[TROUBLE] = "the hosts were not converged; test_molecule.py tells why" if failed else ""
    return done


@pytest.fixture(scope="session")
def hosts(own_instance: None, pytestconfig: pytest.Config) -> None:
    """Hosts on which everything is installed, or an error at once when they could not be made."""
    if TROUBLE not in pytestconfig.stash:
        pytestconfig.stash[TROUBLE] = converge()
    if pytestconfig.stash[TROUBLE]:
        pytest.fail(pytestconfig.stash[TROUBLE], pytrace=False)


@pytest.fixture(scope="session")
def playbooks(hosts: None, tmp_path_factory: pytest.TempPathFactory) -> Playbooks:
    """Playbooks of the collection, run as an administrator does."""
    return Playbooks(profiles=tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="session")
def installation_output(playbooks: Playbooks, pytestconfig: pytest.Config) -> str:
    """All that an installation prints: the first one, or one more where the hosts were made without Molecule."""
    if PRINTED in pytestconfig.stash:
        return pytestconfig.stash[PRINTED]
    return playbooks.succeed("site", "-vvv", "--diff").output


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
