"""Kills whole modules of an authority at random moments, and looks after every kill at what is left.

Runs in a process of its own, which imports everything once and forks for every round, so that hundreds of rounds take
less than a minute; the token's library is loaded after the fork only.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import sys
import time
from collections import Counter
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    crl_to_der,
    load_crl,
    verify_crl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store import audit, authorities, certificates
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin, open_store

PACKAGE = "ansible_collections.privatespace.gateway.plugins.modules"
WARM_UP = 4
USERS = tuple(f"user{number}" for number in range(4))
LONGER = 1.01


class Authority:
    """An authority of files, the modules that work with it, and everything that ever came out of them.

    :param options: Those of the token and the store; ``crl_path`` and ``crl_der_path`` besides.
    """

    def __init__(self, options: dict[str, Any], folder: Path, chance: random.Random) -> None:
        self.options = options
        self.folder = folder
        self.chance = chance
        self.delivered: dict[str, str] = {}
        self.highest_crl = 0
        self.seen: Counter[str] = Counter()

    def work(self) -> list[tuple[str, dict[str, Any]]]:
        """What one round does: issue, reissue, remove, and sign the CRL."""
        users = self.chance.sample(USERS, 3)
        wanted: list[dict[str, Any]] = [
            {"name": users[0], "devices": [{"name": "laptop"}, {"name": "phone"}]},
            {"name": users[1], "devices": [{"name": "laptop", "reissue": True}]},
            {"name": users[2], "state": "absent"},
        ]
        token = {name: value for name, value in self.options.items() if not name.startswith("crl")}
        return [("pki_users", {**token, "users": wanted, "missing_ok": True}), ("pki_crl", self.options)]

    def run(self, output: Path) -> None:
        """In the child: run the modules of a round; each line of the output is what a module printed at its end."""
        for name, arguments in self.work():
            with (
                output.open("a", encoding="utf-8") as stream,
                suppress(SystemExit),
                patch_module_args(arguments),
                redirect_stdout(stream),
            ):
                runpy.run_module(f"{PACKAGE}.{name}", run_name="__main__")

    def round(self, after: float | None) -> float:
        """Fork, let the child work, and kill it after so many seconds unless ``None``; how long it lived."""
        output = self.folder / "output"
        output.unlink(missing_ok=True)
        self.chance.random()  # another state in the parent than the child of the round before had
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            os.setsid()
            status = 1
            try:
                self.run(output)
                status = 0
            finally:
                os._exit(status)
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        _pid, status = os.waitpid(child, 0)
        lived = time.monotonic() - began
        killed = os.WIFSIGNALED(status)
        self.seen["killed" if killed else "ended by itself"] += 1
        self.take(output, complete=not killed)
        return lived

    def take(self, output: Path, *, complete: bool) -> None:
        """Note what came out: every certificate that a user can have."""
        text = output.read_text(encoding="utf-8") if output.exists() else ""
        for line in filter(None, text.split("\n")[:-1]):  # a line without its end was cut off by the kill
            result = json.loads(line)
            if result.get("failed"):
                raise AssertionError(f"a module failed: {result['msg']}")
            for delivery in result.get("deliveries", ()):
                certificate = x509.load_pem_x509_certificate(delivery["certificate"].encode())
                serial = str(certificate.serial_number)
                if serial in self.delivered:
                    raise AssertionError(f"the serial {serial} came out twice")
                self.delivered[serial] = certificate.public_bytes(Encoding.DER).hex()
        if complete and not output.exists():
            raise AssertionError("a child ended by itself and left nothing")

    def look(self) -> None:
        """Look at what is left: store, audit trail, certificates, CRL files."""
        location, origin = parse_location(self.options["store"]), Origin("test")
        with open_store(location, origin=origin, clock=utc_now) as session:
            problems = [*session.integrity_problems(), *audit.verify_chain(session).problems]
            known = {
                str(each.serial): certificates.load_certificate(session, each.serial).certificate.hex()
                for each in certificates.load_all(session)
            }
            (ca,) = authorities.trusted_authorities(session)
        if problems:
            raise AssertionError(f"the store is damaged: {problems}")
        strangers = [serial for serial, der in self.delivered.items() if known.get(serial) != der]
        if strangers:
            raise AssertionError(f"delivered, and not in the store: {strangers}")
        issuer = x509.load_der_x509_certificate(ca.certificate)
        pem, der = Path(self.options["crl_path"]), Path(self.options["crl_der_path"])
        numbers = []
        for content in (crl_to_der(pem.read_bytes()), der.read_bytes()):
            verify_crl(content, issuer)
            numbers.append(load_crl(content).number or 0)
        if numbers[0] < self.highest_crl:
            raise AssertionError(f"the CRL went back from {self.highest_crl} to {numbers}")
        self.highest_crl = numbers[0]

    def finish(self) -> None:
        """A run that nobody kills completes what the others left."""
        everybody = [{"name": user, "devices": [{"name": "laptop"}, {"name": "phone"}]} for user in USERS]
        self.work = lambda: [  # type: ignore[method-assign]
            ("pki_users", {**{k: v for k, v in self.options.items() if not k.startswith("crl")}, "users": everybody}),
            ("pki_crl", self.options),
        ]
        self.round(None)
        self.look()
        with open_store(parse_location(self.options["store"]), origin=Origin("test"), clock=utc_now) as session:
            current = [each for each in certificates.load_all(session) if each.state == "valid"]
        lost = [each.common_name for each in current if str(each.serial) not in self.delivered]
        if lost or len(current) != 2 * len(USERS):
            raise AssertionError(f"{len(current)} devices have a certificate, and these never got theirs: {lost}")


def main() -> None:
    """Read the task as JSON from standard input, and print what was seen as JSON."""
    task = json.load(sys.stdin)
    chance = random.Random(task["seed"])  # noqa: S311 - moments of kills, not keys
    authority = Authority(task["options"], Path(task["folder"]), chance)
    lasts = max(authority.round(None) for _warm_up in range(WARM_UP))
    authority.look()
    ends = time.monotonic() + task["seconds"]
    while authority.seen["killed"] < task["kills"] and time.monotonic() < ends:
        killed = authority.seen["killed"]
        lived = authority.round(chance.uniform(0, lasts))
        # How long a run lasts depends on what else the machine does.
        lasts = lasts * LONGER if authority.seen["killed"] > killed else lived
        authority.look()
    authority.finish()
    states: Counter[str] = Counter()
    with open_store(parse_location(task["options"]["store"]), origin=Origin("test"), clock=utc_now) as session:
        states.update(certificates.count_certificates(session, now=utc_now()))
    print(json.dumps({**authority.seen, "states": states, "crl": authority.highest_crl}))


if __name__ == "__main__":
    main()
