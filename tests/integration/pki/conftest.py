"""Fixtures of the tests of the authority."""

from __future__ import annotations

from integration.pki.authority_host import bare_host, host, template

__all__ = ["bare_host", "host", "template"]
