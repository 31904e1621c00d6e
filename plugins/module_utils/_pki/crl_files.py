# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that CRLs are published in: one PEM with those of all issuers, and a DER for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_outline import read_outline
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import split_crls
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import verify_crl

_UNSAFE = re.compile(rb"[^A-Za-z0-9.-]")


@dataclass(frozen=True)
class CrlFiles:
    """Files of the host.

    :param read: The content of a file, ``None`` where it is missing: bytes, or what can be sliced, indexed and hashed
        like bytes, such as a file that is mapped into memory.
    :param mode: Its permission bits, ``None`` where it is missing.
    :param write: Replaces it atomically, called as ``write(path, pieces, mode=…)``.
    :param remove: Removes it, if it is there.
    :param publish: Like ``write``, for files that everybody may fetch: has their folder, and makes each newer than the
        one before by whole seconds.
    """

    read: Callable[[Path], Any]
    mode: Callable[[Path], int | None]
    write: Callable[..., None]
    remove: Callable[[Path], None]
    publish: Callable[..., None]


def der_path_of(label: str, active_path: Path) -> Path:
    """Where the DER of an issuer that is not the active one lies: beside that of the active one.

    >>> str(der_path_of("ca 2", Path("/srv/crl.der")))
    '/srv/crl-ca_202.der'

    :param label: Of its key. What is not fit for the name of a file everywhere becomes ``_`` and two hexadecimal digits
        a byte, so that two labels never share a file.
    """
    name = _UNSAFE.sub(lambda found: b"_%02X" % found.group()[0], label.encode("utf-8")).decode("ascii")
    return active_path.with_name(f"{active_path.stem}-{name}.der")


@dataclass(frozen=True)
class Shelf:
    """What the files hold, each of them read once; they do not change under the lock of the store.

    :param bundle: The file with all CRLs as PEM.
    """

    files: CrlFiles
    bundle: Path
    _held: dict[Path, tuple[str, Any]] = field(default_factory=dict, repr=False)
    _bundled: list[tuple[bytes, ...]] = field(default_factory=list, repr=False)

    def digest(self, path: Path) -> str:
        """The SHA-256 of a DER file in hexadecimal; that of nothing where it is missing."""
        return self._read(path)[0]

    def find(self, sha256: str, paths: Iterable[Path]) -> Any:
        """The CRL of that SHA-256, if a DER file or the bundle holds it, else ``None``."""
        if not sha256:
            return None
        for path in paths:
            digest, content = self._read(path)
            if digest == sha256:
                return content
        return next((der for der in self._blocks() if fingerprint(der) == sha256), None)

    def higher(self, issuer_certificate: Any, number: int, paths: Iterable[Path]) -> tuple[Path, int] | None:
        """A file with a CRL that an authority signed under a higher number, and that number.

        Hardly anything has to be verified, because a CRL tells its issuer and its number at its two ends.
        """
        issuer = issuer_certificate.subject.public_bytes()
        held = [(path, self._read(path)[1]) for path in paths] + [(self.bundle, der) for der in self._blocks()]
        for path, der in held:
            found = _number_by(der, issuer)
            if found > number and _is_genuine(der, issuer_certificate):
                return path, found
        return None

    def _read(self, path: Path) -> tuple[str, Any]:
        if path not in self._held:
            content = self.files.read(path) or b""
            self._held[path] = fingerprint(content), content
        return self._held[path]

    def _blocks(self) -> tuple[bytes, ...]:
        if not self._bundled:
            try:
                self._bundled.append(split_crls(self.files.read(self.bundle) or b""))
            except InputError:
                self._bundled.append(())
        return self._bundled[0]

    def is_bundle(self, pieces: Iterator[bytes]) -> bool:
        """Whether the bundle is the concatenation of some pieces."""
        content, position = self.files.read(self.bundle), 0
        if content is None:
            return False
        for piece in pieces:
            if content[position : position + len(piece)] != piece:
                return False
            position += len(piece)
        return position == len(content)


def _number_by(der: Any, issuer: bytes) -> int:
    try:
        outline = read_outline(der)
    except InputError:
        return 0
    return outline.number if outline.issuer == issuer else 0


def _is_genuine(der: Any, issuer_certificate: Any) -> bool:
    try:
        verify_crl(bytes(der), issuer_certificate)
    except CollectionError:
        return False
    return True
