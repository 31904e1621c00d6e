"""What everybody has to trust while one authority takes over from another, and what a person is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from cryptography.hazmat.primitives.serialization import Encoding
from unit.pki.authority import authority

from ansible_collections.privatespace.gateway.plugins.filter.pki_succession_report import pki_succession_report
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import certificate_pem
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.succession import trust_chain


@dataclass(frozen=True)
class Trusted:
    certificate: bytes
    chain: str = ""


def der(which: int) -> bytes:
    return bytes(authority(which=which).certificate.public_bytes(Encoding.DER))


def test_the_chain_holds_every_certificate_once() -> None:
    """Two authorities below one root: both, then the root, as cryptography writes them."""
    root = certificate_pem(authority(which=2).certificate)
    chain = trust_chain([Trusted(der(0), root), Trusted(der(1), f"some text\n{root}"), Trusted(b"")])
    assert chain == "".join(certificate_pem(authority(which=which).certificate) for which in (0, 1, 2))


def known(state: str, *, client: int = 0, server: int = 0, label: str = "ca") -> dict[str, Any]:
    return {
        "key_label": label,
        "common_name": "Example",
        "state": state,
        "not_after": "2036-01-01T00:00:00+00:00",
        "usable": {"client": client, "server": server},
    }


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (
            known("active", client=1, server=2),
            "1 device certificate and 2 gateway certificates in use, expires 2036-01-01",
        ),
        (known("requested"), "Waits for the offline root"),
        (known("standby"), "Issues nothing until every gateway trusts it"),
        (known("retiring", client=3, server=1), "Renew the devices"),
        (known("retiring", server=1), "run site, and the gateways move"),
        (known("retiring"), "run ca_rollover once more, and it retires"),
        (known("retired"), "ca 'Example': retired"),
    ],
)
def test_a_person_is_told_what_is_left(one: dict[str, Any], says: str) -> None:
    assert says in "\n".join(pki_succession_report({"authorities": [one]}))


def test_something_else_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="no result of pki_info"):
        pki_succession_report({"authorities": [{}]})
