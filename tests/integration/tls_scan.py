"""A real judge of a web server's TLS, sslyze, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quality.tools import CHECKOUT, make_environment

SCAN_SECONDS = 180


@dataclass(frozen=True)
class Scan:
    """What sslyze found on one server.

    :param complies: Whether the server keeps to the Mozilla profile that was asked about.
    :param text: What sslyze prints for a person; it names what does not comply.
    :param results: Its findings by kind, as its JSON has them.
    """

    complies: bool
    text: str
    results: dict[str, Any]


def scan_tls(
    name: str, address: str, folder: Path, *, port: int = 443, profile: str = "intermediate", root: Path | None = None
) -> Scan:
    """Judge a server by one of Mozilla's profiles; ``AssertionError`` when it cannot be reached.

    :param name: The name that it is asked for.
    :param address: Where it is.
    :param folder: Where the report is written.
    :param root: A PEM file that its certificate must lead to, instead of the public ones.
    """
    requirements = CHECKOUT / "tests/requirements-sslyze.txt"
    python = make_environment("sslyze", requirements=requirements, python=Path(sys.executable))
    report = folder / f"sslyze-{name}-{profile}.json"
    where = f"[{address}]" if ":" in address else address
    argv = [
        *(str(python.parent / "sslyze"), f"--mozilla_config={profile}", f"--json_out={report}", f"--sni={name}"),
        *(["--certinfo", f"--certinfo_ca_file={root}"] if root else []),
        f"{where}:{port}",
    ]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SCAN_SECONDS, check=False
    )
    assert report.is_file(), done.stdout + done.stderr
    (server,) = json.loads(report.read_text())["server_scan_results"]
    assert server["connectivity_status"] == "COMPLETED", done.stdout
    return Scan(complies=done.returncode == 0, text=done.stdout, results=server["scan_result"])
