# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows in one statement, handed to the driver as they are: SQLAlchemy's own way costs more than the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")


def insert_many(
    connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows.

    :param names: The columns that every row gives, in its order; values are those that the driver takes.
    """
    _execute(connection, _insertion(table, connection.dialect, tuple(names)), names, rows)


@lru_cache(maxsize=16)
def _insertion(table: sa.Table, dialect: sa.Dialect, names: tuple[str, ...]) -> Any:
    return sa.insert(table).compile(dialect=dialect, column_keys=list(names))


def update_many(connection: sa.Connection, statement: Any, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Carry out an update for every row; how many rows of the table it changed.

    :param statement: From :func:`prepared`; its only values are ``bindparam`` of these names.
    """
    return _execute(connection, statement, names, rows)


def prepared(connection: sa.Connection, statement: Any) -> Any:
    """A statement as the database reads it, to be used many times."""
    return statement.compile(dialect=connection.dialect)


def _execute(connection: sa.Connection, compiled: Any, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    if compiled.positional:
        order = [names.index(name) for name in compiled.positiontup]
        if order == list(range(len(names))):
            values: list[Any] = [tuple(row) for row in rows]
        else:
            values = [tuple(row[place] for place in order) for row in rows]
    else:
        values = [dict(zip(names, row)) for row in rows]
    return connection.exec_driver_sql(str(compiled), values).rowcount if values else 0
