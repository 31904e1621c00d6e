# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SoftHSM writes the file of a token in place at every login: a process that is killed then leaves it empty.

The token looks as if it had never been there, and its keys are out of reach, though they lie unharmed beside it. So a
copy of that file is kept from before each login, and put back where the file is found empty. Other tokens have no such
file, and nothing is done for them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

TOKEN_FILE = "token.object"  # noqa: S105 - the name of a file
COPY = "token.object.before-login"
DEFAULT_FOLDER = Path("/var/lib/softhsm/tokens")
CONFIGURATIONS = (
    Path("~/.config/softhsm2/softhsm2.conf"),
    Path("/etc/softhsm/softhsm2.conf"),
    Path("/etc/softhsm2.conf"),
)


def keep_token_files(module: str, *, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Put back the token files that a killed process emptied, and copy those that are whole.

    To be called under the lock of the token, before its library is loaded.

    :param module: Path of the PKCS#11 library; another one than SoftHSM's has no such files.
    :param environment: That of the process, for ``SOFTHSM2_CONF``.
    :return: The files that were put back.
    """
    if "softhsm" not in Path(module).name.lower():
        return ()
    return tuple(path for path in _token_files(_token_folder(environment)) if _keep(path))


def _token_folder(environment: Mapping[str, str]) -> Path:
    named = environment.get("SOFTHSM2_CONF")
    for path in (Path(named),) if named else CONFIGURATIONS:
        lines = _lines(path.expanduser())
        for line in lines:
            name, _equals, value = line.partition("=")
            if name.strip() == "directories.tokendir" and value.strip():
                return Path(value.strip())
    return DEFAULT_FOLDER


def _lines(path: Path) -> list[str]:
    """The lines of a file; none where it cannot be read. A named pipe is not waited for."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    except OSError:
        return []


def _token_files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.glob(f"*/{TOKEN_FILE}"))
    except OSError:
        return


def _keep(path: Path) -> bool:
    """Whether a file was put back. What this process may not read or write is left to whoever may."""
    copy = path.with_name(COPY)
    try:
        content, kept = path.read_bytes(), copy.read_bytes() if copy.is_file() else b""
        if not content and kept:
            _replace(path, kept, like=copy)
            return True
        if content and content != kept:
            _replace(copy, content, like=path)
    except OSError:
        return False
    return False


def _replace(path: Path, content: bytes, *, like: Path) -> None:
    """Write a file beside and rename it, with the mode and the owner of another one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        owner = like.stat()
        os.chown(str(temporary), owner.st_uid, owner.st_gid)
        shutil.copymode(str(like), str(temporary))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
