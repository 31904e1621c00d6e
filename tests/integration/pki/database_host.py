"""An authority whose store lies in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.postgresql import PostgresServer


@dataclass(frozen=True)
class DatabaseHost(AuthorityHost):
    """Like :class:`AuthorityHost`; the folder holds only the files that belong to the store."""

    url: str = ""

    @property
    def store(self) -> str:  # type: ignore[override]
        return self.url


@pytest.fixture
def database_host(bare_host: AuthorityHost, postgres: PostgresServer) -> DatabaseHost:
    """A token and an empty database."""
    bare_host.folder.mkdir(mode=0o700)
    return DatabaseHost(bare_host.token, bare_host.folder, bare_host.run, postgres.url(postgres.make_database()))
