# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small services of a host to the modules that look after OpenVPN there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import Completed, run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    write_atomic,
)

OPENSSL_SECONDS = 30
ATTACHED = "@attached@"
# A CRL is public, and a daemon that cannot read it refuses everybody.
CRL_MODE = 0o644


def run_openssl(argv: Sequence[str], stdin: bytes, *, attached: bytes = b"") -> Completed:
    """Run the program that reads certificates and CRLs; the caller judges its status.

    :param attached: The content of a file, if the program needs one besides; its path takes the place of
        ``@attached@`` in ``argv``.
    :raises CommandError: it is not installed.
    :raises DeadlineError: it did not end in time.
    """
    if ATTACHED not in argv:
        return run_command(argv, stdin=stdin, timeout_seconds=OPENSSL_SECONDS, check=False)
    with tempfile.NamedTemporaryFile(prefix="privatespace.") as stream:
        stream.write(attached)
        stream.flush()
        named = [stream.name if argument == ATTACHED else argument for argument in argv]
        return run_command(named, stdin=stdin, timeout_seconds=OPENSSL_SECONDS, check=False)


def is_installed(path: Path, content: bytes) -> bool:
    """Whether a CRL is in place as :func:`install_crl` would put it there."""
    return read_optional(path) == content and file_mode(path) == CRL_MODE


def install_crl(path: Path, content: bytes) -> None:
    """Replace a CRL atomically, with a modification time that is later by a whole second or more.

    OpenVPN compares size and whole seconds: a second CRL within one of them would go unnoticed.

    :raises FileError: and the old file stands.
    """
    before = int(path.stat().st_mtime) if path.exists() else 0
    write_atomic(path, content, mode=CRL_MODE)
    if int(path.stat().st_mtime) <= before:
        os.utime(str(path), (before + 1, before + 1))
