"""Fixtures of the tests of the store in both databases."""

from __future__ import annotations

from integration.postgresql import postgres
from integration.store.places import bench, location, opened

__all__ = ["bench", "location", "opened", "postgres"]
