"""A PostgreSQL server in a folder of its own, on a free port of the loopback, gone at the end of the tests."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

ACCOUNT = "authority"
SYSTEM_ACCOUNT = "postgres"
DEADLINE_SECONDS = 60


@dataclass
class PostgresServer:
    """A server that only this test run knows. Its accounts' passwords are in ``PGPASSFILE`` alone."""

    folder: Path
    programs: Path
    port: int
    passwords: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_hex(16) for name in (SYSTEM_ACCOUNT, ACCOUNT, "reader")}
    )
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def password_file(self) -> Path:
        return self.folder / "pgpass"

    def initialise(self) -> None:
        """Make the cluster, its accounts and the password file."""
        first = self.folder / "first-password"
        first.write_text(self.passwords[SYSTEM_ACCOUNT], encoding="ascii")
        _hand_over(first)
        self._run("initdb", "--auth=scram-sha-256", f"--pwfile={first}", "--no-sync", "--encoding=UTF8", "--locale=C",
                  f"--username={SYSTEM_ACCOUNT}", f"--pgdata={self.folder / 'data'}")  # fmt: skip
        self.write_passwords()

    def write_passwords(self, **others: str) -> None:
        lines = [f"*:*:*:{name}:{password}\n" for name, password in {**self.passwords, **others}.items()]
        self.password_file.touch(mode=0o600)
        self.password_file.write_text("".join(lines), encoding="ascii")

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with log:
            self.process = subprocess.Popen(
                [*_as_system_account(), str(self.programs / "postgres"), "-D", str(self.folder / "data"), *options],
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it; SIGINT cuts the connections off, SIGQUIT is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(DEADLINE_SECONDS)
            self.process = None

    @contextmanager
    def administration(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A connection of the superuser, in autocommit."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=SYSTEM_ACCOUNT, dbname=database, autocommit=True,
            password=self.passwords[SYSTEM_ACCOUNT], connect_timeout=5,
        ) as connection:  # fmt: skip
            yield connection

    def make_accounts(self) -> None:
        with self.administration() as connection:
            for name in (ACCOUNT, "reader"):
                connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{self.passwords[name]}'")

    def make_database(self) -> str:
        """An empty database of the account ``authority``; its name."""
        name = f"store_{next(self.numbers)}"
        with self.administration() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {ACCOUNT} TEMPLATE template0")
        return name

    def url(self, database: str, *, account: str = ACCOUNT) -> str:
        return f"postgresql+psycopg://{account}@127.0.0.1:{self.port}/{database}"

    def cut_off(self, database: str) -> int:
        """End every connection to a database; how many there were."""
        with self.administration() as connection:
            return len(
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
                ).fetchall()
            )

    def drop(self, database: str) -> None:
        with self.administration() as connection:
            connection.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def _answers(self) -> bool:
        try:
            with self.administration():
                return True
        except psycopg.OperationalError:
            return False

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*_as_system_account(), str(self.programs / program), *arguments],
            capture_output=True, text=True, check=False, cwd=self.folder,
        )  # fmt: skip
        if done.returncode != 0:
            pytest.fail(f"{program} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")


def _as_system_account() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={SYSTEM_ACCOUNT}", f"--regid={SYSTEM_ACCOUNT}", "--clear-groups", "--"]


def _hand_over(path: Path) -> None:
    if os.getuid() == 0:
        shutil.chown(path, SYSTEM_ACCOUNT, SYSTEM_ACCOUNT)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; the password file is named in the environment of this process and of those that it starts."""
    # Not in pytest's own folder, which the account of the server cannot enter.
    with tempfile.TemporaryDirectory(prefix="privatespace-postgres-") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        _hand_over(folder)
        server = PostgresServer(folder, _programs(), _free_port())
        server.initialise()
        patch.setenv("PGPASSFILE", str(server.password_file))
        server.start()
        try:
            server.make_accounts()
            yield server
        finally:
            server.stop()
