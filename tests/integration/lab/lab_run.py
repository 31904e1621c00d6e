"""Running the collection's playbooks and the Molecule scenario against the instance of the lab that this lane has."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lanes import INSTANCE_VARIABLE, instance_of
from privatespace_lab import topology

CHECKOUT = Path(__file__).resolve().parents[3]
STATE = CHECKOUT / ".lab"
INSTANCE = instance_of(os.environ)
INVENTORY = STATE / INSTANCE / "inventory.yml"
INTERNET = topology.internet_address(INSTANCE)
PAGE = f"http://{INTERNET}/"
PLAYBOOK_SECONDS = 600
# Half of the gateways run Debian 13.
UP = ("up", "--instance", INSTANCE, "--debian13", "gateway2")
DOWN = ("down", "--instance", INSTANCE)
# For ``site`` where a test is about OpenVPN's settings: all else has tests, and second runs, of its own.
OPENVPN_ALONE = ("--tags", "openvpn", "--skip-tags", "dns,web")


def lab_environment() -> dict[str, str]:
    """The environment in which Ansible finds this checkout, its own state folder and the hosts of the instance."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(STATE / INSTANCE / "ansible.cfg"),
        "ANSIBLE_HOME": str(STATE / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(STATE / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "PRIVATESPACE_CHECKOUT": str(CHECKOUT),
    }


@contextmanager
def variables_beside_the_inventory(host: str, variables: Mapping[str, object]) -> Iterator[None]:
    """Variables of a host where every playbook finds them, for the time of a block."""
    path = INVENTORY.parent / "host_vars" / f"{host}.yml"
    before = path.read_text() if path.is_file() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(variables))
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


def run_lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of ``./lab``; what it printed, errors included, is in ``stdout``."""
    return subprocess.run(
        [str(CHECKOUT / "lab"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAYBOOK_SECONDS,
        check=False,
    )


def converge() -> str:
    """Fresh hosts with everything installed, the short way; what went wrong, or nothing."""
    for arguments in (
        DOWN,
        UP,
        ("playbook", "--instance", INSTANCE, "site", "--extra-vars", '{"gateway_serial": "100%"}'),
    ):
        done = run_lab(*arguments)
        if done.returncode != 0:
            return f"./lab {' '.join(arguments)} ended with status {done.returncode}:\n{done.stdout[-4000:]}"
    return ""


def run_molecule() -> subprocess.CompletedProcess[str]:
    """The scenario ``default`` from nothing to verified; the hosts stay up afterwards.

    Ansible says and shows as much as it can, so that one can look for secrets in that.
    """
    environment = {
        **lab_environment(),
        INSTANCE_VARIABLE: INSTANCE,
        "ANSIBLE_VERBOSITY": "3",
        "ANSIBLE_DIFF_ALWAYS": "true",
    }
    del environment["ANSIBLE_CONFIG"]
    return subprocess.run(
        ["molecule", "test", "--scenario-name", "default", "--destroy", "always"],
        cwd=CHECKOUT / "extensions",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1500,
        check=False,
    )


@dataclass(frozen=True)
class Outcome:
    """How a playbook ended."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """Changed tasks of all hosts, by the play recap."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))


@dataclass(frozen=True)
class Playbooks:
    """The collection's playbooks on the hosts of the instance.

    :param profiles: Folder on the controller that profiles are delivered to.
    :param command: The ``ansible-playbook`` to use.
    """

    profiles: Path
    command: str = "ansible-playbook"
    addresses: dict[str, str] = field(default_factory=lambda: topology.gateway_addresses(INSTANCE))

    def run(self, name: str, *arguments: str, variables: Mapping[str, object] | None = None) -> Outcome:
        """Run a playbook and return how it ended, whatever that was. ``site`` takes both gateways at once."""
        at_once = {"gateway_serial": "100%"} if name == "site" else {}
        given = {"profile_folder": str(self.profiles), **at_once, **(variables or {})}
        done = subprocess.run(
            [self.command, f"privatespace.gateway.{name}", "-i", str(INVENTORY), "-e", json.dumps(given), *arguments],
            env=lab_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAYBOOK_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    def succeed(self, name: str, *arguments: str, variables: Mapping[str, object] | None = None) -> Outcome:
        """Run a playbook that must end well and must not warn."""
        outcome = self.run(name, *arguments, variables=variables)
        assert outcome.status == 0, outcome.output
        assert "[WARNING]" not in outcome.output, outcome.output
        assert "[DEPRECATION" not in outcome.output, outcome.output
        return outcome

    def add(self, user: str, device: str) -> Path:
        """Have a user's device with a profile on the controller; a lost profile gets a new certificate."""
        profile = self.profiles / f"{user}@{device}.ovpn"
        if not profile.is_file():
            self.succeed("user_add", variables={"user_name": user, "user_device": device, "user_reissue": "true"})
        return profile

    def remove(self, user: str, **more: object) -> Outcome:
        """Remove a user and prove it."""
        return self.succeed("user_remove", variables={"user_name": user, **more})
