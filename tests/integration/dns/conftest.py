"""Servers that the tests of this folder share; each test has names of its own there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.dns import amazon as amazon_server
from integration.dns import name_server
from integration.dns.amazon import Amazon
from integration.dns.name_server import NameServer


@pytest.fixture(scope="session")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with name_server.running(tmp_path_factory.mktemp("bind")) as server:
        yield server


@pytest.fixture(scope="session")
def amazon() -> Iterator[Amazon]:
    with amazon_server.running() as server:
        yield server
