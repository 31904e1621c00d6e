"""A run of ``site`` that has nothing to do, for one gateway and for ten: tasks, seconds, seconds a gateway.

The hosts are those of the lab's instance ``bench``, real systems in containers on one machine, which share its cores
with Ansible: ten machines of their own take less. They are started, and installed by a first run, before anything is
measured (a quarter of an hour on two cores); what stands already is taken as it is. Ten gateways follow each other as
``site`` has them do, one, then a quarter of them at a time. Peer: ten runs of one gateway, one after the other.
A run that changes something is a fault and ends the benchmark. ``--quick`` is one gateway alone: more do not fit.

Run it with ``./lab bench converge [--json] [--quick]``; ``./lab down --instance bench`` removes the hosts afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._playbook_runs import PlaybookRun, play
from benchmarks._rows import Row, Table, parse_options
from conftest import CHECKOUT

NAME = "converge"
INSTANCE = "bench"
GATEWAYS = 10


def limit(count: int) -> str:
    """The authority and so many gateways, for ``--limit``; the last ones, which all have the role's own listeners."""
    names = [f"gateway{number}" for number in range(GATEWAYS, GATEWAYS - count, -1)]
    return ",".join(["authority1", *names])


def stand(table: Table) -> None:
    """Have the hosts standing, which is not measured; say how long it took."""
    began = time.monotonic()
    subprocess.run([str(CHECKOUT / "lab"), "up", "--instance", INSTANCE], check=True, stdout=sys.stderr)
    table.say(f"not counted: {time.monotonic() - began:.0f} s to have an authority and {GATEWAYS} gateways standing")


def second_run(table: Table, count: int) -> PlaybookRun:
    """A run that finds everything as it should be, after one that made it so if need be; that one is not measured.

    :raises ValueError: it changed something, too.
    """
    arguments = ("--limit", limit(count))
    run = play(INSTANCE, "site", *arguments)
    if run.changed:
        table.say(f"not counted: {run.seconds:.0f} s for a run of site that changed {run.changed} times")
        run = play(INSTANCE, "site", *arguments)
    if run.changed:
        raise ValueError(f"a second run changed {run.changed} times")
    return run


def main() -> None:
    """Print a row for one gateway and one for ten."""
    options = parse_options(NAME, __doc__ or "")
    table = Table(options)
    stand(table)
    single = 0.0
    for count in (1,) if options.quick else (1, GATEWAYS):
        run = second_run(table, count)
        single = single or run.seconds
        more = {
            "tasks": run.tasks,
            "results": run.results,
            "seconds_a_gateway": run.seconds / count,
            "seconds_a_result": run.seconds / run.results,
        }
        peer = single * count if count > 1 else None
        table.add(Row(NAME, "second run of site, nothing to do", count, "s", run.seconds, peer=peer, more=more))


if __name__ == "__main__":
    main()
