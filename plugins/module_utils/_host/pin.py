# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the PIN of a token comes from. It is in no message: neither whole nor in part."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

PIN_VARIABLE = "PRIVATESPACE_HSM_PIN"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL = "privatespace-hsm-pin"
LONGEST_PIN_FILE = 4096


def find_pin(*, given: str | None, path: str | None, environment: Mapping[str, str]) -> str | None:
    """The PIN: given, else from a file, else from the environment, else a systemd credential; ``None`` without one.

    :param given: The PIN itself.
    :param path: A file whose first line it is; not together with ``given``.
    :param environment: Of the process; its ``CREDENTIALS_DIRECTORY`` is where systemd puts credentials.
    :raises InputError: two were given, a file cannot be used, or the PIN holds a control character.
    """
    if given and path:
        raise InputError("hsm_pin and hsm_pin_file are both given.", remedy="Give one of them.")
    found = given or (read_pin_file(Path(path)) if path else environment.get(PIN_VARIABLE))
    found = found or _credential(environment.get(CREDENTIALS_VARIABLE))
    if found and not found.isprintable():
        raise InputError("The PIN holds a control character.", remedy="Give it as one line of visible characters.")
    return found or None


def read_pin_file(path: Path) -> str:
    """The first line of a file that its owner alone may read.

    :raises InputError: it is missing, empty, or open to others: a PIN that others could read is not a secret.
    """
    mode, content = _read(path)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(
            f"The PIN file {path} is open to others (mode {stat.S_IMODE(mode):04o}).",
            remedy=f"Run: chmod 0400 {path}. If others may have read the PIN, change it.",
        )
    return _first_line(path, content)


def _credential(folder: str | None) -> str | None:
    """The PIN that systemd passed to this service, in a folder that it shows to the service alone.

    Modes are not judged there: systemd grants the service its credentials by an access control list, and the mode of
    such a file shows the list's mask as if it were that of a group.
    """
    path = Path(folder or "") / CREDENTIAL
    if not folder or not path.exists():
        return None
    return _first_line(path, _read(path)[1])


def _read(path: Path) -> tuple[int, bytes]:
    """Mode and content of a regular file. A named pipe is refused instead of waited for."""
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            mode = os.fstat(descriptor).st_mode
            content = stream.read(LONGEST_PIN_FILE + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise InputError(f"The PIN file {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"The PIN file {path} is not a regular file.")
    if len(content) > LONGEST_PIN_FILE:
        raise InputError(f"The PIN file {path} is longer than {LONGEST_PIN_FILE} bytes.", remedy="Give the right file.")
    return mode, content


def _first_line(path: Path, content: bytes) -> str:
    line = content.split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        raise InputError(f"The PIN file {path} is empty.", remedy="Its first line is the PIN.")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"The PIN file {path} is not a text in UTF-8.") from None
