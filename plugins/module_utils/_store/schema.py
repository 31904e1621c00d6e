# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the store, and the version of their layout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library

try:
    import sqlalchemy as sa
except ImportError:
    sa = missing_library("SQLAlchemy")

SCHEMA_VERSION = 4
SERIAL_DIGITS = 49
NAME_CHARACTERS = 255
LABEL_CHARACTERS = 63
FINGERPRINT_CHARACTERS = 64


@dataclass(frozen=True)
class Tables:
    """The tables, all of one metadata."""

    metadata: sa.MetaData
    schema_version: sa.Table
    authorities: sa.Table
    certificates: sa.Table
    revocations: sa.Table
    crls: sa.Table
    suspensions: sa.Table
    gateway_names: sa.Table
    audit: sa.Table


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables as SQLAlchemy knows them, made at the first use because the library may be missing before."""
    metadata = sa.MetaData()
    return Tables(
        metadata=metadata,
        schema_version=sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False)),
        authorities=_authorities(metadata),
        certificates=_certificates(metadata),
        revocations=_revocations(metadata),
        crls=_crls(metadata),
        suspensions=_suspensions(metadata),
        gateway_names=_gateway_names(metadata),
        audit=_audit(metadata),
    )


def _identifier() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


def _authority() -> sa.Column[Any]:
    return sa.Column("authority_id", sa.ForeignKey("authorities.id"), nullable=False)


def _seconds(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _text(name: str, length: int = NAME_CHARACTERS) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False)


def _long_text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _authorities(metadata: sa.MetaData) -> sa.Table:
    """``csr``, ``chain`` and ``chain_crls`` are PEM, ``settings`` is JSON; ``replaces`` is the label of another row."""
    return sa.Table(
        "authorities",
        metadata,
        _identifier(),
        sa.Column("label", sa.String(NAME_CHARACTERS), nullable=False, unique=True),
        _text("common_name"),
        _text("algorithm", 32),
        _text("state", 16),
        sa.Column("crl_validity_days", sa.Integer, nullable=False),
        sa.Column("certificate", sa.LargeBinary),
        _seconds("not_after", nullable=True),
        _seconds("created_at"),
        sa.Column("replaces", sa.String(NAME_CHARACTERS)),
        _long_text("csr"),
        _long_text("chain"),
        _long_text("chain_crls"),
        sa.Column("settings", sa.Text, nullable=False, server_default="{}"),
    )


def _certificates(metadata: sa.MetaData) -> sa.Table:
    """``name_key`` is the common name case-folded: at most one valid certificate each.

    ``delivered_at`` is set once a certificate has left the process that signed it.
    """
    table = sa.Table(
        "certificates",
        metadata,
        _identifier(),
        _authority(),
        sa.Column("serial", sa.String(SERIAL_DIGITS), nullable=False, unique=True),
        _text("common_name", 64),
        _text("name_key", 192),
        _text("name"),
        _text("device"),
        _text("profile", 16),
        _text("state", 16),
        _seconds("not_before"),
        _seconds("not_after"),
        _text("public_key_sha256", FINGERPRINT_CHARACTERS),
        sa.Column("certificate", sa.LargeBinary),
        _seconds("intended_at"),
        _seconds("issued_at", nullable=True),
        _seconds("delivered_at", nullable=True),
    )
    sa.Index("certificates_by_name", table.c.profile, table.c.name)
    sa.Index("certificates_by_state", table.c.profile, table.c.state, table.c.not_after)
    current = table.c.state == sa.literal_column("'valid'")
    sa.Index("one_valid_per_name", table.c.name_key, unique=True, sqlite_where=current, postgresql_where=current)
    return table


def _revocations(metadata: sa.MetaData) -> sa.Table:
    """``not_after`` repeats the certificate's, so that building a CRL reads one table."""
    table = sa.Table(
        "revocations",
        metadata,
        _identifier(),
        _authority(),
        sa.Column("certificate_id", sa.ForeignKey("certificates.id"), nullable=False, unique=True),
        _seconds("revoked_at"),
        _text("reason", 32),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        _seconds("not_after"),
        sa.Column("first_crl_number", sa.BigInteger),
    )
    sa.Index("revocations_by_first_crl", table.c.authority_id, table.c.first_crl_number)
    return table


def _crls(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "crls",
        metadata,
        _identifier(),
        _authority(),
        sa.Column("number", sa.BigInteger, nullable=False),
        _text("state", 16),
        _seconds("this_update"),
        _seconds("next_update"),
        sa.Column("signed_at_us", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        _text("sha256", FINGERPRINT_CHARACTERS),
        sa.Column("omitted", sa.BigInteger, nullable=False, server_default="0"),
        sa.UniqueConstraint("authority_id", "number"),
    )


def _suspensions(metadata: sa.MetaData) -> sa.Table:
    """Whose access is or was disabled: ``device`` is empty for a whole user, ``lifted_at`` while it is in force."""
    return sa.Table(
        "suspensions",
        metadata,
        sa.Column("name", sa.String(NAME_CHARACTERS), primary_key=True),
        sa.Column("device", sa.String(NAME_CHARACTERS), primary_key=True),
        _seconds("since"),
        _text("reason"),
        _seconds("lifted_at", nullable=True),
    )


def _gateway_names(metadata: sa.MetaData) -> sa.Table:
    """Every name that a gateway has or had: a row stays when its name is released, so that nobody else gets it."""
    table = sa.Table(
        "gateway_names",
        metadata,
        sa.Column("label", sa.String(LABEL_CHARACTERS), primary_key=True),
        _text("gateway"),
        _seconds("allocated_at"),
        _seconds("released_at", nullable=True),
    )
    held = table.c.released_at.is_(None)
    sa.Index("one_name_per_gateway", table.c.gateway, unique=True, sqlite_where=held, postgresql_where=held)
    return table


def _audit(metadata: sa.MetaData) -> sa.Table:
    """``sequence`` has no gaps; ``hash`` covers every other column, ``previous`` included."""
    return sa.Table(
        "audit",
        metadata,
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        _text("actor"),
        _text("job"),
        _text("action", 64),
        _text("subject"),
        sa.Column("detail", sa.Text, nullable=False),
        _text("previous", FINGERPRINT_CHARACTERS),
        _text("hash", FINGERPRINT_CHARACTERS),
    )
