"""Names of gateways on a real store: by chance, once, kept, released on request, and never given to another gateway."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.pki.database_host import DatabaseHost
from integration.run_module import ModuleResult
from integration.store.places import lock_of

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.towns import TOWNS
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location

LIBRARIES = ("sqlalchemy", "cryptography", "pkcs11")


def options(*gateways: str, **more: Any) -> dict[str, Any]:
    """A gateway is ``NAME`` or ``NAME=LABEL``."""
    wanted = [dict(zip(("name", "label"), gateway.split("="), strict=False)) for gateway in gateways]
    return {"gateways": wanted, "zone": "example.net", **more}


def named(host: AuthorityHost, *gateways: str, fails: bool = False, **more: Any) -> ModuleResult:
    return host("gateway_name", options(*gateways, **more), fails=fails)


def labels(result: ModuleResult) -> dict[str, str]:
    return {gateway: each["label"] for gateway, each in result["names"].items()}


def in_store(host: AuthorityHost) -> dict[str, str]:
    return {gateway: each["label"] for gateway, each in host("pki_info")["gateway_names"].items()}


def test_a_name_is_given_once_and_kept(host: AuthorityHost) -> None:
    first = named(host, "gw1", "gw2")
    assert first.changed
    assert (first["allocated"], first["released"]) == (["gw1", "gw2"], [])
    given = labels(first)
    assert len(set(given.values()) & set(TOWNS)) == 2
    assert first["names"]["gw1"]["fqdn"] == f"{given['gw1']}.example.net"
    again = named(host, "gw1", "gw2")
    assert (again.changed, again["allocated"], again["names"]) == (False, [], first["names"])
    limited = named(host, "gw3")
    assert list(limited["names"]) == ["gw3"]
    assert in_store(host) == {**given, **labels(limited)}
    assert named(host, "gw1", zone="example.org")["names"]["gw1"]["fqdn"] == f"{given['gw1']}.example.org"
    assert host("pki_info")["audit"]["valid"]


def test_own_names_and_a_list_of_towns(host: AuthorityHost) -> None:
    assert labels(named(host, "gw1", "gw2", "gw3=HQ", towns=["Cambridge"])) == {
        "gw1": "cambridge", "gw2": "cambridge2", "gw3": "hq"
    }  # fmt: skip
    changed = named(host, "gw1=london", "gw2", "gw3")
    assert (changed["allocated"], changed["released"]) == (["gw1"], ["cambridge.example.net"])
    assert labels(changed) == {"gw1": "london", "gw2": "cambridge2", "gw3": "hq"}
    assert not named(host, "gw1", "gw2", "gw3").changed
    assert labels(named(host, "gw4", towns=["cambridge"])) == {"gw4": "cambridge3"}
    with sqlite3.connect(host.store) as store:
        told = store.execute(
            "SELECT action, subject FROM audit WHERE action LIKE 'gateway_name.%' ORDER BY sequence"
        ).fetchall()
    assert told[-3:] == [
        ("gateway_name.released", "cambridge"), ("gateway_name.chosen", "london"),
        ("gateway_name.allocated", "cambridge3"),
    ]  # fmt: skip


def test_a_released_name_is_not_given_to_another_gateway(host: AuthorityHost) -> None:
    named(host, "gw1", towns=["cambridge"])
    gone = named(host, "gw1", state="absent")
    assert (gone.changed, gone["released"], gone["names"]) == (True, ["cambridge.example.net"], {})
    again = named(host, "gw1", "unknown", state="absent")
    assert (again.changed, again["released"]) == (False, ["cambridge.example.net"])
    assert labels(named(host, "gw2", towns=["cambridge"])) == {"gw2": "cambridge2"}
    before = host.store.read_bytes()
    assert "belonged to the gateway 'gw1'" in named(host, "gw3=cambridge", fails=True).message
    assert "belongs to the gateway 'gw2'" in named(host, "gw3=cambridge2", "gw4", fails=True).message
    assert host.store.read_bytes() == before
    assert labels(named(host, "gw3", towns=["cambridge"], reuse_released=True)) == {"gw3": "cambridge"}
    assert host("pki_info")["audit"]["valid"]


def test_check_mode_and_diff_show_it_and_write_nothing(host: AuthorityHost) -> None:
    before = host.store.read_bytes()
    result = host("gateway_name", options("gw1", "gw2=hq"), check=True, diff=True)
    assert result.changed
    assert '"gw1": "(a free town)"' in result["diff"]["after"]
    assert '"gw2": "hq.example.net"' in result["diff"]["after"]
    assert (list(result["names"]), result["allocated"]) == (["gw2"], ["gw1", "gw2"])
    assert host.store.read_bytes() == before
    real = host("gateway_name", options("gw1"), diff=True)
    assert f'"gw1": "{real["names"]["gw1"]["fqdn"]}"' in real["diff"]["after"]
    released = host("gateway_name", options("gw1", state="absent"), check=True, diff=True)
    assert (released.changed, list(in_store(host))) == (True, ["gw1"])
    assert "diff" not in host("gateway_name", options("gw1"), diff=True).values


@pytest.mark.parametrize(
    ("gateways", "more", "words"),
    [
        (["gw1=*"], {}, "wildcard"),
        (["gw1=" + "x" * 300], {}, "longer than the 63 characters"),
        (["gw1"], {"zone": "*.example.net"}, "wildcard"),
        (["gw1"], {"towns": ["york\nwww"]}, "control character"),
        (["gw1", "gw1"], {}, "listed twice"),
        (["gw1=vpn"], {"reserved": ["vpn"]}, "is reserved"),
        (["gw1=x"], {"state": "absent"}, "Leave 'label' out"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    host: AuthorityHost, gateways: list[str], more: dict[str, Any], words: str
) -> None:
    before = host.store.read_bytes()
    assert words in named(host, "gw0", *gateways, fails=True, **more).message
    assert host.store.read_bytes() == before


def test_before_the_installation_check_mode_gets_past_it(bare_host: AuthorityHost) -> None:
    result = bare_host("gateway_name", options("gw1"), check=True, without=LIBRARIES)
    assert (result.changed, result["names"], result["allocated"]) == (True, {}, ["gw1"])
    assert "There is no store" in named(bare_host, "gw1", fails=True).message
    assert not bare_host.folder.exists()


def test_hundreds_in_one_call_and_all_different(host: AuthorityHost) -> None:
    gateways = [f"gw{number}" for number in range(600)]
    given = labels(named(host, *gateways))
    assert len(set(given.values())) == 600
    assert set(TOWNS) < set(given.values())
    assert host("pki_info")["audit"]["valid"]


def test_two_calls_at_once_never_give_one_name(host: AuthorityHost) -> None:
    groups = [[f"{site}-{number}" for number in range(20)] for site in ("north", "south")]
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(named, host, *group, towns=["cambridge", "oxford"]) for group in groups]
        given = [label for run in runs for label in labels(run.result()).values()]
    assert len(set(given)) == 40
    assert sorted(given) == sorted(in_store(host).values())


def test_in_a_database_server_it_is_the_same(database_host: DatabaseHost) -> None:
    host = database_host
    host.set_up()
    groups = [[f"{site}-{number}" for number in range(20)] for site in ("north", "south")]
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(named, host, *group, towns=["cambridge"]) for group in groups]
        given = {gateway: label for run in runs for gateway, label in labels(run.result()).items()}
    assert len(set(given.values())) == 40
    assert named(host, "north-0", state="absent")["released"] == [f"{given.pop('north-0')}.example.net"]
    assert in_store(host) == given
    with lock_of(parse_location(host.url)):
        assert "in use by another run" in named(host, "gw1", fails=True, store_lock_wait=0).message
    assert host("pki_info")["audit"]["valid"]


def test_a_backup_carries_them(host: AuthorityHost) -> None:
    given = labels(named(host, "gw1", "gw2"))
    saved = host("pki_backup", {"folder": str(host.folder / "backups")})
    host.store.unlink()
    for left in host.folder.glob("authority.db-*"):
        left.unlink()
    host("pki_restore", {"archive": saved["path"]})
    assert in_store(host) == given
    assert host("pki_info")["audit"]["valid"]
