"""Lets the tests import the collection from a checkout at any path, and run in lanes."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from execnet.xspec import XSpec
from lanes import INSTANCE_VARIABLE, folder_of, has_instance, instances_for, needs_instance, order_of
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

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


def pytest_xdist_setupnodes(specs: list[XSpec]) -> None:
    """Give every lane an instance of the lab, or none; a lane that takes the place of a dead one has the same."""
    for spec, instance in zip(specs, instances_for(len(specs)), strict=True):
        spec.env[INSTANCE_VARIABLE] = instance


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """``./lab test`` runs lanes side by side; a lane takes one folder of tests after the other."""
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: order_of(item.nodeid))


class FolderScheduling(LoadScopeScheduling):
    """Keeps together, and in order, what shares hosts or environments; what needs hosts goes to whoever has some."""

    def schedule(self) -> None:
        """Begin with the lanes that have hosts, whichever was ready first."""
        lanes = sorted(self.assigned_work.items(), key=lambda item: not has_instance(_instance_of(item[0])))
        self.assigned_work = type(self.assigned_work)(lanes)
        super().schedule()

    def _assign_work_unit(self, node: WorkerController) -> None:
        free = has_instance(_instance_of(node))
        suited = [scope for scope in self.workqueue if free or not needs_instance(scope)]
        if suited:
            self.workqueue.move_to_end(suited[0], last=False)
            super()._assign_work_unit(node)
        else:
            node.shutdown()

    def _split_scope(self, nodeid: str) -> str:
        return folder_of(nodeid)


def _instance_of(node: WorkerController) -> str:
    return str(node.gateway.spec.env.get(INSTANCE_VARIABLE, ""))
