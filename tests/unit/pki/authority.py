"""A small authority in software, for tests of what it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Authority:
    """A key and its self-signed certificate, valid for ten years from :data:`NOW`."""

    key: Any
    certificate: Any
    pss: bool = False

    @property
    def issuer(self) -> dict[str, Any]:
        return {"issuer_certificate": self.certificate, "issuer_key": self.key, "pss": self.pss}


@cache
def key(name: str, which: int = 0) -> Any:
    """A private key of that algorithm, the same one for the same ``which``."""
    return generate_private_key(name)


@cache
def authority(algorithm: str = "ec-p256", *, pss: bool = False, which: int = 0, name: str = "Test CA") -> Authority:
    """The authority of that kind of key; another ``which`` has the same name and another key."""
    own = key(algorithm, which)
    start, end = certificates.validity(NOW, days=3650)
    spec = certificates.CertificateSpec(name, profiles.CA, own.public_key(), 4711 + which, start, end)
    return Authority(own, certificates.build_certificate(spec, issuer_key=own, pss=pss), pss)


def device(of: Authority, *, name: str = "alice@laptop", serial: int = 99, days: int = 365, **more: Any) -> Any:
    """A client certificate issued by an authority."""
    start, end = certificates.validity(NOW, days=days, issuer_certificate=of.certificate)
    values = {"profile": profiles.CLIENT, "public_key": key("ec-p256", 7).public_key(), "not_before": start} | more
    spec = certificates.CertificateSpec(name, serial=serial, **({"not_after": end} | values))
    return certificates.build_certificate(spec, **of.issuer)
