# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that everybody may fetch from: the CRLs, and the certificates by which they are judged.

Each file in it is a copy, made once the file that it is a copy of is right. So nothing is in there that was not
verified, and whatever goes wrong leaves the last CRL there. The file with all CRLs, which gateways fetch, comes last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_files import CrlFiles, Shelf
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import FoundCopy, FoundFile

BUNDLE, DER, CERTIFICATES = "crl.pem", "crl.der", "ca.pem"


def public_der(folder: Path) -> Path:
    """Where the DER of the active authority lies in that folder; those of others have names beside it."""
    return folder / DER


@dataclass(frozen=True)
class Publication:
    """What is in the folder, and what should be.

    :param certificates: PEM of what has to be trusted.
    :param sources: Of every CRL in DER the path of the copy, and that of the file that it is a copy of.
    :param bundle: The file with all CRLs.
    :raises InputError: the folder is that of the files which are copied.
    """

    folder: Path
    files: CrlFiles
    shelf: Shelf
    certificates: bytes
    sources: Mapping[Path, Path]
    bundle: Path

    def __post_init__(self) -> None:
        if self.folder in {path.parent for path in (*self.sources.values(), self.bundle)}:
            raise InputError(
                f"The folder {self.folder} is that of the CRL itself, beside which secrets may lie.",
                remedy="Give 'public_folder' a folder of its own.",
            )

    def found(self, originals: Sequence[FoundFile]) -> list[FoundCopy]:
        """The state of every copy, in the order in which they are written.

        :param originals: The state of the files that are copied.
        """
        is_right = {original.path: bool(original.is_current) for original in originals}
        listed = self.files.read(self.folder / CERTIFICATES)
        is_listed = listed is not None and listed[:] == self.certificates
        copies = [self._copy(self.folder / CERTIFICATES, is_current=is_listed)]
        for copy, source in self._pairs().items():
            is_current = is_right[str(source)] and self.shelf.digest(copy) == self.shelf.digest(source)
            copies.append(self._copy(copy, str(source), is_current=is_current))
        return copies

    def agrees(self, source: Path) -> bool:
        """Whether the copy of a CRL in DER holds what its source holds."""
        copies = [copy for copy, original in self.sources.items() if original == source]
        return all(self.shelf.digest(copy) == self.shelf.digest(source) for copy in copies)

    def write(self, wanted: Collection[str], *, good: Collection[Path], mode: int) -> None:
        """Put files right.

        :param wanted: The paths of those that are not.
        :param good: What may be copied; an issuer that could not sign may have no CRL, or only a damaged one.
        """
        if str(self.folder / CERTIFICATES) in wanted:
            self.files.publish(self.folder / CERTIFICATES, (self.certificates,), mode=mode)
        for copy, source in self._pairs().items():
            if str(copy) in wanted and source in good:
                self.files.publish(copy, (self.files.read(source),), mode=mode)

    def _pairs(self) -> dict[Path, Path]:
        return {**self.sources, self.folder / BUNDLE: self.bundle}

    def _copy(self, path: Path, source: str = "", *, is_current: bool) -> FoundCopy:
        return FoundCopy(FoundFile(str(path), is_current, self.files.mode(path)), source)
