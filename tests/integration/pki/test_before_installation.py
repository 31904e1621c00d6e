"""A fresh host has neither the libraries nor the store; a check of the whole site has to get past it."""

from __future__ import annotations

from typing import Any

import pytest
from integration.pki.authority_host import AuthorityHost

LIBRARIES = ("sqlalchemy", "cryptography", "pkcs11")
CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"
USERS: list[dict[str, Any]] = [{"name": "alice", "devices": [{"name": "a", "csr_content": CSR}]}, {"name": "bob"}]
RUNS: dict[str, dict[str, Any]] = {
    "pki_authority": {},
    "pki_users": {"users": USERS},
    "pki_certificate": {"name": "cambridge", "csr_content": CSR},
    "pki_crl": {},
}


@pytest.mark.parametrize("module", RUNS)
def test_check_mode_tells_what_would_happen(bare_host: AuthorityHost, module: str) -> None:
    assert bare_host(module, RUNS[module], check=True, without=LIBRARIES).changed
    assert not bare_host.folder.exists()


def test_facts_are_empty(bare_host: AuthorityHost) -> None:
    assert bare_host("pki_info", without=LIBRARIES)["authority"] is None


def test_bad_names_are_refused_all_the_same(bare_host: AuthorityHost) -> None:
    result = bare_host("pki_users", {"users": [{"name": "a b"}]}, check=True, fails=True, without=LIBRARIES)
    assert "'a b'" in result.message


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_real_run_names_the_library_that_is_missing(bare_host: AuthorityHost, library: str) -> None:
    message = bare_host("pki_authority", fails=True, without=(library,)).message.lower()
    assert f"the python library '{'python-pkcs11' if library == 'pkcs11' else library}' is missing" in message
