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

KILLS = 200
MOST_SECONDS = 240
TESTS = Path(__file__).resolve().parents[2]


def test_two_hundred_kills(host: AuthorityHost) -> None:
    """Every round forks, works and is killed at a random moment; after each the store and the CRL are looked at."""
    host("pki_crl")
    task = {
        "seed": 20261122,
        "kills": KILLS,
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
    assert seen["killed"] == KILLS, seen
    assert seen["states"].get("abandoned"), f"no kill hit the moment between intention and signature: {seen}"
    assert not seen["states"].get("intended")
    assert host("pki_info")["audit"]["valid"]
