# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that writes the state of this gateway for Prometheus: ``metrics PATH [PUBLIC]``.

PUBLIC is the folder of what everybody may know of it, for the gateway's web pages: ``status.json``, and the CRL, which
a web server does not read where the keys are. Where there is no such folder, nothing of it is written.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import Question, gather_gateway
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.metrics import render_metrics
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.public_status import render_public_status

# Another program's file, read by another user.
MODE = 0o644
# The management socket takes one client at a time, and a removal comes first: it waits for ten seconds.
PATIENCE_SECONDS = 2.0


def main(arguments: Sequence[str], *, question: Question | None = None) -> int:
    """Gather and write; returns the exit status.

    A file is written in any case: one that says that nothing could be read is what an alarm needs.
    """
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: metrics PATH [PUBLIC]\n")
        return 2
    asked = question or Question(timeout_seconds=PATIENCE_SECONDS, answers_required=False)
    state, problem = None, ""
    try:
        state = gather_gateway(asked)
    except CollectionError as error:
        problem = str(error)
    now = epoch_seconds()
    contents = {Path(arguments[0]): render_metrics(state, now=now).encode()}
    if len(arguments) > 1 and Path(arguments[1]).is_dir():
        contents.update(_public_files(Path(arguments[1]), state, asked, now=now))
    found = [_write(path, content) for path, content in contents.items()]
    problem = next(filter(None, found), problem)
    if problem:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem else 0


def _public_files(
    folder: Path, state: Mapping[str, Any] | None, question: Question, *, now: float
) -> dict[Path, bytes]:
    files = {folder / "status.json": render_public_status(state, now=now).encode()}
    # Only one that was verified, and none that cannot be read any more.
    crl = read_optional(question.crl_path) if state and state["crl"] else None
    return {**files, folder / "crl.pem": crl} if crl else files


def _write(path: Path, content: bytes) -> str:
    """Write a file, unless it is as it should be; returns what went wrong."""
    try:
        if read_optional(path) != content:
            write_atomic(path, content, mode=MODE)
    except CollectionError as error:
        return str(error)
    return ""
