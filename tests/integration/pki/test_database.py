"""The authority's modules with a store on PostgreSQL: the same as on SQLite, and on several hosts at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.pki.database_host import DatabaseHost
from integration.postgresql import PostgresServer
from integration.run_module import ModuleResult
from integration.store.places import lock_of

from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location

GONE = {"name": "alice", "state": "absent"}


@pytest.fixture
def hosts(database_host: DatabaseHost, tmp_path: Path) -> tuple[DatabaseHost, DatabaseHost]:
    """Two hosts of one authority: one token, one database, and files of their own."""
    (tmp_path / "second").mkdir(mode=0o700)
    database_host.set_up()
    return database_host, DatabaseHost(database_host.token, tmp_path / "second", None, database_host.url)


def add(host: AuthorityHost, *names: str) -> ModuleResult:
    return host.users(*names, store_lock_wait=60)


def test_the_life_of_an_authority(database_host: DatabaseHost) -> None:
    host = database_host
    assert host("pki_info").values["store_exists"] is False
    assert host("pki_authority", check=True).changed
    assert host("pki_info").values["store_exists"] is False, "check mode made nothing"
    assert host.set_up().changed
    assert not host.set_up().changed
    assert host.users("alice", "bob", check=True)["counts"]["issued"] == 2
    assert host.users("alice", "bob")["counts"]["issued"] == 2
    assert host("pki_crl")["number"] == 1
    assert host.users(GONE)["counts"]["revoked"] == 1
    assert not host.users(GONE).changed
    assert (host("pki_crl")["number"], host("pki_crl")["number"]) == (2, 2)
    facts = host("pki_info").values
    assert (facts["counts"]["valid"], facts["counts"]["revoked"]) == (1, 1)
    assert (facts["audit"]["valid"], facts["crl"]["revoked_count"]) == (True, 1)
    host.openssl("crl", "-in", host.crl, "-noout")


def test_two_hosts_at_once_lose_nothing(hosts: tuple[DatabaseHost, DatabaseHost]) -> None:
    names = [[f"{site}-{number}" for number in range(15)] for site in ("cambridge", "oxford")]
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(add, host, *wanted) for host, wanted in zip(hosts, names, strict=True)]
        results = [run.result() for run in runs]
    issued = [device["serial"] for result in results for device in result["users"]]
    assert len(set(issued)) == 30
    facts = hosts[1]("pki_info").values
    assert Counter(found["state"] for found in facts["certificates"]) == {"valid": 30}
    assert {found["serial"] for found in facts["certificates"]} == set(issued)
    assert (facts["audit"]["valid"], facts["audit"]["problems"]) == (True, [])


def test_both_hosts_publish_one_sequence_of_crls(hosts: tuple[DatabaseHost, DatabaseHost]) -> None:
    first, second = hosts
    add(first, "alice")
    assert first("pki_crl")["number"] == 1
    add(second, "bob")
    second.users(GONE)
    assert second("pki_crl")["number"] == 2
    assert first("pki_crl")["number"] == 3, "its own file is mended by a new one"
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(host, "pki_crl", {"force": True}) for host in hosts]
        assert {run.result()["number"] for run in runs} == {4, 5}


def test_a_run_that_may_not_wait_fails_and_changes_nothing(hosts: tuple[DatabaseHost, DatabaseHost]) -> None:
    host = hosts[0]
    with lock_of(parse_location(host.url)):
        for module in ("pki_users", "pki_crl", "pki_authority"):
            options = {"users": [{"name": "alice"}]} if module == "pki_users" else {}
            message = host(module, {**options, "store_lock_wait": 0}, fails=True).message
            assert "in use by another run, and was still in use after 0 s" in message
        assert host.users("alice", check=True).changed, "who only looks does not wait"
        assert host("pki_info")["counts"]["valid"] == 0


def test_a_wrong_password_is_in_no_output(database_host: DatabaseHost, postgres: PostgresServer) -> None:
    postgres.write_passwords(authority="wrong-secret-4711")
    try:
        for module in ("pki_authority", "pki_info"):
            result = database_host(module, fails=True)
            assert "does not let this account in" in result.message
            assert "wrong-secret-4711" not in result.output
    finally:
        postgres.write_passwords()
    result = database_host("pki_info", {"store": "postgresql://authority:secret-0815@db/x"}, fails=True)
    assert "holds a password" in result.message
    assert "secret-0815" not in result.message


def test_a_missing_driver_is_said(database_host: DatabaseHost) -> None:
    result = database_host("pki_info", fails=True, without=("psycopg",))
    assert "psycopg[binary]' is missing" in result.message
