# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story that ``./lab demo`` tells: two gateways, two users, one of them removed. Every figure is measured."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from privatespace_lab import topology
from privatespace_lab.engine import STATE, LabError
from privatespace_lab.remote import Client

INSTANCE = "demo"
PROFILES = STATE / INSTANCE / "profiles"
REFUSED_SECONDS = 12
GATEWAYS = tuple(topology.gateway_addresses(INSTANCE))
INTERNET = topology.internet_address(INSTANCE)
PAGE = f"http://{INTERNET}/"


def tell(text: str) -> None:
    """Print a line of the story."""
    print(text, flush=True)


@contextmanager
def chapter(number: int, title: str) -> Iterator[None]:
    """Announce a part of the story, and say how long it took."""
    tell(f"\n━━ {number}. {title}")
    began = time.monotonic()
    yield
    tell(f"   ({time.monotonic() - began:.1f} s)")


def play(name: str, *variables: str) -> float:
    """Run a playbook of the collection as an administrator does, showing its output, and return its seconds.

    :raises LabError: the playbook failed.
    """
    argv = ["ansible-playbook", f"privatespace.gateway.{name}", "-i", str(STATE / INSTANCE / "inventory.yml")]
    argv += [part for variable in variables for part in ("-e", variable)]
    tell("   $ " + " ".join(argv).replace(str(STATE.parent) + "/", ""))
    began = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            tell("   │ " + line.rstrip())
    if process.returncode != 0:
        raise LabError(f"the playbook {name} failed; its output above says why")
    return time.monotonic() - began


def read_names(profile: Path) -> dict[str, str]:
    """The names under which a profile reaches the gateways, by host; they are in the order of the inventory."""
    remotes = [line.split()[1] for line in profile.read_text().splitlines() if line.startswith("remote ")]
    return dict(zip(GATEWAYS, dict.fromkeys(remotes)))


def connect(client: Client, *, protocol: str, name: str) -> None:
    """Connect, fetch the page through the tunnel, and show what the page says."""
    client.connect(protocol=protocol, address=name)
    page = client.fetch(PAGE)
    if page is None:
        raise LabError(f"{client.name} is connected to {name} over {protocol} and still cannot fetch {PAGE}")
    tell(f"   {client.name}: connected to {name} over {protocol.upper()}; {PAGE} says: {page.splitlines()[-1]}")


def show_refused(client: Client, names: Iterable[str]) -> None:
    """Try every gateway over both protocols with a profile that was removed.

    :raises LabError: one of them let the client in, which is the worst that can happen.
    """
    for name in names:
        for protocol in ("udp", "tcp"):
            client.start(protocol=protocol, address=name)
            if client.is_connected_within(REFUSED_SECONDS) or client.fetch(PAGE, seconds=2):
                raise LabError(f"{client.name} was removed and is let in by {name} over {protocol}")
            tell(f"   {client.name}: refused by {name} over {protocol.upper()}")
    client.stop()


def tell_story() -> None:
    """The whole demonstration on hosts that stand."""
    alice, bob = Client(INSTANCE, "alice"), Client(INSTANCE, "bob")
    with chapter(1, "Install the authority and both gateways"):
        play("site")
    with chapter(2, "Add two users"):
        for user in ("alice", "bob"):
            add_user(user)
        names = read_names(PROFILES / "alice@laptop.ovpn")
        tell(f"   their profiles know the gateways by name: {', '.join(f'{host} is {names[host]}' for host in names)}")
    with chapter(3, "Both connect: alice over UDP, bob over TCP"):
        for client in (alice, bob):
            client.stop()
            client.install_profile(PROFILES / f"{client.name}@laptop.ovpn")
            if client.fetch(PAGE, seconds=2):
                raise LabError(f"{client.name} reaches {PAGE} without a tunnel; the lab is not what it should be")
        tell(f"   without a tunnel, neither reaches {PAGE}")
        connect(alice, protocol="udp", name=names["gateway1"])
        connect(bob, protocol="tcp", name=names["gateway2"])
    with chapter(4, "Remove alice, while bob's ping runs"):
        bob.start_ping(INTERNET)
        seconds = play("user_remove", "user_name=alice")
        tell(f"   the whole command took {seconds:.1f} s, Ansible's start included")
    with chapter(5, "alice tries again, everywhere"):
        show_refused(alice, names.values())
        result = bob.stop_ping()
        silence = result.longest_silence * 1000
        tell(f"   bob: {result.sent} packets sent, {result.lost} lost, longest silence {silence:.0f} ms")
        if result.lost:
            raise LabError("a bystander lost packets while somebody else was removed")


def add_user(user: str) -> None:
    """Add a user's laptop; one whose profile was lost with an earlier demonstration gets a new certificate."""
    profile = PROFILES / f"{user}@laptop.ovpn"
    variables = [f"user_name={user}", "user_device=laptop", f"profile_folder={PROFILES}"]
    play("user_add", *variables, *([] if profile.is_file() else ["user_reissue=true"]))


def main() -> int:
    """Tell the story and what to try next; 1 with one line when a part of it does not hold."""
    began = time.monotonic()
    try:
        tell_story()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    tell(
        f"""
━━ Done in {time.monotonic() - began:.0f} s. The hosts are still running.
   Profiles:        {PROFILES.relative_to(STATE.parent)}/  (bob's works; alice's is refused)
   Who is there:    ./lab playbook status
   Add a phone:     ./lab playbook user_add -e user_name=bob -e user_device=phone
   alice again:     ./lab playbook user_add -e user_name=alice -e user_device=laptop
   Look around:     ./lab shell gateway1
   Tidy up:         ./lab down"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
