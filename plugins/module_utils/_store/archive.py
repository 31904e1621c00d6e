# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that a backup is: a compressed tar with a manifest, the store as an SQLite file, and files beside it.

A tar, because it can be looked into on any machine in twenty years. The manifest is the first member and tells the
size and the SHA-256 of every other one. Nothing in an archive decides where anything is written: its members have
names, and whoever restores says which path each name is for.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint, shown

FORMAT = 1
MANIFEST, STORE, FILES = "manifest.json", "store.db", "files/"
LONGEST_MANIFEST = 4 * 1024 * 1024
PIECE = 1024 * 1024
SERVER_KEY_MARK = b"OpenVPN tls-crypt-v2 server key"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class Member:
    """One part of an archive.

    :param size: In bytes.
    :param sha256: Of its content, in hexadecimal.
    :param mode: The permission bits of the file that it was; 0600 for the store.
    :param path: Where it lay on the host that it was taken from, to be read by people only.
    """

    size: int
    sha256: str
    mode: int = 0o600
    path: str = ""


@dataclass(frozen=True)
class Manifest:
    """What an archive says about itself.

    :param created_at: ISO 8601, UTC.
    :param facts: What the store in it knows, as ``store_facts`` gives it.
    :param members: By name in the archive.
    """

    created_at: str
    collection_version: str
    schema_version: int
    facts: Mapping[str, Any]
    members: Mapping[str, Member]

    def shown(self) -> dict[str, Any]:
        """The manifest as it is returned to an administrator."""
        return asdict(self)

    def as_json(self) -> bytes:
        """The text of the manifest's member."""
        return (json.dumps({"format": FORMAT, **self.shown()}, indent=2, sort_keys=True) + "\n").encode("ascii")


@dataclass(frozen=True)
class Unpacked:
    """An archive that was checked from its first byte to its last.

    :param sha256: Of the archive, in hexadecimal.
    :param store: Where the store of the archive now lies.
    :param files: The content of the other files, by name.
    """

    manifest: Manifest
    sha256: str
    store: Path
    files: Mapping[str, bytes]

    def mode_of(self, name: str) -> int:
        """The permission bits of a file, without those that let anybody run it or take over its owner."""
        return self.manifest.members[f"{FILES}{name}"].mode & 0o644 | 0o600


def check_file_names(names: Iterator[str]) -> None:
    """Refuse names that are not fit for members of an archive.

    :raises InputError: naming the one.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"The option 'files' has the name '{shown(name)}'.",
                remedy="Names have 1 to 63 characters of a-z, 0-9, '_', '.' and '-', and begin with a letter or digit.",
            )


def describe_file(path: Path) -> Member:
    """Size and hash of a file that is to become a member."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        for piece in iter(lambda: stream.read(PIECE), b""):
            digest.update(piece)
            size += len(piece)
    return Member(size, digest.hexdigest())


def write_archive(stream: IO[bytes], manifest: Manifest, *, store: Path, files: Mapping[str, bytes]) -> None:
    """Write a whole archive.

    :param store: The SQLite file of the member ``store.db``.
    :param files: By name; their members are those names below ``files/``.
    """
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
        text = manifest.as_json()
        _add(archive, MANIFEST, io.BytesIO(text), Member(len(text), ""))
        with store.open("rb") as content:
            _add(archive, STORE, content, manifest.members[STORE])
        for name, held in files.items():
            _add(archive, f"{FILES}{name}", io.BytesIO(held), manifest.members[f"{FILES}{name}"])


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], member: Member) -> None:
    header = tarfile.TarInfo(name)
    header.size, header.mode = member.size, member.mode
    archive.addfile(header, content)


def unpack_archive(path: Path, folder: Path) -> Unpacked:
    """Check an archive completely, and put its store into a folder.

    :raises InputError: it is missing, or damaged, or not one of ours; what is wrong is said.
    """
    try:
        whole = describe_file(path)
        with path.open("rb") as stream, _reading(path), tarfile.open(fileobj=stream, mode="r|gz") as archive:
            manifest, store, files = _unpack(archive, folder)
    except OSError as error:
        raise InputError(f"The backup {path} cannot be read: {error.strerror or error}.") from error
    return Unpacked(manifest, whole.sha256, store, files)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"The backup {path} is damaged, or is no backup of an authority: {shown(str(error)) or 'it ends early'}.",
            remedy="Nothing was changed. Take another backup, or another copy of this one.",
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise InputError(
            f"The backup {path} is no backup of an authority: {shown(str(error))}.", remedy="Nothing was changed."
        ) from error


def _unpack(archive: tarfile.TarFile, folder: Path) -> tuple[Manifest, Path, Mapping[str, bytes]]:
    members = iter(archive)
    manifest = _read_manifest(archive, next(members, None))
    store, files, left = folder / STORE, {}, dict(manifest.members)
    for header in members:
        expected = left.pop(header.name, None)
        if expected is None or not header.isreg() or header.size != expected.size:
            raise ValueError(f"its part {header.name} is not as its manifest says")
        content = archive.extractfile(header)
        if header.name == STORE:
            found = _save(content, store)
        else:
            files[header.name[len(FILES) :]] = held = content.read() if content else b""
            found = fingerprint(held)
        if found != expected.sha256:
            raise ValueError(f"its part {header.name} was altered")
    if left:
        raise ValueError(f"it lacks {min(left)}")
    return manifest, store, files


def _read_manifest(archive: tarfile.TarFile, header: tarfile.TarInfo | None) -> Manifest:
    if header is None or header.name != MANIFEST or not header.isreg() or header.size > LONGEST_MANIFEST:
        raise ValueError("it does not begin with a manifest")
    content = archive.extractfile(header)
    told = json.loads(content.read() if content else b"")
    if told.pop("format") != FORMAT:
        raise ValueError("a later version of the collection wrote it")
    members = {name: Member(**member) for name, member in told.pop("members").items()}
    check_file_names(name[len(FILES) :] for name in members if name != STORE)
    if STORE not in members or not all(name == STORE or name.startswith(FILES) for name in members):
        raise ValueError("its manifest names other parts than a backup has")
    return Manifest(**told, members=members)


def _save(content: IO[bytes] | None, path: Path) -> str:
    """Write a member to a file for the owner only; its SHA-256."""
    digest = hashlib.sha256()
    path.touch(mode=0o600)
    with path.open("wb") as target:
        for piece in iter(lambda: content.read(PIECE) if content else b"", b""):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()
