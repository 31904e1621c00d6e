"""Issuing to thousands of devices: the engine beside its floor, the whole call beside the ways that people use today.

Floor: as many P-256 keys made and as many signatures through one session of the same SoftHSM token, and nothing else.
It is compared by the clock, since the engine signs in one process and does the rest in another meanwhile: on a machine
with two idle cores. What both cost in CPU time stands beside it.
Peers: the loop of openssl_privatekey, openssl_csr and x509_certificate of community.crypto, which the package
``ansible`` among the test requirements brings, run by ansible-playbook; and ``easyrsa build-client-full``. Both are
measured with few users, named in the row, and what starting the playbook costs is taken off. Ours is the whole
playbook. Run it with ``./lab bench issue [--json] [--quick]``.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._rows import Options, Row, Table, parse_options
from conftest import CHECKOUT
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from integration.pki.authority_host import AuthorityHost
from integration.run_module import run
from integration.softhsm import make_token

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing_process import signing_process
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings, open_token
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.enrolment import UserRun, read_users
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import signing_function
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files, Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run
from ansible_collections.privatespace.gateway.plugins.module_utils._store.summary import summarise

NAME = "issue"
ROUNDS, QUICK_ROUNDS = 5, 3
TBS_BYTES = 430
EASY_RSA = Path("/usr/share/easy-rsa/easyrsa")
OPTIONS: dict[str, Any] = {
    "purge": False, "missing_ok": False, "renew_retiring": False, "validity_days": 365, "renewal_days": 30,
    "tls_crypt_v2_server_key": None, "pkcs12": False, "pkcs12_password": None,
}  # fmt: skip


@dataclass(frozen=True)
class Spent:
    """What a piece of work cost, in seconds: of CPU, children included, and of the clock on the wall."""

    cpu: float
    elapsed: float


def spent_by(work: Callable[[], object]) -> Spent:
    """Do it once."""
    cpu, began = _cpu(), time.perf_counter()
    work()
    return Spent(_cpu() - cpu, time.perf_counter() - began)


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


@dataclass(frozen=True)
class Bench:
    """An authority in a folder, and the peers beside it."""

    folder: Path
    host: AuthorityHost

    @property
    def settings(self) -> TokenSettings:
        token = self.host.token
        return TokenSettings(token.module, token.label, token.pin)

    def floor(self, count: int) -> None:
        """Keys and signatures, and nothing else."""
        with open_token(self.settings, lock=exclusive_lock) as token:
            key, algorithm, message = token.get_key("ca"), ec.ECDSA(hashes.SHA256()), os.urandom(TBS_BYTES)
            for _device in range(count):
                generate_private_key("ec-p256")
                key.sign(message, algorithm)

    def engine(self, prefix: str, count: int, **more: Any) -> None:
        """What the module does between its options and its result, the store committed."""
        options = {**OPTIONS, **more, "users": [{"name": f"{prefix}{number}"} for number in range(count)]}
        wanted = read_users(options, now=utc_now(), lenient=False)
        with self.store() as session:
            tools = Tools(
                clock=utc_now,
                random_bytes=os.urandom,
                open_keys=partial(signing_keys, self.settings, lock=exclusive_lock),
                make_key=partial(generate_private_key, "ec-p256"),
                open_signer=partial(
                    signing_process, self.settings, lock=exclusive_lock, signing_function=signing_function
                ),
            )
            files = Files(read_optional, file_mode, write_atomic)
            job = UserRun(wanted, options, AuthorityBook(session, "ca"), tools, files)
            if len(job.apply(job.decide())["deliveries"]) != count:
                raise RuntimeError("not all were issued")

    def store(self) -> AbstractContextManager[Any]:
        """The open store, under its lock."""
        return open_for_run(
            str(self.host.store), actor="bench", job="", wait_seconds=5, clock=utc_now, file_lock=exclusive_lock
        )

    def call(self, prefix: str, count: int) -> None:
        """The whole of it: ansible-playbook with one task."""
        options = {**self.host.options_of("pki_users"), "users": [{"name": f"{prefix}{n}"} for n in range(count)]}
        result = run(self.folder, "pki_users", options, flags=(), environment=self.host.token.environment)
        if len(result["deliveries"]) != count:
            raise RuntimeError(f"not all were issued: {result.message}")


def against_the_floor(bench: Bench, table: Table, count: int, *, rounds: int) -> None:
    """The best of interleaved rounds, by the clock."""
    measured = [
        (
            spent_by(lambda: bench.floor(count)),
            spent_by(partial(bench.engine, f"r{number}-{count}-", count)),
        )
        for number in range(rounds)
    ]
    floor = min((each[0] for each in measured), key=lambda spent: spent.elapsed)
    ours = min((each[1] for each in measured), key=lambda spent: spent.elapsed)
    more = {"microseconds_a_device": ours.elapsed / count * 1e6, "cpu": ours.cpu, "floor_cpu": floor.cpu}
    table.add(Row(NAME, "engine, store committed", count, "s", ours.elapsed, floor=floor.elapsed, more=more))


def with_tls_crypt(bench: Bench, table: Table, count: int) -> None:
    """A key of tls-crypt-v2 each besides."""
    ours = spent_by(lambda: bench.engine("t", count, tls_crypt_v2_server_key=str(bench.host.server_key)))
    table.add(Row(NAME, "engine, with tls-crypt-v2 keys", count, "s", ours.elapsed, more={"cpu": ours.cpu}))


def _playbook(users: int) -> str:
    """The three tasks of community.crypto, as its guide shows them, for so many users."""
    names = [f"user{number}" for number in range(users)]
    crypto = "community.crypto."
    tasks: list[dict[str, Any]] = [
        {f"{crypto}openssl_privatekey": {"path": "{{ item }}.key", "type": "ECC", "curve": "secp256r1"}},
        {
            f"{crypto}openssl_csr": {
                "path": "{{ item }}.csr", "privatekey_path": "{{ item }}.key", "common_name": "{{ item }}",
                "key_usage": ["digitalSignature"], "extended_key_usage": ["clientAuth"],
            }
        },
        {
            f"{crypto}x509_certificate": {
                "path": "{{ item }}.crt", "csr_path": "{{ item }}.csr", "provider": "ownca",
                "ownca_path": "ca.crt", "ownca_privatekey_path": "ca.key",
            }
        },
    ]  # fmt: skip
    looped: list[dict[str, Any]] = [{**task, "loop": names} for task in tasks]
    authority: list[dict[str, Any]] = [
        {f"{crypto}openssl_privatekey": {"path": "ca.key", "type": "ECC", "curve": "secp256r1"}},
        {
            f"{crypto}openssl_csr_pipe": {
                "privatekey_path": "ca.key", "common_name": "CA", "basic_constraints": ["CA:TRUE"],
                "basic_constraints_critical": True, "key_usage": ["keyCertSign", "cRLSign"],
            },
            "register": "csr",
        },
        {
            f"{crypto}x509_certificate": {
                "path": "ca.crt", "privatekey_path": "ca.key", "csr_content": "{{ csr.csr }}",
                "provider": "selfsigned",
            }
        },
    ]  # fmt: skip
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [*authority, *looped]}
    return json.dumps([play])


def _community_crypto(folder: Path, users: int) -> Spent:
    folder.mkdir()
    (folder / "play.json").write_text(_playbook(users))
    (folder / "ansible.cfg").touch()
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {
        **os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_PIPELINING": "true",
    }  # fmt: skip
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    command = [str(program), "-i", "localhost,", "play.json"]
    spent = spent_by(lambda: subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True))
    if len(list(folder.glob("user*.crt"))) != users:
        raise RuntimeError("community.crypto did not issue all certificates")
    return spent


def community_crypto(folder: Path, users: int) -> Spent:
    """What one user costs there; its authority and starting the playbook do not count."""
    start, whole = _community_crypto(folder / "empty", 0), _community_crypto(folder / "users", users)
    return Spent((whole.cpu - start.cpu) / users, (whole.elapsed - start.elapsed) / users)


def easy_rsa(folder: Path, users: int) -> Spent:
    """What one user costs there; making its authority does not count."""
    environment = {**os.environ, "EASYRSA_BATCH": "1", "EASYRSA_ALGO": "ec", "EASYRSA_CURVE": "prime256v1"}

    def easyrsa(*arguments: str) -> None:
        command = [str(EASY_RSA), f"--pki-dir={folder}/pki", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    easyrsa("init-pki")
    easyrsa("build-ca", "nopass")

    def build_all() -> None:
        for number in range(users):
            easyrsa("build-client-full", f"user{number}", "nopass")

    spent = spent_by(build_all)
    return Spent(spent.cpu / users, spent.elapsed / users)


def against_the_peers(bench: Bench, table: Table, *, count: int, crypto_users: int, easy_users: int) -> None:
    """CPU seconds a user, everything that each way needs included."""
    ours = spent_by(lambda: bench.call("p", count))
    more = {"playbook_elapsed": ours.elapsed}
    peers = (
        (f"playbook, peer community.crypto ({crypto_users} users)", community_crypto(bench.folder, crypto_users)),
        (f"playbook, peer easy-rsa ({easy_users} users)", easy_rsa(bench.folder, easy_users)),
    )
    for case, peer in peers:
        table.add(Row(NAME, case, count, "CPU s a user", ours.cpu / count, peer=peer.cpu, more=more))


def audit_trail(bench: Bench, table: Table, count: int) -> None:
    """Checking the audit trail of a store with so many records."""
    with bench.store() as session:
        missing = count - audit.verify_chain(session).records
        detail = {"common_name": "user@device", "not_after": 1, "profile": "client", "sha256": "ab" * 32}
        with session.transaction():
            audit.append_events(session, [audit.Event("bench", str(number), detail) for number in range(missing)])
        states: list[audit.ChainState] = []
        spent = spent_by(lambda: states.append(audit.verify_chain(session)))
        if states[0].problems:
            raise RuntimeError(states[0].problems[0])
    more = {"records_a_second": states[0].records / spent.cpu}
    table.add(Row(NAME, "checking the audit trail", states[0].records, "CPU s", spent.cpu, more=more))


def information(bench: Bench, table: Table) -> None:
    """All that pki_info gathers, without the audit trail."""
    with bench.store() as session:
        gather = partial(summarise, session, label="ca", now=datetime.now(UTC), check_audit=False)
        listed = len(gather()["certificates"])
        spent = spent_by(gather)
    more = {"certificates_a_second": listed / spent.cpu}
    table.add(Row(NAME, "pki_info without the audit trail", listed, "CPU s", spent.cpu, more=more))


def measure(bench: Bench, table: Table, options: Options) -> None:
    """All rows."""
    bench.engine("warm", 10)
    for records in (1_000, 10_000) if options.quick else (1_000, 10_000, 100_000):
        audit_trail(bench, table, records)
    for count in (1_000, 5_000) if options.quick else (1_000, 5_000, 10_000):
        against_the_floor(bench, table, count, rounds=QUICK_ROUNDS if options.quick else ROUNDS)
        information(bench, table)
    with_tls_crypt(bench, table, 5_000)
    users = (5, 3) if options.quick else (50, 20)
    against_the_peers(bench, table, count=5_000, crypto_users=users[0], easy_users=users[1])


def main() -> None:
    """Measure in a folder of the checkout's own disk."""
    options = parse_options(NAME, "Issuing to thousands of devices beside community.crypto, easy-rsa and the floor.")
    if not EASY_RSA.exists():
        sys.exit("easy-rsa is not installed: apt-get install easy-rsa")
    with tempfile.TemporaryDirectory(dir=CHECKOUT / ".lab") as name:
        folder = Path(name)
        token = make_token(folder / "softhsm")
        os.environ.update(token.environment)
        bench = Bench(folder, AuthorityHost(token, folder / "authority"))
        bench.host.set_up()
        measure(bench, Table(options), options)


if __name__ == "__main__":
    main()
