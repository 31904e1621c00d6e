"""Building a whole CRL: ours, the builder of ``cryptography`` as the peer, and digest + signature + write as the floor.

CPU seconds of the best of three interleaved rounds. Run it with ``./lab bench crl-build [--json] [--quick]``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import CHECKOUT
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from unit.pki.authority import authority

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import Revocation, build_crl

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 10_000)


def measure(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def build_with_cryptography(issuer: Any, serials: range) -> bytes:
    """The peer: a builder that is given all entries at once, its fastest way."""
    entries = [x509.RevokedCertificateBuilder().serial_number(s).revocation_date(NOW).build() for s in serials]
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuer.certificate.subject,
        last_update=NOW,
        next_update=NOW + timedelta(days=30),
        revoked_certificates=entries,
    ).add_extension(x509.CRLNumber(1), critical=False)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def build_ours(issuer: Any, serials: range) -> bytes:
    """Every entry encoded from nothing, then the list."""
    return build_crl(
        (Revocation(serial, NOW).encode_entry() for serial in serials),
        issuer_certificate=issuer.certificate,
        issuer_key=issuer.key,
        number=1,
        this_update=NOW,
        next_update=NOW + timedelta(days=30),
    )


def finish(issuer: Any, content: bytes, path: Path) -> None:
    """The floor: what nobody can leave out."""
    issuer.key.sign(content, ec.ECDSA(hashes.SHA256()))
    path.write_bytes(content)


def compare(size: int, folder: Path) -> dict[str, object]:
    """One row: the best of three interleaved rounds."""
    issuer = authority()
    serials = range(2**158, 2**158 + size)
    content = build_ours(issuer, serials)
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: (folder / "ours").write_bytes(build_ours(issuer, serials)),
        "peer": lambda: (folder / "peer").write_bytes(build_with_cryptography(issuer, serials)),
        "floor": lambda: finish(issuer, content, folder / "floor"),
    }
    rounds = [{name: measure(work) for name, work in works.items()} for _round in range(ROUNDS)]
    best = {name: min(each[name] for each in rounds) for name in works}
    return {
        "name": "crl-build",
        "case": "whole CRL from nothing",
        "n": size,
        "unit": "CPU s",
        **best,
        "ratio_to_peer": best["peer"] / best["ours"],
        "ratio_to_floor": best["ours"] / best["floor"],
    }


def main() -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser(prog="./lab bench crl-build")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=CHECKOUT / ".lab") as folder:
        for size in QUICK_SIZES if arguments.quick else SIZES:
            row = compare(size, Path(folder))
            if arguments.json:
                print(json.dumps(row), flush=True)
                continue
            print(
                f"crl-build n={row['n']:<7} ours {row['ours']:.4f} s  peer {row['peer']:.4f} s"
                f"  floor {row['floor']:.4f} s  {row['ratio_to_peer']:.1f} x peer  {row['ratio_to_floor']:.1f} x floor",
                flush=True,
            )


if __name__ == "__main__":
    main()
