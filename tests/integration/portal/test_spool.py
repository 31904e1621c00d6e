"""A folder with things in it that nobody expects: whatever is there stops nothing else, and nothing right is erased."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from integration.portal.service import HOST, Service, open_front

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_links import LinkRun
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_service import Portal
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_spool import Spool
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.settings import PortalSettings

DAYS = 24 * 3600


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def sweep(service: Service, *, after: float) -> list[str]:
    portal = Portal(PortalSettings(str(service.spool)), clock=lambda: time.time() + after, ticks=time.monotonic)
    return portal.sweep()


def plant(service: Service) -> list[str]:
    """A socket, a folder, and a link of a later version."""
    socket_name, folder, later = (f"{letter * 32}.waiting" for letter in "012")
    with socket.socket(socket.AF_UNIX) as planted:
        before = Path.cwd()
        os.chdir(service.spool)
        try:
            planted.bind(socket_name)
        finally:
            os.chdir(before)
    (service.spool / folder).mkdir()
    (service.spool / later).write_text('{"version": 2}')
    return [socket_name, folder, later]


def test_what_is_planted_stops_neither_the_sweep_nor_an_erasure(service: Service) -> None:
    planted = plant(service)
    service.make_link("alice")
    service.make_link("bob")
    run = LinkRun({"links": [{"user": "bob"}], "folder": str(service.spool), "state": "absent", "hours": 24})
    assert run.decide().result["erased"] == ["bob@laptop"]
    run.apply(run.decide())
    assert len(service.names) == 4
    lines = sweep(service, after=2 * DAYS)
    assert "the link of alice@laptop was not fetched in time, and is erased" in lines
    assert service.names == planted


def test_what_nobody_understands_is_erased_when_it_can_be_no_link_any_more(service: Service) -> None:
    later = plant(service)[2]
    sweep(service, after=29 * DAYS)
    assert later in service.names
    sweep(service, after=31 * DAYS)
    assert later not in service.names


def test_a_file_that_cannot_be_read_stops_nothing(service: Service) -> None:
    service.make_link("alice")
    service.make_link("bob")
    bad = service.names[0]
    read = os.read
    bad_inode = (service.spool / bad).stat().st_ino

    def fail(descriptor: int, size: int) -> bytes:
        if os.fstat(descriptor).st_ino == bad_inode:
            raise OSError(5, "Input/output error")
        return read(descriptor, size)

    with patch.object(os, "read", fail):
        lines = sweep(service, after=2 * DAYS)
    assert any("Input/output error" in line for line in lines)
    assert service.names == [bad]


def test_where_old_links_cannot_be_erased_the_new_ones_go_too(service: Service) -> None:
    service.make_link()
    (old,) = service.names
    erase = Spool.erase

    def fail(spool: Spool, names: Any) -> None:
        wanted = list(names)
        if old in wanted:
            raise FileError("Cannot erase a link.")
        erase(spool, wanted)

    wanted = {
        "links": [{"user": "alice", "device": "laptop"}], "profiles": {"alice@laptop": "client\n"},
        "host": HOST, "port": 443, "hours": 1, "qr_code": False, "folder": str(service.spool), "state": "present",
    }  # fmt: skip
    with open_front() as front:
        run = LinkRun({**wanted, **front})
        change = run.decide()
    with patch.object(Spool, "erase", fail), pytest.raises(FileError, match="None was made there"):
        run.apply(change)
    assert service.names == [old]
