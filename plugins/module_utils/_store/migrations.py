# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one layout of the store to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store.schema import SCHEMA_VERSION, tables

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

Migration = Callable[["sa.Connection"], None]

# Plain DDL, written once and never changed: the tables of schema.py are always those of the newest layout, so a step
# must not use them.
_TO_VERSION_2 = (
    "ALTER TABLE authorities ADD COLUMN replaces VARCHAR(255)",
    "ALTER TABLE authorities ADD COLUMN csr TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE authorities ADD COLUMN chain TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE authorities ADD COLUMN chain_crls TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE authorities ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE crls ADD COLUMN omitted BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE certificates ADD COLUMN delivered_at BIGINT",
    "UPDATE certificates SET delivered_at = issued_at",
    "DROP INDEX certificates_by_name_key",
)
_TO_VERSION_3 = (
    """
    CREATE TABLE suspensions (
        name VARCHAR(255) NOT NULL,
        device VARCHAR(255) NOT NULL,
        since BIGINT NOT NULL,
        reason VARCHAR(255) NOT NULL,
        lifted_at BIGINT,
        PRIMARY KEY (name, device)
    )
    """,
)
_TO_VERSION_4 = (
    """
    CREATE TABLE gateway_names (
        label VARCHAR(63) NOT NULL,
        gateway VARCHAR(255) NOT NULL,
        allocated_at BIGINT NOT NULL,
        released_at BIGINT,
        PRIMARY KEY (label)
    )
    """,
    "CREATE UNIQUE INDEX one_name_per_gateway ON gateway_names (gateway) WHERE released_at IS NULL",
)


def _succession_and_delivery(connection: sa.Connection) -> None:
    """Version 2: authorities that replace one another or have one above them; certificates know of their delivery."""
    for statement in _TO_VERSION_2:
        connection.execute(sa.text(statement))


def _suspensions(connection: sa.Connection) -> None:
    """Version 3: users and devices whose access is disabled for a time."""
    for statement in _TO_VERSION_3:
        connection.execute(sa.text(statement))


def _gateway_names(connection: sa.Connection) -> None:
    """Version 4: the names that gateways have in DNS."""
    for statement in _TO_VERSION_4:
        connection.execute(sa.text(statement))


# The layout that a step leads to, and the step.
MIGRATIONS: Mapping[int, Migration] = {2: _succession_and_delivery, 3: _suspensions, 4: _gateway_names}


def found_version(connection: sa.Connection) -> int | None:
    """The version of the layout that a database has; ``None`` for one without any of our tables."""
    if not sa.inspect(connection).has_table("schema_version"):
        return None
    version: int = connection.execute(sa.select(tables().schema_version.c.version)).scalar_one()
    return version


def bring_up_to_date(
    connection: sa.Connection,
    version: int | None,
    *,
    migrations: Mapping[int, Migration] | None = None,
    newest: int = SCHEMA_VERSION,
) -> None:
    """Make the tables, or take the steps from ``version`` to the newest one; the caller's transaction holds it all."""
    steps = MIGRATIONS if migrations is None else migrations
    schema_version = tables().schema_version
    if version is None:
        tables().metadata.create_all(connection)
        connection.execute(sa.insert(schema_version).values(version=newest))
        return
    for step in range(version + 1, newest + 1):
        steps[step](connection)
    connection.execute(sa.update(schema_version).values(version=newest))
