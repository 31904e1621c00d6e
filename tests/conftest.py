"""Lets the tests import the collection from a checkout at any path."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CHECKOUT = Path(__file__).resolve().parent.parent


def _offer_collection() -> None:
    """Register ``ansible_collections.privatespace.gateway`` as a namespace that is this checkout."""
    name = ""
    for part, folder in (("ansible_collections", None), ("privatespace", None), ("gateway", CHECKOUT)):
        name = f"{name}.{part}" if name else part
        package = sys.modules.setdefault(name, types.ModuleType(name))
        if folder is not None or not hasattr(package, "__path__"):
            package.__path__ = [str(folder)] if folder else []


_offer_collection()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """``./lab test`` runs lanes side by side; a lane takes one folder of tests after the other."""
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the hosts of the lab: they take longest, and mostly wait."""
    items.sort(key=lambda item: folder_of(item.nodeid) != "lab")


class FolderScheduling(LoadScopeScheduling):
    """Keeps together, and in order, what shares hosts or environments."""

    def _split_scope(self, nodeid: str) -> str:
        return folder_of(nodeid)


def folder_of(nodeid: str) -> str:
    """``lab``, ``hsm``, ``pki``, … below ``integration``, else ``unit`` or ``quality``."""
    _tests, first, second, *_more = nodeid.split("/")
    return second if first == "integration" else first
