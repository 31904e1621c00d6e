"""A world of values for the runs without a store: files in memory, a clock that stands still, keys in software."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from unit.pki.authority import NOW, key

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.keys import prove_pair
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_certificate_run import CertificateRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_crl_run import StandaloneCrlRun
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.standalone_inputs import StandalonePorts

CERTIFICATE_OPTIONS: dict[str, Any] = {
    "path": "ca.pem",
    "mode": "0644",
    "renewal_days": 30,
    "force": False,
    "dns_names": [],
    "permitted_dns": [],
    "path_length": 0,
    "crl_urls": [],
    "issuer_urls": [],
    "rsa_pss": False,
    **dict.fromkeys(("certificate_content", "self_signed", "common_name", "profile", "validity_days")),
    **dict.fromkeys(("csr_path", "csr_content", "ca_path", "ca_content")),
}
CRL_OPTIONS: dict[str, Any] = {
    "revocations": [],
    "mode": "0644",
    "validity_days": 30,
    "allow_removal": False,
    "force": False,
    "rsa_pss": False,
    **dict.fromkeys(("ca_path", "ca_content", "path", "der_path", "crl_content", "number", "renewal_days")),
}
ENTRY: dict[str, Any] = {
    "reason": "unspecified",
    **dict.fromkeys(("serial", "certificate_path", "certificate_content", "revoked_at", "invalidity_date")),
}


@dataclass
class Desk:
    """What the runs touch.

    :param signer: The private key in the token.
    :param liar: Signs in its place once the pair is proven, as a token that makes wrong signatures would.
    :param hidden: The token shows public keys to those who logged in only.
    """

    signer: Any
    now: datetime = NOW
    liar: Any = None
    hidden: bool = False
    contents: dict[Path, tuple[bytes, int]] = field(default_factory=dict)
    logins: int = 0
    _chance: int = 0

    @contextmanager
    def open_key(self, public_key: Any) -> Iterator[Any]:
        self.logins += 1
        prove_pair(self.signer.public_key() if public_key is None else public_key, self.signer)
        yield self.liar or self.signer

    def random_bytes(self, count: int) -> bytes:
        self._chance += 1
        return self._chance.to_bytes(count - 1, "big") + b"\x07"

    def require_writable(self, path: Path) -> None:
        if path.parent == Path("/sealed"):
            raise StateError(f"Cannot write {path}.")

    def _replace(self, path: Path, content: bytes, *, mode: int) -> None:
        self.contents[path] = (content, mode)

    def text(self, path: str) -> str:
        return self.contents[Path(path)][0].decode("ascii")

    @property
    def ports(self) -> StandalonePorts:
        missing: tuple[None, None] = (None, None)
        files = Files(
            lambda path: self.contents.get(path, missing)[0],
            lambda path: self.contents.get(path, missing)[1],
            self._replace,
        )
        return StandalonePorts(
            lambda: self.now,
            self.random_bytes,
            self.open_key,
            lambda: None if self.hidden else self.signer.public_key(),
            files,
            self.require_writable,
        )

    def certificate(self, *, check: bool = False, **options: Any) -> tuple[Change[Any], Mapping[str, Any]]:
        """Run ``hsm_certificate`` with these options besides its defaults: the change and what is returned."""
        return self._run(CertificateRun({**CERTIFICATE_OPTIONS, **options}, self.ports, dry_run=check), check=check)

    def crl(
        self, *revocations: Mapping[str, Any], check: bool = False, **options: Any
    ) -> tuple[Change[Any], Mapping[str, Any]]:
        """The same for ``hsm_crl``, with entries besides their defaults."""
        entries = [{**ENTRY, **entry} for entry in revocations]
        run = StandaloneCrlRun({**CRL_OPTIONS, "revocations": entries, **options}, self.ports, dry_run=check)
        return self._run(run, check=check)

    @staticmethod
    def _run(run: Any, *, check: bool) -> tuple[Change[Any], Mapping[str, Any]]:
        change = run.decide()
        return change, {**change.result, **(run.apply(change) if change.needed and not check else {})}


def csr(*, name: str | None = "www.example.net", algorithm: str = "ec-p256", which: int = 5) -> str:
    """A CSR (PEM) of a key in software."""
    own = key(algorithm, which)
    attributes = [] if name is None else [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(attributes))
    signed = builder.sign(own, None if algorithm == "ed25519" else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode("ascii")


def reasons(change: Change[Any]) -> list[str]:
    return list(change.after.get("reasons", ()))
