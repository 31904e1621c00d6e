"""Fixtures of the tests of the store."""

from __future__ import annotations

from unit.store.store_bench import bench, clock, location, opened

__all__ = ["bench", "clock", "location", "opened"]
