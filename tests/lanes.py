"""Which tests run side by side in ``./lab test``, and on which hosts of the lab.

There are two lanes. Each begins with one half of the tests that need whole hosts, on an instance of the lab of its own,
and goes on with the folders of all other tests, whichever lane is free; they fill two cores. More lanes, where there
are more cores, have no hosts and take the other folders from the beginning. Without lanes everything runs in the same
order on the first instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

INSTANCES = ("test", "second")
# The variable by which a lane finds its instance. Not that of `./lab`: these hosts are removed and made anew.
INSTANCE_VARIABLE = "PRIVATESPACE_TEST_INSTANCE"
# Halves by time. A file that is not named runs in the other half.
FIRST_HALF = frozenset(
    (
        *("test_molecule.py", "test_acme.py", "test_acme_server.py", "test_faults.py", "test_following.py"),
        *("test_leftovers.py", "test_line_b.py", "test_names.py", "test_portal.py", "test_profiles.py"),
        *("test_second_factor.py", "test_story.py", "test_web.py"),
    )
)
# Begins with nothing, so that what it leaves need not be made for the others.
BEFORE_OTHERS = "test_molecule.py"
# Leaves another authority behind.
AFTER_OTHERS = "test_succession.py"


def instance_of(environment: Mapping[str, str]) -> str:
    """The instance for a process with these variables: always one of the two that are for tests."""
    wanted = environment.get(INSTANCE_VARIABLE, "")
    return wanted if has_instance(wanted) else INSTANCES[0]


def has_instance(wanted: str) -> bool:
    """Whether a lane has hosts of its own, by what it was given."""
    return wanted in INSTANCES


def needs_instance(folder: str) -> bool:
    """Whether the tests that stay together so need whole hosts."""
    return folder.startswith("lab-")


def instances_for(lanes: int) -> list[str]:
    """An instance for every lane, ``none`` when there are more lanes than instances."""
    return [*INSTANCES, *["none"] * lanes][:lanes]


def folder_of(nodeid: str) -> str:
    """What stays in one lane: ``lab-1`` and ``lab-2``, ``hsm``, ``pki``, … below ``integration``, else ``unit`` …."""
    path = PurePosixPath(nodeid.partition("::")[0])
    _tests, first, *more = path.parts
    if first != "integration":
        return first
    if more[0] != "lab":
        return more[0]
    return "lab-1" if path.name in FIRST_HALF else "lab-2"


def order_of(nodeid: str) -> int:
    """Where a test comes, among tests that stay in their order: the longest first, so that all lanes end together."""
    name = PurePosixPath(nodeid.partition("::")[0]).name
    folder = folder_of(nodeid)
    if not needs_instance(folder):
        return 6 if folder != "quality" else 5
    if name == BEFORE_OTHERS:
        return 0
    return {"lab-1": 1, "lab-2": 3}[folder] + (name == AFTER_OTHERS)
