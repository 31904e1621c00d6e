"""Fixtures that every integration test may use."""

from __future__ import annotations

from integration.browser import open_browser
from integration.run_module import run_module
from integration.softhsm import soft_token

__all__ = ["open_browser", "run_module", "soft_token"]
