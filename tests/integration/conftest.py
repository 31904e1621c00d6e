"""Fixtures that every integration test may use."""

from __future__ import annotations

from integration.run_module import run_module
from integration.softhsm import soft_token

__all__ = ["run_module", "soft_token"]
