# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: every change says who, when, what and from which job, chained by hashes so that none can be altered.

A record's hash covers its contents and the hash of the record before it. Whoever changes, removes or inserts a
record has to rewrite all that follow; comparing the newest hash with one noted elsewhere shows that as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Callable, NamedTuple

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Suspended
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._store.bulk import insert_many
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import (
    REVOKED,
    to_epoch_microseconds,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import StoreSession

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

BEGINNING = "0" * 64
TOLD = ("sequence", "at_us", "actor", "job", "action", "subject", "detail", "previous")
COLUMNS = (*TOLD, "hash")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
MOST_PROBLEMS = 20
AUTHORITY_INTENDED = "authority.intended"
AUTHORITY_ACTIVATED = "authority.activated"
AUTHORITY_REQUESTED = "authority.requested"
AUTHORITY_CHANGED = "authority.changed"
AUTHORITY_TOOK_OVER = "authority.took_over"
AUTHORITY_RETIRED = "authority.retired"
CERTIFICATES_INTENDED = "certificates.intended"
CERTIFICATE_ISSUED = "certificate.issued"
CERTIFICATE_SUPERSEDED = "certificate.superseded"
CERTIFICATES_DELIVERED = "certificates.delivered"
CERTIFICATE_ABANDONED = "certificate.abandoned"
CERTIFICATE_REVOKED = "certificate.revoked"
ACCESS_DISABLED = "access.disabled"
ACCESS_ENABLED = "access.enabled"
NAME_ALLOCATED = "gateway_name.allocated"
NAME_CHOSEN = "gateway_name.chosen"
NAME_RELEASED = "gateway_name.released"
CRL_INTENDED = "crl.intended"
CRL_SIGNED = "crl.signed"
BACKUP_BEGUN = "backup.begun"
STORE_RESTORED = "store.restored"
NAMING = (NAME_ALLOCATED, NAME_CHOSEN, NAME_RELEASED)


class Event(NamedTuple):
    """One thing that happened.

    :param subject: What it happened to: the serial of a certificate, the number of a CRL, the label of an authority, a
        user, a device, the name of a gateway.
    :param detail: Further facts, fit for JSON; never a secret.
    """

    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class ChainState:
    """What a check of the audit trail found.

    :param records: How many records there are.
    :param head: The hash of the newest record, to be noted outside of the store.
    :param problems: What is wrong, at most 20 sentences; empty when the chain holds.
    """

    records: int
    head: str
    problems: tuple[str, ...]


def append_events(session: StoreSession, events: Sequence[Event]) -> None:
    """Add records to the trail, inside the transaction of the change that they tell of."""
    if not events:
        return
    insert_many(session.connection, session.tables.audit, COLUMNS, _records(session, events))


def _records(session: StoreSession, events: Iterable[Event]) -> Iterator[tuple[Any, ...]]:
    """Records in the order of :data:`COLUMNS`, each with the hash of the one before it."""
    sequence, previous = _head(session)
    actor, job = session.origin.actor, session.origin.job
    at_us = to_epoch_microseconds(session.clock())
    text = _record_text(actor, at_us, job)
    for number, event in enumerate(events, start=sequence + 1):
        detail = _canonical(event.detail)
        told = text(event.action, detail, previous, number, event.subject)
        digest = hashlib.sha256(told.encode("ascii")).hexdigest()
        yield number, at_us, actor, job, event.action, event.subject, detail, previous, digest
        previous = digest


def record_hash(record: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of a record without its hash, in hexadecimal.

    Canonical: names sorted, no space between, ASCII only.
    """
    text = _record_text(record["actor"], record["at_us"], record["job"])
    told = text(record["action"], record["detail"], record["previous"], record["sequence"], record["subject"])
    return hashlib.sha256(told.encode("ascii")).hexdigest()


@lru_cache(maxsize=16)
def _record_text(actor: str, at_us: int, job: str) -> Callable[[str, str, str, int, str], str]:
    """What writes the records of one moment.

    The template is what a JSON encoder writes, which would look at every name and value anew.
    """
    first, then = f',"actor":{_quoted(actor)},"at_us":{at_us},"detail":', f',"job":{_quoted(job)},"previous":'

    def text(action: str, detail: str, previous: str, sequence: int, subject: str) -> str:
        return (
            f'{{"action":{_quoted(action)}{first}{_quoted(detail)}{then}{_quoted(previous)},'
            f'"sequence":{sequence},"subject":{_quoted(subject)}}}'
        )

    return text


def _canonical(value: Mapping[str, Any]) -> str:
    names, template = _canonical_template(tuple(value))
    return template % tuple([_json(value[name]) for name in names])


@lru_cache(maxsize=64)
def _canonical_template(names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The names in their order, and the text of their values' places."""
    ordered = tuple(sorted(names))
    members = ",".join(f"{_quoted(name).replace('%', '%%')}:%s" for name in ordered)
    return ordered, f"{{{members}}}"


def _json(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _quoted(value)
    return str(value) if kind is int else _encode(value)


def _head(session: StoreSession) -> tuple[int, str]:
    audit = session.tables.audit
    newest = session.connection.execute(
        sa.select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1)
    ).first()
    return (newest.sequence, newest.hash) if newest else (0, BEGINNING)


def verify_chain(session: StoreSession) -> ChainState:
    """Recompute every hash, and compare what the trail tells with what the store says today.

    :raises StoreError: the store cannot be read.
    """
    problems: list[str] = []
    records, head = 0, BEGINNING
    told: dict[str, dict[str, str]] = {CERTIFICATE_ISSUED: {}, CERTIFICATE_REVOKED: {}}
    access: dict[str, str] = {}
    names: dict[str, tuple[str, bool]] = {}
    for record in _all_records(session):
        records += 1
        problem = _problem(record, sequence=records, previous=head)
        if problem and len(problems) < MOST_PROBLEMS:
            problems.append(problem)
        head = record["hash"]
        if record["action"] in told:
            told[record["action"]][record["subject"]] = record["detail"]
        if record["action"] in (ACCESS_DISABLED, ACCESS_ENABLED):
            access[record["subject"]] = record["action"]
        if record["action"] in NAMING:
            names[record["subject"]] = (record["detail"], record["action"] != NAME_RELEASED)
    problems += [*_contradictions(session, told), *_access_contradictions(session, access)]
    problems += _name_contradictions(session, names)
    return ChainState(records=records, head=head, problems=tuple(problems[:MOST_PROBLEMS]))


def _all_records(session: StoreSession) -> Iterator[Mapping[str, Any]]:
    audit = session.tables.audit
    for row in session.read(sa.select(audit).order_by(audit.c.sequence)):
        yield row._mapping  # noqa: SLF001 - a public name of SQLAlchemy


def _problem(record: Mapping[str, Any], *, sequence: int, previous: str) -> str | None:
    where = f"Record {record['sequence']} of the audit trail"
    if record["hash"] != record_hash(record):
        return f"{where} was altered: its hash does not cover what it says."
    if record["previous"] != previous:
        return f"{where} does not follow the one before it: a record was altered, removed or inserted."
    if record["sequence"] != sequence:
        return f"{where} stands at place {sequence}: records are missing."
    return None


def _contradictions(session: StoreSession, told: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Certificates and revocations that the trail does not tell of, and the other way round."""
    certificates, revocations = session.tables.certificates, session.tables.revocations
    issued = {
        row.serial: hashlib.sha256(row.certificate).hexdigest()
        for row in session.read(
            sa.select(certificates.c.serial, certificates.c.certificate).where(certificates.c.certificate.is_not(None))
        )
    }
    states = {
        row.serial: row.state
        for row in session.read(
            sa.select(certificates.c.serial, certificates.c.state).join(
                revocations, revocations.c.certificate_id == certificates.c.id
            )
        )
    }
    for serial in sorted(issued.keys() ^ told[CERTIFICATE_ISSUED].keys()):
        yield f"The store and the audit trail disagree on whether certificate {serial} was issued."
    for serial in sorted(states.keys() ^ told[CERTIFICATE_REVOKED].keys()):
        yield f"The store and the audit trail disagree on whether certificate {serial} was revoked."
    for serial, state in states.items():
        if state != REVOKED:
            yield f"Certificate {serial} is revoked, and the store says that it is {state}."
    for serial, sha256 in issued.items():
        detail = told[CERTIFICATE_ISSUED].get(serial)
        if detail is not None and json.loads(detail)["sha256"] != sha256:
            yield f"Certificate {serial} is not the one that the audit trail tells of."


def _access_contradictions(session: StoreSession, told: Mapping[str, str]) -> Iterator[str]:
    """Users and devices whose access is not what the trail told last."""
    table = session.tables.suspensions
    rows = session.read(sa.select(table.c.name, table.c.device).where(table.c.lifted_at.is_(None)))
    disabled = {Suspended(row.name, row.device).subject for row in rows}
    for subject in sorted(disabled ^ {subject for subject, action in told.items() if action == ACCESS_DISABLED}):
        yield f"The store and the audit trail disagree on whether '{subject}' is disabled."


def _name_contradictions(session: StoreSession, told: Mapping[str, tuple[str, bool]]) -> Iterator[str]:
    """Names of gateways that are not whose the trail told last, or are held where it told of a release."""
    table = session.tables.gateway_names
    rows = session.read(sa.select(table.c.label, table.c.gateway, table.c.released_at))
    found = {row.label: (_canonical({"gateway": row.gateway}), row.released_at is None) for row in rows}
    for label in sorted(found.keys() | told.keys()):
        if found.get(label) != told.get(label):
            yield f"The store and the audit trail disagree on which gateway has or had the name '{label}'."
