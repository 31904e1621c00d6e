# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a store, each with its remedy, and how the database's own errors become one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.redaction import redact

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

DAMAGED = "is damaged"
# What SQLite, PostgreSQL and its client say (in lower case), what it means, and what mends it; the first that fits.
_KNOWN = (
    (
        ("not a database", "malformed", "disk image"),
        DAMAGED,
        "Restore it from its last backup; do not make a new one, or revoked users get access again.",
    ),
    (
        ("authentication failed", "no password supplied", "no pg_hba.conf entry", "fatal:  role "),
        "does not let this account in",
        "Check the account in the URL, and the password file of the database client (~/.pgpass, mode 0600).",
    ),
    (('fatal:  database "',), "is in no database yet", "Make the database first, for its account: createdb."),
    (
        ("permission denied", "read-only transaction", "must be owner"),
        "does not let this account write",
        "The account in the URL has to own the tables; nothing was changed.",
    ),
    (
        ("connection failed", "connection is bad", "connection timeout", "failed to resolve", "too many clients"),
        "cannot be reached",
        "Start the database or correct the URL, and start the run again; nothing was changed.",
    ),
    (("readonly", "read-only"), "cannot be written", "Check the owner and the mount of its file; nothing was changed."),
    (
        ("is full", "no space left", "could not extend"),
        "has no room left on its disk",
        "Make room and start the run again; it takes up what is left to do.",
    ),
    (("locked", "lock timeout"), "is in use by another program", "Wait for it to end and start the run again."),
    (("unable to open",), "cannot be opened", "Check the path, the owner and the modes of the file and its folder."),
    (
        ("one_valid_per_name", "certificates.name_key"),
        "holds a valid certificate of that common name already",
        "Another program changed it in the middle of this run; start the run again.",
    ),
    (
        ("one_name_per_gateway", "gateway_names_pkey", "gateway_names.label", "gateway_names.gateway"),
        "has given that name, or that gateway a name, already",
        "Another program changed it in the middle of this run; start the run again.",
    ),
)


class StoreError(CollectionError):
    """The store could not be read or written. A transaction that was open has been rolled back.

    :param damaged: Whether its file is no readable database any more.
    """

    def __init__(self, message: str, *, remedy: str = "", damaged: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.damaged = damaged


class StoreMissingError(StateError):
    """There is no store yet where one is needed."""


@contextmanager
def explained(shown: str) -> Iterator[None]:
    """Turn errors of the database inside the block into a :class:`StoreError` that names the store.

    :param shown: The store as it may be shown: without a password.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, sa.exc.SQLAlchemyError):
            raise
        raise explain(shown, error) from error


def explain(shown: str, error: Exception) -> StoreError:
    """The :class:`StoreError` for an error of SQLAlchemy or of the driver beneath it."""
    cause = str(getattr(error, "orig", None) or error).strip()
    if getattr(error, "connection_invalidated", False):
        return lost(shown, cause)
    for signs, what, remedy in _KNOWN:
        if any(sign in cause.lower() for sign in signs):
            message = f"The store {shown} {what} ({_first_line(cause)})."
            return StoreError(message, remedy=remedy, damaged=what == DAMAGED)
    return StoreError(f"The store {shown} refused an operation: {_first_line(cause)}.")


def lost(shown: str, cause: str = "") -> StoreError:
    """The error for a database that went away in the middle of a run."""
    because = f" ({_first_line(cause)})" if cause else ""
    return StoreError(
        f"The connection to the store {shown} was lost{because}.",
        remedy="What was not committed yet was rolled back. Start the run again when the database is back; it takes up "
        "what is left to do.",
    )


def _first_line(text: str) -> str:
    return redact(text).splitlines()[0].rstrip(".") if text else "no reason given"
