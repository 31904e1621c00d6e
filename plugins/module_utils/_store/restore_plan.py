# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a store may be replaced by the one of a backup: decided from values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError


class Relation(Enum):
    """What the store that is there is to the one in the backup."""

    ABSENT = "absent"
    DAMAGED = "damaged"
    SAME = "same"
    OLDER = "older"
    NEWER = "newer"
    ANOTHER = "another"


@dataclass(frozen=True)
class Found:
    """The store that is there.

    :param records: How many records its audit trail has.
    :param crl_numbers: The highest number that was ever taken, by the label of the authority.
    :param problem: Why it cannot be read, where it is damaged.
    """

    relation: Relation
    records: int = 0
    crl_numbers: Mapping[str, int] | None = None
    problem: str = ""


@dataclass(frozen=True)
class Outlook:
    """The keys that the restored store needs, and until when its CRLs are valid.

    :param missing: Why the token cannot sign as an authority, by the label of its key.
    :param expires: When the first of the CRLs expires that were signed last; ``None`` where there is none.
    """

    missing: Mapping[str, str]
    expires: datetime | None


def relate(*, records: int, head: str, backup_records: int, common: str | None, only_restored: bool) -> Relation:
    """Tell the store that is there from the one in the backup by their audit trails.

    :param records: The length of the trail that is there.
    :param head: The hash of the newest record of the shorter trail.
    :param common: The hash of the record at that place in the longer trail; ``None`` where there is none.
    :param only_restored: Whether the trail that is there goes on with nothing but the record of having been restored
        from this very backup.
    """
    if records == 0:
        return Relation.ABSENT
    if common is None or common != head:
        return Relation.ANOTHER
    if records == backup_records or only_restored:
        return Relation.SAME
    return Relation.OLDER if records < backup_records else Relation.NEWER


def require_replaceable(found: Found, facts: Mapping[str, Any], *, place: str, database: bool, force: bool) -> None:
    """Refuse to lose what only the store that is there knows.

    :param facts: Those of the backup's manifest.
    :param database: Whether it lies in a database server; what is in there is never replaced.
    :raises StateError: saying what would be lost.
    """
    if found.relation in (Relation.ABSENT, Relation.SAME):
        return
    if database:
        raise StateError(
            f"The database {place} holds a store already.",
            remedy="Make an empty database and give its URL: the old one then stays as it is. Nothing was changed.",
        )
    if force or found.relation in (Relation.OLDER, Relation.DAMAGED):
        return
    if found.relation is Relation.ANOTHER:
        raise StateError(
            f"The store {place} is not an earlier state of the one in the backup: it has another history.",
            remedy="Check that this is the right backup for this authority. With 'force' the store is put aside.",
        )
    raise StateError(
        f"The store {place} knows more than the backup: {_extent(found.records, found.crl_numbers or {})} there, "
        f"{_extent(facts['audit_records'], facts['crl_numbers'])} in the backup.",
        remedy="What happened since the backup would be forgotten, revocations too, and removed users would get access "
        "again. Take a newer backup. With 'force' the store is put aside.",
    )


def _extent(records: int, crl_numbers: Mapping[str, int]) -> str:
    return f"{records} records of the audit trail and CRL number {max(crl_numbers.values(), default=0)}"


def notices(found: Found, outlook: Outlook, newer_crls: Sequence[str], *, known: int) -> list[str]:
    """What an administrator has to know before going on, in plain words.

    :param newer_crls: Paths of CRLs that are newer than the restored store; they are left in place.
    :param known: The highest CRL number that the restored store knows.
    """
    told = []
    if found.relation is Relation.DAMAGED:
        told.append(f"The store that was there is damaged, and nobody can tell what it knew: {found.problem}")
    if found.relation in (Relation.NEWER, Relation.ANOTHER):
        told.append("What only the store that was there knew is now only in the copy that was put aside.")
    if outlook.missing:
        told.append(describe_outlook(outlook))
    if newer_crls:
        told.append(
            f"Newer than the backup, whose last CRL is number {known}, and left in place: {', '.join(newer_crls)}. No "
            "CRL is signed as long as they are there. Revocations since the backup are missing from the store; see "
            "'Going on after an old backup' in the guide on operations."
        )
    return told


def describe_outlook(outlook: Outlook) -> str:
    """What cannot be done without the token, and what goes on."""
    reasons = " ".join(f"'{label}': {reason}" for label, reason in outlook.missing.items())
    until = f"until {outlook.expires:%Y-%m-%d %H:%M} UTC, when the CRL expires" if outlook.expires else "for now"
    return (
        f"The token cannot sign for {len(outlook.missing)} of the authorities ({reasons}) Until it can, nothing can be "
        f"issued or renewed, and nobody can be revoked by CRL. Sessions and certificates that there are go on {until}; "
        "after that every gateway refuses everybody."
    )


def require_token(outlook: Outlook, *, wanted: bool) -> None:
    """Refuse a store whose authorities cannot sign, where that was asked for.

    :raises StateError: saying what does not work without the token.
    """
    if wanted and outlook.missing:
        raise StateError(
            describe_outlook(outlook),
            remedy="Bring the token back first, or restore without it (require_token: false). Nothing was changed.",
        )
