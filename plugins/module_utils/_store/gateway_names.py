# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that gateways have in DNS: kept as long as they are not released, and remembered after that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.bulk import insert_many
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    GatewayName,
    from_epoch,
    to_epoch,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

COLUMNS = ("label", "gateway", "allocated_at")


class NameChange(Protocol):
    """What is stored when a name is given or released.

    ``own`` tells that an administrator chose it, and not chance.
    """

    @property
    def gateway(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def released(self) -> bool: ...

    @property
    def own(self) -> bool: ...


@dataclass(frozen=True)
class GatewayNameBook:
    """The names in an open store.

    :param session: ``None`` in a dry run before there is a store: then no name is known.
    """

    session: StoreSession | None

    def names(self) -> tuple[GatewayName, ...]:
        """Every name that a gateway has or had."""
        return load_names(self.session) if self.session else ()

    def change_names(self, changes: Sequence[NameChange]) -> None:
        """Release and give names, all of them or nothing."""
        if self.session is None:
            raise StateError("There is no store to write to.")
        change_names(self.session, changes)


def load_names(session: StoreSession) -> tuple[GatewayName, ...]:
    """Every name that a gateway has or had, ordered by the gateway and the time."""
    table = session.tables.gateway_names
    rows = session.read(sa.select(table).order_by(table.c.gateway, table.c.allocated_at, table.c.label))
    return tuple(
        GatewayName(
            row.gateway,
            row.label,
            since=from_epoch(row.allocated_at),
            released_at=None if row.released_at is None else from_epoch(row.released_at),
        )
        for row in rows
    )


def change_names(session: StoreSession, changes: Sequence[NameChange]) -> None:
    """Release and give names, all of them or nothing; what is released is free for those that are given with it.

    :raises StateError: a name is not the gateway's that is to release it, or belongs to another one.
    """
    if not changes:
        return
    released = [change for change in changes if change.released]
    given = [change for change in changes if not change.released]
    with session.transaction():
        for change in released:
            _release(session, change)
        _give(session, given)
        audit.append_events(session, [_event(change) for change in (*released, *given)])


def _release(session: StoreSession, change: NameChange) -> None:
    table = session.tables.gateway_names
    held = sa.and_(table.c.label == change.label, table.c.gateway == change.gateway, table.c.released_at.is_(None))
    values = {"released_at": to_epoch(session.clock())}
    if not session.connection.execute(sa.update(table).where(held).values(**values)).rowcount:
        raise StateError(f"The name '{change.label}' is not that of the gateway '{change.gateway}'.")


def _give(session: StoreSession, changes: Sequence[NameChange]) -> None:
    table, at = session.tables.gateway_names, to_epoch(session.clock())
    known = {row.label for row in session.read(sa.select(table.c.label))}
    for change in changes:
        if change.label in known:
            free = sa.and_(table.c.label == change.label, table.c.released_at.is_not(None))
            values = {"gateway": change.gateway, "allocated_at": at, "released_at": None}
            if not session.connection.execute(sa.update(table).where(free).values(**values)).rowcount:
                raise StateError(f"The name '{change.label}' belongs to another gateway than '{change.gateway}'.")
    rows = [(change.label, change.gateway, at) for change in changes if change.label not in known]
    insert_many(session.connection, table, COLUMNS, rows)


def _event(change: NameChange) -> audit.Event:
    given = audit.NAME_CHOSEN if change.own else audit.NAME_ALLOCATED
    return audit.Event(audit.NAME_RELEASED if change.released else given, change.label, {"gateway": change.gateway})
