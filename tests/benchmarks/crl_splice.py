"""One revocation more among very many: PEM and DER on the disk, the store committed, signed by a key in a token.

Ours is the whole of ``pki_crl`` without Ansible around it; the peer is ``openssl ca -gencrl`` with a key in a file, PEM
only; the floor is the digest of what is signed, a login and one signature, and both files written and flushed, their
bytes at hand. The best of some rounds, each in a fresh process.

Run it with ``./lab bench crl-splice [--json] [--quick]``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _crl_lab as labs
from benchmarks._rows import Row, Table, parse_options
from benchmarks._usage import Usage, best, in_fresh_process

ROUNDS, QUICK_ROUNDS = 4, 2
SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000, 100_000)


def measure(folder: Path, count: int, *, most: int) -> dict[str, Usage]:
    """The best of interleaved rounds at one size."""
    lab = in_fresh_process(labs.make_lab, folder, count)
    in_fresh_process(labs.prepare_openssl, lab)
    in_fresh_process(labs.run_pki_crl, lab)
    rounds: dict[str, list[Usage]] = {"ours": [], "floor": [], "peer": []}
    for number in range(1, most + 1):
        labs.revoke_one(lab, number)
        rounds["ours"].append(in_fresh_process(labs.run_pki_crl, lab))
        rounds["floor"].append(in_fresh_process(labs.run_floor, lab))
        if number == 1 or count < SIZES[-1]:
            rounds["peer"].append(in_fresh_process(labs.run_openssl, lab))
    return {name: best(usages) for name, usages in rounds.items()}


def main() -> None:
    """Print two rows a size."""
    options = parse_options("crl-splice", __doc__ or "")
    table = Table(options)
    before: dict[str, float] = {}
    for count in QUICK_SIZES if options.quick else SIZES:
        with tempfile.TemporaryDirectory(dir=labs.SCRATCH) as folder:
            found = measure(Path(folder), count, most=QUICK_ROUNDS if options.quick else ROUNDS)
        for unit in ("cpu", "wall"):
            ours, peer, floor = (getattr(found[name], unit) for name in ("ours", "peer", "floor"))
            more = {"peak MB": round(found["ours"].peak_mb)}
            growth = {"growth for ten times as many": ours / before[unit]} if unit in before else {}
            case = "one more, beside openssl ca -gencrl"
            table.add(Row("crl-splice", case, count, f"{unit} s", ours, peer, floor, {**growth, **more}))
            before[unit] = ours


if __name__ == "__main__":
    main()
