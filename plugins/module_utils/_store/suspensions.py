# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and devices whose access is disabled for a time; their certificates stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Device, Suspended
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    SUPERSEDED,
    VALID,
    Suspension,
    from_epoch,
    to_epoch,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")


class AccessChange(Protocol):
    """What is stored when access is disabled, or enabled again.

    ``why`` is a sentence of the administrator, or what else led to it; one line.
    """

    @property
    def suspended(self) -> Suspended: ...

    @property
    def disabled(self) -> bool: ...

    @property
    def why(self) -> str: ...


def load_suspensions(session: StoreSession) -> tuple[Suspension, ...]:
    """Every suspension, in force or lifted, ordered by name."""
    table = session.tables.suspensions
    rows = session.read(sa.select(table).order_by(table.c.name, table.c.device))
    return tuple(
        Suspension(
            Suspended(row.name, row.device),
            since=from_epoch(row.since),
            reason=row.reason,
            lifted_at=None if row.lifted_at is None else from_epoch(row.lifted_at),
        )
        for row in rows
    )


def load_usable_devices(session: StoreSession, *, now: datetime) -> tuple[Device, ...]:
    """The devices that have a certificate which is neither revoked nor expired."""
    table = session.tables.certificates
    statement = (
        sa.select(table.c.common_name, table.c.name, table.c.device)
        .where(table.c.profile == "client", table.c.state.in_((VALID, SUPERSEDED)), table.c.not_after > to_epoch(now))
        .distinct()
    )
    return tuple(Device(*row) for row in session.read(statement, plain=True))


def change_access(session: StoreSession, changes: Sequence[AccessChange]) -> None:
    """Disable and enable, all of them or nothing."""
    if not changes:
        return
    table, at = session.tables.suspensions, to_epoch(session.clock())
    with session.transaction() as connection:
        for change in changes:
            name, device = change.suspended
            of_it = sa.and_(table.c.name == name, table.c.device == device)
            if not change.disabled:
                connection.execute(sa.update(table).where(of_it).values(lifted_at=at))
                continue
            # Who is disabled already, and only for another reason now, stays so since the beginning.
            since = sa.case((table.c.lifted_at.is_(None), table.c.since), else_=at)
            values = {"reason": change.why, "lifted_at": None}
            if not connection.execute(sa.update(table).where(of_it).values(since=since, **values)).rowcount:
                connection.execute(sa.insert(table).values(name=name, device=device, since=at, **values))
        audit.append_events(session, [_event(change) for change in changes])


def _event(change: AccessChange) -> audit.Event:
    action = audit.ACCESS_DISABLED if change.disabled else audit.ACCESS_ENABLED
    return audit.Event(action, change.suspended.subject, {"why": change.why})
