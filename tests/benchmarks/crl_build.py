"""A whole CRL from nothing: PEM and DER on the disk, signed by a key in a token and verified.

- From plain values, every entry encoded, no two with the same date; beside the builder of ``cryptography`` (DER only,
  a key in memory) and, where it survives the size, the module ``community.crypto.x509_crl``.
- From the entries in a store of revocations, by the whole of ``pki_crl`` without Ansible around it; beside
  ``openssl ca -gencrl`` and ``easyrsa gen-crl`` (PEM only, a key in a file).

The floor is the digest of what is signed, a login and one signature, and both files written and flushed, their bytes at
hand. CPU seconds, programs that are run included; the best of some rounds, each in a fresh process.

Run it with ``./lab bench crl-build [--json] [--quick]``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _crl_lab as labs
from benchmarks._rows import Row, Table, parse_options
from benchmarks._usage import Stopwatch, Usage, best, in_fresh_process
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from integration.run_module import collections_path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import write_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import encode_entries
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import pem_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    CrlFields,
    sign_crl,
)

ROUNDS, QUICK_ROUNDS = 2, 1
SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000)
MOST_FOR_X509_CRL = 10_000  # It takes quadratic time: half a minute for 100,000.
MODULE_RUN = """
import json, runpy, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module("ansible_collections.community.crypto.plugins.modules.x509_crl", run_name="__main__")
"""


def build_from_values(lab: labs.CrlLab) -> Usage:
    """Ours, from values that are at hand."""
    os.environ.update(lab.token.environment)
    values, certificate = list(labs.revocations(lab.count)), lab.certificate()
    now = datetime.now(UTC)
    fields = CrlFields(1, now - timedelta(hours=1), now + timedelta(days=30))
    watch = Stopwatch()
    with labs.open_keys(lab) as keys:
        key = keys("ca", certificate.public_key())
        parts = sign_crl(encode_entries(values), fields, issuer_certificate=certificate, issuer_key=key)
    write_pieces(lab.folder / "values.pem", pem_pieces(parts), mode=0o644)
    write_pieces(lab.folder / "values.der", parts, mode=0o644)
    return watch.stop()


def build_with_cryptography(lab: labs.CrlLab) -> Usage:
    """The builder that is given all entries at once, its fastest way."""
    values, key = list(labs.revocations(lab.count)), ec.generate_private_key(ec.SECP256R1())
    certificate = lab.certificate()
    watch = Stopwatch()
    entries = [
        x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(each.revoked_at).build()
        for each in values
    ]
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=certificate.subject,
        last_update=now,
        next_update=now + timedelta(days=30),
        revoked_certificates=entries,
    ).add_extension(x509.CRLNumber(1), critical=False)
    content = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    (lab.folder / "cryptography.der").write_bytes(content)
    return watch.stop()


def build_with_x509_crl(lab: labs.CrlLab) -> Usage | None:
    """The module of community.crypto, run directly; ``None`` where it is not installed."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    dates = "%Y%m%d%H%M%SZ"
    arguments = {
        "path": str(lab.folder / "module.pem"),
        "privatekey_content": pem,
        "issuer": {"CN": "Test CA"},
        "last_update": "+0s",
        "next_update": "+30d",
        "revoked_certificates": [
            {"serial_number": each.serial, "revocation_date": each.revoked_at.strftime(dates)}
            for each in labs.revocations(lab.count)
        ],
    }
    watch = Stopwatch()
    done = subprocess.run(
        [sys.executable, "-c", MODULE_RUN], input=json.dumps(arguments), capture_output=True, text=True, check=False,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections_path())},
    )  # fmt: skip
    usage = watch.stop()
    if "No module named 'ansible_collections" in done.stderr:
        return None
    if not json.loads(done.stdout).get("changed"):
        sys.exit(f"community.crypto.x509_crl failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return usage


def build_from_store(lab: labs.CrlLab) -> Usage:
    """Ours, from the store: no file holds the last CRL, so that none can be added to."""
    for path in (lab.pem, lab.der):
        path.unlink(missing_ok=True)
    return labs.run_pki_crl(lab)


def rounds(work: Callable[[labs.CrlLab], Any], lab: labs.CrlLab, *, most: int) -> Usage | None:
    """The best of some rounds; of one where it takes long."""
    usages: list[Usage] = []
    while len(usages) < most:
        usage = in_fresh_process(work, lab)
        if usage is None:
            return None
        usages.append(usage)
        if usage.wall > 5:
            break
    return best(usages)


def compare(lab: labs.CrlLab, table: Table, before: dict[str, float]) -> None:
    """All rows of one size."""
    in_fresh_process(labs.prepare_openssl, lab)
    has_easyrsa = in_fresh_process(labs.prepare_easyrsa, lab)
    most = QUICK_ROUNDS if table.options.quick else ROUNDS
    store, values = rounds(build_from_store, lab, most=most), rounds(build_from_values, lab, most=most)
    floor = rounds(labs.run_floor, lab, most=most)
    peers: list[tuple[str, Usage | None, Callable[[labs.CrlLab], Any] | None]] = [
        ("values, beside cryptography", values, build_with_cryptography),
        ("values, beside x509_crl", values, build_with_x509_crl if lab.count <= MOST_FOR_X509_CRL else None),
        ("store, beside openssl ca -gencrl", store, labs.run_openssl),
        ("store, beside easyrsa gen-crl", store, labs.run_easyrsa if has_easyrsa else None),
    ]
    for case, ours, work in peers:
        peer = rounds(work, lab, most=most) if work else None
        if ours is None or floor is None or (peer is None and "beside cryptography" not in case):
            table.say(f"    {lab.count}: {case}: the peer is not installed, or does not survive the size")
            continue
        growth = {"growth for ten times as many": ours.cpu / before[case]} if case in before else {}
        more = {**growth, "wall s": ours.wall, "peak MB": round(ours.peak_mb)}
        table.add(Row("crl-build", case, lab.count, "CPU s", ours.cpu, peer.cpu if peer else None, floor.cpu, more))
        before[case] = ours.cpu


def main() -> None:
    """Print some rows a size."""
    options = parse_options("crl-build", __doc__ or "")
    table, before = Table(options), dict[str, float]()
    for count in QUICK_SIZES if options.quick else SIZES:
        with tempfile.TemporaryDirectory(dir=labs.SCRATCH) as folder:
            compare(in_fresh_process(labs.make_lab, Path(folder), count), table, before)


if __name__ == "__main__":
    main()
