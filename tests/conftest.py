"""Lets the tests import the collection from a checkout at any path."""

from __future__ import annotations

import sys
import types
from pathlib import Path

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
