"""Killed at any moment of issuing, removing and signing the CRL: nothing is lost, nothing is said twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from integration.pki.authority_host import AuthorityHost
from integration.run_module import collections_path

MOST_SECONDS = 240
TESTS = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kills", [50, pytest.param(200, marks=pytest.mark.soak)])
def test_kills_at_any_moment(host: AuthorityHost, kills: int) -> None:
    """Every round forks, works and is killed at a random moment; after each the store and the CRL are looked at."""
    host("pki_crl")
    task = {
        "seed": 20261122,
        "kills": kills,
        "seconds": MOST_SECONDS,
        "folder": str(host.folder),
        "options": host.options_of("pki_crl"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "integration.pki.killing"],
        input=json.dumps(task), capture_output=True, text=True, timeout=2 * MOST_SECONDS, check=False, cwd=TESTS,
        env={**os.environ, **host.token.environment, "PYTHONPATH": f"{collections_path()}:{TESTS}"},
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(done.stderr[-3000:])
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["killed"] == kills, seen
    assert seen["states"].get("abandoned"), f"no kill hit the moment between intention and signature: {seen}"
    assert not seen["states"].get("intended")
    assert host("pki_info")["audit"]["valid"]
