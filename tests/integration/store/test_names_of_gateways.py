"""Names of gateways in both databases: the same rules, and two processes that allocate at once never give one name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from integration.store.places import opened_at, set_up, value_of
from unit.store.backup_bench import Vault
from unit.store.store_bench import Bench, Naming

from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, gateway_names
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation

TESTS = Path(__file__).resolve().parents[2]
# Without the lock of a run: what is read outside of the transaction may be old when it is written.
WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest
from integration.store.places import opened_at
from unit.store.store_bench import Naming
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import gateway_names
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location

with opened_at(parse_location(sys.argv[2])) as session:
    print("ready", flush=True)
    for number in range(40):
        taken = {each.label for each in gateway_names.load_names(session)}
        label = next(name for name in (f"town{place}" for place in range(1000)) if name not in taken)
        try:
            gateway_names.change_names(session, [Naming(f"{sys.argv[3]}-{number}", label)])
        except CollectionError as error:
            print(error, file=sys.stderr)
            continue
        print(label, flush=True)
"""


def test_one_gateway_has_one_name_and_one_name_one_gateway(bench: Bench) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    bench.release(gw2="oxford")
    with pytest.raises(StoreError, match="already"):
        bench.name(gw1="york")
    table = bench.session.tables.gateway_names
    with pytest.raises(StoreError, match="already"), bench.session.transaction() as connection:
        connection.execute(table.insert().values(label="cambridge", gateway="gw3", allocated_at=1))
    gateway_names.change_names(bench.session, [Naming("gw3", "oxford")])
    assert bench.names() == {"gw1": "cambridge", "gw3": "oxford"}
    assert audit.verify_chain(bench.session).problems == ()


def test_two_processes_at_once_never_give_one_name(location: StoreLocation) -> None:
    set_up(location)
    command = [sys.executable, "-c", WORKER, str(TESTS), value_of(location)]
    workers = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("first", "second")
    ]
    ends = [process.communicate(timeout=60) for process in workers]
    assert [process.returncode for process in workers] == [0, 0], ends
    given = [label for told, _errors in ends for label in told.split()[1:]]
    assert len(given) == len(set(given))
    for _told, errors in ends:
        assert all("belongs to another gateway" in line for line in errors.splitlines()), errors
    with opened_at(location) as session:
        assert sorted(each.label for each in gateway_names.load_names(session)) == sorted(given)
        assert audit.verify_chain(session).problems == ()


def test_a_backup_takes_them_into_the_other_database(bench: Bench, tmp_path: Path) -> None:
    bench.name(gw1="cambridge", gw2="oxford")
    bench.release(gw2="oxford")
    vault, target = Vault(tmp_path / "vault"), StoreLocation(path=tmp_path / "target" / "authority.db")
    vault.restore(vault.back_up(bench.session.location)["path"], target)
    with opened_at(target) as restored:
        assert gateway_names.load_names(restored) == gateway_names.load_names(bench.session)
