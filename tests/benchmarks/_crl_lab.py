"""An authority with very many revocations for the benchmarks of CRLs: token, store, files, and what peers need."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._usage import Stopwatch, Usage
from conftest import CHECKOUT
from integration.hsm.authority import authority, settings
from integration.softhsm import SoftToken, make_token

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import file_mode
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import (
    map_optional,
    publish_pieces,
    remove_file,
    write_pieces,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import load_certificate
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import Revocation, encode_entries
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_files import CrlFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_outline import read_outline
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_run import CrlRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import to_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.signatures import sign_parts
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import (
    Origin,
    open_for_run,
    open_store,
)

SCRATCH = CHECKOUT / ".lab"
FIRST_SERIAL = 2**158
SERIAL_BITS = 158
REVOKED_FROM = datetime(2026, 1, 1, tzinfo=UTC)
FAR = 4_000_000_000  # certificates of the benchmark end in 2096
OPENSSL_CONFIGURATION = """
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_crl_days = 30
"""


@dataclass(frozen=True)
class CrlLab:
    """A folder with everything, on the disk of the checkout.

    :param count: How many certificates are revoked.
    """

    folder: Path
    token: SoftToken
    count: int

    @property
    def pem(self) -> Path:
        return self.folder / "crl.pem"

    @property
    def der(self) -> Path:
        return self.folder / "crl.der"

    @property
    def store(self) -> Path:
        return self.folder / "store" / "authority.db"

    def certificate(self) -> Any:
        return load_certificate((self.folder / "ca.crt").read_text(encoding="ascii"))


def revocations(count: int) -> Iterator[Revocation]:
    """Serials at random, as ours are, and one every 31 seconds: no two have the same date."""
    chance = random.Random(count)  # noqa: S311 - the same ones in every round
    for number in range(count):
        serial = FIRST_SERIAL + chance.getrandbits(SERIAL_BITS)
        yield Revocation(serial, REVOKED_FROM + timedelta(seconds=31 * number))


def make_lab(folder: Path, count: int) -> CrlLab:
    """A token with a key, its authority in a store, and the revocations in it by bulk SQL.

    They have no certificates, which no CRL has to look at. All are marked as listed by a CRL that is in no file.
    """
    lab = CrlLab(folder, make_token(folder / "softhsm", label=f"benchmark-{folder.name}"), count)
    os.environ.update(lab.token.environment)
    with (
        authority(lab.token, folder) as made,
        open_store(parse_location(str(lab.store)), origin=Origin("benchmark"), clock=utc_now, create=True) as store,
    ):
        authorities.intend_authority(
            store, label="ca", common_name="Test CA", algorithm="ec-p256", crl_validity_days=30
        )
        end = utc_now() + timedelta(days=3650)
        authorities.activate_authority(store, "ca", certificate=to_der(made.certificate), not_after=end)
    with sqlite3.connect(lab.store) as database:
        database.executemany(
            "INSERT INTO revocations (id, authority_id, certificate_id, revoked_at, reason, entry, not_after, "
            "first_crl_number) VALUES (?, 1, ?, 0, 'unspecified', ?, ?, 1)",
            ((number, number, entry, FAR) for number, entry in enumerate(_entries(count), 1)),
        )
        before = int(datetime.now(UTC).timestamp()) - 86400
        database.execute(
            "INSERT INTO crls (authority_id, number, state, this_update, next_update, signed_at_us, entries, sha256) "
            "VALUES (1, 1, 'signed', ?, ?, 0, ?, 'none')",
            (before, before + 30 * 86400, count),
        )
    return lab


def _entries(count: int) -> Iterator[bytes]:
    for chunk in encode_entries(revocations(count)):
        size = chunk[1] + 2
        yield from (chunk[start : start + size] for start in range(0, len(chunk), size))


def revoke_one(lab: CrlLab, number: int) -> None:
    """One revocation more, as it is in the store before a CRL lists it."""
    entry = Revocation(FIRST_SERIAL - number, datetime.now(UTC)).encode_entry()
    with sqlite3.connect(lab.store) as database:
        database.execute(
            "INSERT INTO revocations (authority_id, certificate_id, revoked_at, reason, entry, not_after) "
            "VALUES (1, ?, 0, 'unspecified', ?, ?)",
            (lab.count + number, entry, FAR),
        )


def open_keys(lab: CrlLab) -> Any:
    """One login to the token."""
    return signing_keys(settings(lab.token), lock=exclusive_lock)


def run_pki_crl(lab: CrlLab) -> Usage:
    """The module ``pki_crl`` without Ansible around it: the store, the decision, the login, the CRL, both files."""
    os.environ.update(lab.token.environment)
    options = {"crl_path": str(lab.pem), "crl_der_path": str(lab.der), "renewal_days": None, "force": False}
    tools = Tools(utc_now, os.urandom, partial(open_keys, lab), lambda: None)
    files = CrlFiles(map_optional, file_mode, write_pieces, remove_file, publish_pieces)
    with _opened(lab):
        pass  # Loads what SQLAlchemy loads at the first use only.
    watch = Stopwatch()
    with _opened(lab) as session:
        run = CrlRun({**options, "return_content": False}, AuthorityBook(session, "ca"), tools, files, _complain)
        run.apply(run.decide())
    return watch.stop()


def _opened(lab: CrlLab) -> Any:
    return open_for_run(
        str(lab.store), actor="benchmark", job="", wait_seconds=0, clock=utc_now, file_lock=exclusive_lock
    )


def _complain(sentence: str) -> None:
    raise RuntimeError(sentence)


def run_floor(lab: CrlLab) -> Usage:
    """What nobody can leave out: the digest of what is signed, a login and one signature, both files on the disk."""
    os.environ.update(lab.token.environment)
    der, pem, certificate = lab.der.read_bytes(), lab.pem.read_bytes(), lab.certificate()
    signed = memoryview(der)[8 : read_outline(der).entries_end]
    watch = Stopwatch()
    with open_keys(lab) as keys:
        sign_parts(keys("ca", certificate.public_key()), [signed])
    for name, content in (("floor.pem", pem), ("floor.der", der)):
        with (lab.folder / name).open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    return watch.stop()


def prepare_openssl(lab: CrlLab) -> None:
    """The database of ``openssl ca`` with the same revocations, and a key in a file for it."""
    folder = lab.folder / "openssl"
    folder.mkdir()
    _openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             "ca.key", "-out", "ca.crt", "-subj", "/CN=Peer CA", "-days", "3650")  # fmt: skip
    (folder / "crlnumber").write_text("01\n", encoding="ascii")
    (folder / "ca.cnf").write_text(OPENSSL_CONFIGURATION, encoding="ascii")
    write_index(folder / "index.txt", lab.count)


def write_index(path: Path, count: int) -> None:
    """The index of revoked certificates that OpenSSL and easy-rsa keep."""
    with path.open("w", encoding="ascii") as stream:
        stream.writelines(
            f"R\t491231235959Z\t{revoked.revoked_at:%y%m%d%H%M%SZ}\t{revoked.serial:X}\tunknown\t/CN=device\n"
            for revoked in revocations(count)
        )


def run_openssl(lab: CrlLab) -> Usage:
    """``openssl ca -gencrl``: PEM only."""
    watch = Stopwatch()
    _openssl(lab.folder / "openssl", "ca", "-gencrl", "-config", "ca.cnf", "-out", "crl.pem")
    return watch.stop()


def _openssl(folder: Path, *arguments: str) -> None:
    _run(("openssl", *arguments), folder)


def _run(argv: tuple[str, ...], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")


def prepare_easyrsa(lab: CrlLab) -> bool:
    """A PKI of easy-rsa with the same revocations; whether the program is there at all."""
    program = shutil.which("easyrsa", path=f"/usr/share/easy-rsa:{os.environ['PATH']}")
    if program is None:
        return False
    folder = lab.folder / "easyrsa"
    folder.mkdir()
    for arguments in (("init-pki",), ("build-ca", "nopass")):
        _easyrsa(folder, program, *arguments)
    write_index(folder / "pki" / "index.txt", lab.count)
    return True


def run_easyrsa(lab: CrlLab) -> Usage:
    """``easyrsa gen-crl``."""
    program = shutil.which("easyrsa", path=f"/usr/share/easy-rsa:{os.environ['PATH']}") or "easyrsa"
    watch = Stopwatch()
    _easyrsa(lab.folder / "easyrsa", program, "gen-crl")
    return watch.stop()


def _easyrsa(folder: Path, program: str, *arguments: str) -> None:
    curve = {"EASYRSA_ALGO": "ec", "EASYRSA_CURVE": "prime256v1"}
    _run((program, *arguments), folder, EASYRSA_BATCH="1", EASYRSA_REQ_CN="Peer CA", **curve)
