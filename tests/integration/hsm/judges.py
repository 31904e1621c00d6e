"""Programs that are not ours and judge what was signed: pkilint, OpenSSL and GnuTLS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_program(*command: str, cwd: Path, fails: bool = False) -> str:
    """What a program prints; the test fails where its exit status is not the one that is expected."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    output = done.stdout + done.stderr
    assert (done.returncode != 0) is fails, f"{' '.join(command)}\n{output}"
    return output


def pkilint(*command: str, cwd: Path) -> None:
    """Run a linter of pkilint at WARNING; it must have nothing to say."""
    program, *rest = command
    output = run_program(str(Path(sys.executable).with_name(program)), "lint", *rest, "-s", "WARNING", cwd=cwd)
    assert output.strip() == "", output
