"""Fixtures of the tests of the authority."""

from __future__ import annotations

from integration.pki.authority_host import bare_host, host, template
from integration.pki.database_host import database_host
from integration.pki.keeping import program
from integration.postgresql import postgres

__all__ = ["bare_host", "database_host", "host", "postgres", "program", "template"]
