# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that restores a backup: everything is checked before anything is touched, and what is replaced is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, authorities, backup
from ansible_collections.privatespace.gateway.plugins.module_utils._store.archive import FILES, Unpacked, unpack_archive
from ansible_collections.privatespace.gateway.plugins.module_utils._store.backup_run import HostFiles, record
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation, make_file
from ansible_collections.privatespace.gateway.plugins.module_utils._store.restore_plan import (
    Found,
    Outlook,
    Relation,
    notices,
    relate,
    require_replaceable,
    require_token,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    StoreSession,
    open_store,
)

STORE = "store"
Prove = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Crls:
    """How CRLs are told apart; the domain of certificates provides both.

    :param numbers: The number of every issuer's CRL in a file, by the issuer's name.
    :param issuer: The name under which an authority issues, from its certificate (DER).
    """

    numbers: Callable[[bytes], Mapping[str, int]]
    issuer: Callable[[bytes], str]


@dataclass(frozen=True)
class RestoreRun:
    """Put the store and the files of one backup in place.

    :param options: Those of ``pki_restore``.
    :param work: A folder for the owner only, which the caller removes.
    :param proving: Logs in to the token for a block and gives a function that raises ``StateError`` where the key of an
        authority, told by label and certificate (DER), is not there; ``None`` in check mode.
    """

    options: Mapping[str, Any]
    location: StoreLocation
    origin: Origin
    clock: Callable[[], datetime]
    host: HostFiles
    crls: Crls
    work: Path
    proving: Callable[[], Any] | None

    def decide(self) -> Change[str]:
        """Check the backup, the token, and what is there; nothing is written outside of the folder for work.

        :raises InputError: the backup is damaged, or does not have what was asked for.
        :raises StateError: the store that is there knows more, or the token cannot sign.
        """
        unpacked = unpack_archive(Path(self.options["archive"]), self.work)
        wanted = self._wanted_files(unpacked)
        with self._opened(StoreLocation(path=unpacked.store)) as staged:
            backup.require_sound(staged)
            backup.require_same(staged, unpacked.manifest.facts)
            found = self._found(staged, unpacked.sha256)
            numbers = self._known_numbers(staged)
            outlook = self._outlook(staged)
        facts = unpacked.manifest.facts
        require_replaceable(
            found, facts, place=self.location.shown, database=self.location.path is None, force=self.options["force"]
        )
        require_token(outlook, wanted=self.options["require_token"])
        newer = [path for path in wanted.values() if self._is_newer(path, numbers)]
        steps = [] if found.relation is Relation.SAME else [STORE]
        steps += [
            name for name, path in wanted.items() if path not in newer and not self._is_right(name, path, unpacked)
        ]
        return Change(
            {"store": found.relation.value, "files": {str(path): self._shown(path) for path in wanted.values()}},
            {
                "store": "same",
                "files": {str(path): self._after(name, path, steps, unpacked) for name, path in wanted.items()},
            },
            tuple(steps),
            {
                "manifest": unpacked.manifest.shown(),
                "store_before": found.relation.value,
                "put_aside": [],
                "left_newer": [str(path) for path in newer],
                "token": {"proven": self.proving is not None and not outlook.missing, "missing": dict(outlook.missing)},
                "crl_expires": outlook.expires.isoformat() if outlook.expires else None,
                "notices": notices(
                    found, outlook, [str(path) for path in newer], known=max(facts["crl_numbers"].values(), default=0)
                ),
            },
        )

    def apply(self, change: Change[str]) -> Mapping[str, Any]:
        """Put the store in its place, then the files; what they replace is kept beside them."""
        suffix = f".before-restore-{self.clock().astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
        unpacked = unpack_archive(Path(self.options["archive"]), self.work)
        aside: list[str] = []
        if STORE in change.steps:
            with self._opened(StoreLocation(path=unpacked.store)) as staged:
                detail = {
                    "archive": unpacked.sha256,
                    "created_at": unpacked.manifest.created_at,
                    "replaced": change.result["store_before"],
                }
                record(staged, audit.STORE_RESTORED, Path(self.options["archive"]).name[:255], detail)
            aside += self._put_store(unpacked.store, suffix, damaged=change.result["store_before"] == "damaged")
        for name in change.steps:
            if name != STORE:
                aside += self._put_file(Path(self.options["files"][name]), name, unpacked, suffix)
        return {"put_aside": aside}

    def _put_store(self, staged: Path, suffix: str, *, damaged: bool) -> list[str]:
        if self.location.path is None:
            with self._opened(StoreLocation(path=staged)) as source, self._opened(self.location, create=True) as target:
                backup.fill_database(target, source)
            return self._verified(staged, [])
        kept = backup.put_aside(self.location.path, suffix, damaged=damaged)
        make_file(self.location)
        backup.copy_file(StoreLocation(path=staged), self.location)
        return self._verified(staged, kept)

    def _verified(self, staged: Path, kept: list[str]) -> list[str]:
        """Read the store in its place, and compare it with what it was to be."""
        with self._opened(StoreLocation(path=staged)) as source:
            facts = backup.store_facts(source)
        with self._opened(self.location) as target:
            backup.require_sound(target)
            backup.require_same(target, facts)
        return kept

    def _put_file(self, path: Path, name: str, unpacked: Unpacked, suffix: str) -> list[str]:
        old, mode = self.host.read(path), unpacked.mode_of(name)
        kept = []
        if old is not None and old != unpacked.files[name]:
            beside = path.with_name(f"{path.name}{suffix}")
            self._write(beside, old, mode=self.host.mode(path) or mode)
            kept.append(str(beside))
        self._write(path, unpacked.files[name], mode=mode)
        return kept

    def _write(self, path: Path, content: bytes, *, mode: int) -> None:
        with self.host.replacing(path, mode=mode) as stream:
            stream.write(content)

    def _wanted_files(self, unpacked: Unpacked) -> dict[str, Path]:
        for name in self.options["files"]:
            if name not in unpacked.files:
                raise InputError(
                    f"The backup has no file '{name}' (it has {', '.join(sorted(unpacked.files)) or 'none'}).",
                    remedy=f"Correct or leave out 'files.{name}'. Nothing was changed.",
                )
        return {name: Path(path) for name, path in self.options["files"].items()}

    def _found(self, staged: StoreSession, sha256: str) -> Found:
        """The store that is there, beside the one in the backup."""
        if self.location.is_missing():
            return Found(Relation.ABSENT)
        try:
            with open_store(self.location, origin=self.origin, clock=self.clock, dry_run=True) as there:
                relation = _relation(there, staged, sha256)
                return Found(relation, backup.trail_of(there).records, backup.store_facts(there)["crl_numbers"])
        except StoreMissingError:
            return Found(Relation.ABSENT)
        except StoreError as error:
            if not error.damaged:
                raise
            return Found(Relation.DAMAGED, problem=error.message)

    def _outlook(self, staged: StoreSession) -> Outlook:
        published = list(backup.published_crls(staged))
        dates = [crl.next_update for _authority, crl in published if crl is not None]
        missing: dict[str, str] = {}
        if self.proving is not None and published:
            missing = self._missing({authority.label: authority.certificate for authority, _crl in published})
        return Outlook(missing, min(dates, default=None))

    def _missing(self, certificates: Mapping[str, bytes]) -> dict[str, str]:
        """Why keys are not to be had, by their labels. One login: a PIN that was refused is not tried again."""
        missing: dict[str, str] = {}
        try:
            with self.proving() as prove:  # type: ignore[misc]
                for label, certificate in certificates.items():
                    problem = _problem(prove, label, certificate)
                    if problem:
                        missing[label] = problem
        except CollectionError as error:
            return {**dict.fromkeys(certificates, error.message), **missing}
        return missing

    def _known_numbers(self, staged: StoreSession) -> dict[str, int]:
        """The highest CRL number that the backup knows, by the name of the issuer."""
        numbers = backup.store_facts(staged)["crl_numbers"]
        return {
            self.crls.issuer(authority.certificate): numbers[authority.label]
            for authority in authorities.load_authorities(staged)
            if authority.certificate
        }

    def _is_newer(self, path: Path, known: Mapping[str, int]) -> bool:
        """Whether a file holds a CRL of one of our authorities that the backup knows nothing of."""
        content = self.host.read(path)
        published = self.crls.numbers(content) if content else {}
        return any(number > known.get(issuer, number) for issuer, number in published.items())

    def _is_right(self, name: str, path: Path, unpacked: Unpacked) -> bool:
        return self.host.read(path) == unpacked.files[name] and self.host.mode(path) == unpacked.mode_of(name)

    def _shown(self, path: Path) -> str:
        content = self.host.read(path)
        return "absent" if content is None else fingerprint(content)

    def _after(self, name: str, path: Path, steps: Sequence[str], unpacked: Unpacked) -> str:
        return unpacked.manifest.members[f"{FILES}{name}"].sha256 if name in steps else self._shown(path)

    @contextmanager
    def _opened(self, location: StoreLocation, *, create: bool = False) -> Iterator[StoreSession]:
        with open_store(location, origin=self.origin, clock=self.clock, create=create) as session:
            yield session


def _relation(there: StoreSession, staged: StoreSession, sha256: str) -> Relation:
    mine, theirs = backup.trail_of(there), backup.trail_of(staged)
    shorter, longer = (mine, staged) if mine.records <= theirs.records else (theirs, there)
    met = backup.record_at(longer, shorter.records)
    last = backup.record_at(there, mine.records)
    return relate(
        records=mine.records,
        head=shorter.head,
        backup_records=theirs.records,
        common=met.hash if met else None,
        only_restored=mine.records == theirs.records + 1 and _tells_of(last, sha256),
    )


def _tells_of(last: Any, sha256: str) -> bool:
    return last is not None and last.action == audit.STORE_RESTORED and sha256 in last.detail


def _problem(prove: Prove, label: str, certificate: bytes) -> str:
    try:
        prove(label, certificate)
    except StateError as error:
        return error.message
    return ""
