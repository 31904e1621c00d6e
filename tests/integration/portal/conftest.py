"""The service of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.portal.service import Page, Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def page(service: Service) -> Page:
    """A page that was opened with a fresh link of alice's laptop."""
    return Page(service, service.make_link())
