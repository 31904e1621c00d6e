"""Backups and restores of made-up stores, in both databases: no token, no CRL but a made-up one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from unit.store.store_bench import Bench, Clock

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    replacing,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store import crls
from ansible_collections.privatespace.gateway.plugins.module_utils._store.backup_run import BackupRun, HostFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import StoreLocation, make_folder
from ansible_collections.privatespace.gateway.plugins.module_utils._store.restore_run import Crls, RestoreRun
from ansible_collections.privatespace.gateway.plugins.module_utils._store.rows import RevocationList
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin

HOST = HostFiles(read_optional, file_mode, replacing)
CLOCK = Clock()
TICKS = count(1)
SERVER_KEY = (
    b"-----BEGIN OpenVPN tls-crypt-v2 server key-----\nc2VjcmV0\n-----END OpenVPN tls-crypt-v2 server key-----\n"
)


def tick() -> Any:
    """A clock of which every look is a second later: archives and what is put aside have names of their own."""
    return CLOCK.now + timedelta(seconds=next(TICKS))


def made_up_numbers(content: bytes) -> Mapping[str, int]:
    """A made-up CRL is the text ``crl ISSUER NUMBER``."""
    words = content.decode("utf-8", "replace").split()
    return {words[1]: int(words[2])} if len(words) == 3 and words[0] == "crl" else {}


@dataclass
class Vault:
    """A folder for backups, and files beside the store."""

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)

    def file(self, name: str, content: bytes, *, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        self.files[name] = path
        return path

    def backup_run(self, location: StoreLocation, **options: Any) -> BackupRun:
        settings = {"folder": str(self.folder / "backups"), "keep": 0, "files": self._files(), **options}
        self.folder.mkdir(exist_ok=True)
        return BackupRun(settings, location, Origin("admin", "job 8"), tick, HOST)

    def back_up(self, location: StoreLocation, **options: Any) -> dict[str, Any]:
        run = self.backup_run(location, **options)
        change = run.decide()
        return {**change.result, **run.apply(change)}

    @contextmanager
    def restoring(
        self, archive: str | Path, location: StoreLocation, *, missing: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator[RestoreRun]:
        settings = {"archive": str(archive), "files": self._files(), "force": False, "require_token": True, **options}
        work = self.folder / f"work-{next(TICKS)}"
        work.mkdir(mode=0o700)
        make_folder(location)
        yield RestoreRun(
            settings, location, Origin("admin", "job 9"), tick, HOST,
            Crls(made_up_numbers, lambda der: der.decode().split()[0]), work, proving(missing or {}),
        )  # fmt: skip

    def restore(
        self, archive: str | Path, location: StoreLocation, **options: Any
    ) -> tuple[Change[str], dict[str, Any]]:
        with self.restoring(archive, location, **options) as run:
            change = run.decide()
            return change, {**change.result, **(run.apply(change) if change.needed else {})}

    def _files(self) -> dict[str, str]:
        return {name: str(path) for name, path in self.files.items()}


def proving(missing: Mapping[str, str]) -> Callable[[], Any]:
    """A token that lacks some keys."""

    def prove(label: str, certificate: bytes) -> None:
        assert certificate
        if label in missing:
            raise StateError(missing[label])

    @contextmanager
    def login() -> Iterator[Callable[[str, bytes], None]]:
        if "login" in missing:
            raise StateError(missing["login"])
        yield prove

    return login


def sign_crl(bench: Bench, number: int) -> None:
    moment = CLOCK.now + timedelta(seconds=number)
    crl = RevocationList(number, "signed", moment, moment + timedelta(days=30), moment, 0)
    crls.intend_crl(bench.session, bench.authority, crl)
    owed = crls.load_owed(bench.session, bench.authority)
    crls.record_crl(bench.session, bench.authority, crl, der=b"crl %d" % number, owed=owed)


def rows_of(session: Any) -> dict[str, list[Any]]:
    """Everything that a store keeps, but its audit trail."""
    tables = [table for table in session.tables.metadata.sorted_tables if table.name != "audit"]
    return {table.name: sorted(map(repr, session.read(table.select()))) for table in tables}
