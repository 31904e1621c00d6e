"""The fixture of the chains."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.chains.chain import Judge


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """OpenSSL."""
    return Judge(tmp_path)
