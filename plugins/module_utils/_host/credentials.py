# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that systemd hands over to one service: encrypted for this host where that works, else for root only.

No secret is in an argument, an environment or a message: programs get it by their standard input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    FileError,
    read_optional,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import remove_file

# The ways in which a service may get a secret, the best first.
ENCRYPTED, LOADED, DIRECT = "encrypted", "loaded", "direct"
WAYS = (ENCRYPTED, LOADED, DIRECT)
MODE = 0o400
FOLDER_MODE = 0o700
_PROGRAM = "systemd-creds"
_SECONDS = 60


@dataclass(frozen=True)
class Credential:
    """A secret of a service, which lies where the name of its file tells how the service gets it.

    :param name: By which the service asks for it.
    :param folder: Where it lies.
    """

    name: str
    folder: Path

    def path(self, way: str) -> Path:
        """The file: one that only this host can read, or one that only root can."""
        own = {ENCRYPTED: self.folder / f"{self.name}.cred", DIRECT: self.folder / DIRECT / self.name}
        return own.get(way, self.folder / self.name)

    def directive(self, way: str, path: Path | None = None) -> str:
        """The line for the unit of the service.

        :param path: Another file than that of :meth:`path`.
        """
        path = path or self.path(way)
        if way == DIRECT:
            # systemd hands nothing over then: the service reads the file itself.
            return f"Environment=CREDENTIALS_DIRECTORY={path.parent}"
        return f"LoadCredential{'Encrypted' if way == ENCRYPTED else ''}={self.name}:{path}"

    def read(self, way: str) -> bytes | None:
        """The secret as it lies there; ``None`` where it is missing, or cannot be decrypted any more.

        :raises FileError: the file cannot be read.
        """
        path = self.path(way)
        if way != ENCRYPTED or not path.exists():
            return read_optional(path)
        try:
            argv = (_PROGRAM, "decrypt", f"--name={self.name}", str(path), "-")
            return run_command(argv, timeout_seconds=_SECONDS).output.encode()
        except CollectionError:
            return None

    def write(self, way: str, content: bytes) -> None:
        """Have the file of one way, and none of the others.

        :param content: What :func:`encrypt` gave, or the secret itself.
        :raises FileError: a file could not be written.
        """
        path = self.path(way)
        _have_folders(self.folder, path.parent)
        write_atomic(path, content, mode=MODE)
        self.remove(kept=path)

    def remove(self, kept: Path | None = None) -> None:
        """Have no file of it, or none but one.

        :raises FileError: one could not be removed.
        """
        for path in (*map(self.path, WAYS), self._trial):
            if path != kept and path.exists():
                remove_file(path)

    def try_way(self, way: str, content: bytes) -> str:
        """Whether a service of this host gets the secret that way: why not, or nothing where it does.

        :param content: As for :meth:`write`.
        :raises FileError: the file for the trial could not be written.
        """
        # systemd would replace a variable by what it knows of it itself.
        test = f'test -s "$$CREDENTIALS_DIRECTORY/{self.name}"'
        with self._trying(content) as path:
            load = f"--property={self.directive(way, path)}"
            argv = ("systemd-run", "--quiet", "--wait", "--collect", load, "--", "/bin/sh", "-c", test)
            try:
                run_command(argv, timeout_seconds=_SECONDS)
            except CommandError as error:
                return f"no service gets it by {self.directive(way).partition('=')[0]}: {error}"
        return ""

    @property
    def _trial(self) -> Path:
        return self.folder / f".{self.name}.trial"

    @contextmanager
    def _trying(self, content: bytes) -> Iterator[Path]:
        _have_folders(self.folder)
        write_atomic(self._trial, content, mode=MODE)
        try:
            yield self._trial
        finally:
            remove_file(self._trial)


def _have_folders(*folders: Path) -> None:
    try:
        for folder in folders:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            folder.chmod(FOLDER_MODE)
    except OSError as error:
        raise FileError(f"Cannot make the folders of {folders[-1]}: {error.strerror}.") from error


def encrypt(secret: bytes, *, name: str) -> tuple[bytes, str]:
    """The secret for this host only, and why there is none where that does not work."""
    try:
        done = run_command((_PROGRAM, "encrypt", f"--name={name}", "-", "-"), stdin=secret, timeout_seconds=_SECONDS)
    except CollectionError as error:
        return b"", f"it cannot be encrypted: {error}"
    return done.output.encode(), ""
