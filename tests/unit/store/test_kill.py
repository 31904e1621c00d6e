"""A process that is killed at any moment leaves a store that opens and agrees with itself."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from unit.store.store_bench import Bench, Item

from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, issuing

TESTS = Path(__file__).resolve().parents[2]
WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest
from pathlib import Path
from unit.store.store_bench import Bench, Clock, Item
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities, certificates, issuing
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin, open_store

location, first = StoreLocation(path=Path(sys.argv[2])), int(sys.argv[3])
with open_store(location, origin=Origin("killed"), clock=Clock()) as session:
    bench = Bench(session, authorities.active_authority(session, "ca"), Clock(), iter(range(first, first + 100_000)))
    while True:
        items = [Item(next(bench.serials), f"u{n}@d", f"u{n}", "d", certificate=b"x") for n in range(20)]
        issuing.intend_certificates(session, bench.authority, items)
        issuing.record_certificates(session, items)
        bench.revoke(items[0].serial)
        print(items[-1].serial, flush=True)
"""


@pytest.mark.parametrize("attempt", range(4))
def test_kill_9(bench: Bench, attempt: int) -> None:
    path = bench.session.location.path
    assert path is not None
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(TESTS), str(path), str(attempt * 100_000 + 1)], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    time.sleep(random.uniform(0, 0.1))  # noqa: S311 - no secret hangs on it
    worker.send_signal(signal.SIGKILL)
    told = [int(line) for line in worker.communicate()[0].split()]
    assert audit.verify_chain(bench.session).problems == ()
    assert bench.session.integrity_problems() == []
    states = bench.states()
    assert all(states[serial] in ("valid", "superseded") for serial in told), "what was told was stored before"
    issuing.intend_certificates(bench.session, bench.authority, [Item(7_000_000)])
    assert [serial for serial, state in bench.states().items() if state == "intended"] == [7_000_000]
