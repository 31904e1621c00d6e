# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that everybody may fetch from: always a CRL that openssl verifies, and nothing that is not public."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from integration.pki.authority_host import AuthorityHost

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import load_crl

GONE = {"name": "alice", "state": "absent"}


@pytest.fixture
def public(host: AuthorityHost) -> Path:
    return host.folder.parent / "public"


def require_verified(public: Path) -> None:
    done = subprocess.run(
        ["openssl", "crl", "-noout", "-in", str(public / "crl.pem"), "-CAfile", str(public / "ca.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "verify OK" in done.stderr, done.stderr


def modes(public: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in public.iterdir()}


def test_what_is_signed_is_there_in_the_same_run(host: AuthorityHost, public: Path) -> None:
    options = {"public_folder": str(public)}
    preview = host("pki_crl", options, check=True, diff=True)
    assert (preview.changed, public.exists()) == (True, False)
    host("pki_crl", options)
    assert (modes(public), public.stat().st_mode & 0o777) == (
        {"ca.pem": 0o644, "crl.der": 0o644, "crl.pem": 0o644},
        0o755,
    )
    require_verified(public)
    host.users("alice")
    host.users(GONE)
    planned = host("pki_crl", options, check=True, diff=True)
    assert planned["diff"]["after"].count("to be replaced") == 0
    assert str(public / "crl.pem") in planned["diff"]["before"]
    second = host("pki_crl", options)
    assert load_crl((public / "crl.pem").read_bytes()).number == second["number"] == 2
    assert (public / "crl.der").read_bytes() == host.crl_der.read_bytes()
    require_verified(public)
    assert not host("pki_crl", {**options, "hsm_pin": "wrong"}).changed
    assert not host("pki_crl", options, check=True).changed


def test_copies_are_mended_without_the_token(host: AuthorityHost, public: Path) -> None:
    options = {"public_folder": str(public), "hsm_pin": "wrong"}
    host("pki_crl")
    assert host("pki_crl", options).changed, "the folder is wanted later than the CRL was signed"
    for name in ("crl.pem", "crl.der", "ca.pem"):
        for spoil in ((public / name).unlink, lambda: (public / name).write_bytes(b"junk")):  # noqa: B023
            spoil()
            mended = host("pki_crl", options, diff=True)
            assert mended.changed
            assert str(public / name) in mended["diff"]["before"]
            assert (modes(public), host("pki_crl", options).changed) == (dict.fromkeys(modes(public), 0o644), False)
    require_verified(public)


def test_the_copies_bring_back_a_crl_that_was_lost(host: AuthorityHost, public: Path) -> None:
    options = {"public_folder": str(public), "hsm_pin": "wrong"}
    number = host("pki_crl", {**options, "hsm_pin": host.token.pin})["number"]
    host.crl.unlink()
    host.crl_der.unlink()
    assert host("pki_crl", options)["number"] == number
    assert load_crl(host.crl.read_bytes()).number == number


def test_a_copy_is_never_as_old_as_the_one_before(host: AuthorityHost, public: Path) -> None:
    """Signed twice within a second, they may have the same size, and a web server would take them for one."""
    options = {"public_folder": str(public), "force": True}
    times = []
    for _one in range(3):
        host("pki_crl", options)
        times.append(int((public / "crl.pem").stat().st_mtime))
    (public / "crl.pem").touch()
    assert times == sorted(set(times))


def test_a_token_that_refuses_leaves_the_last_crl(host: AuthorityHost, public: Path) -> None:
    options = {"public_folder": str(public)}
    host("pki_crl", options)
    before = (public / "crl.pem").read_bytes()
    host("pki_crl", {**options, "force": True, "hsm_pin": "wrong"}, fails=True)
    assert (public / "crl.pem").read_bytes() == before
    require_verified(public)


def test_a_full_disk_leaves_the_last_copy_and_a_rerun_completes(host: AuthorityHost, public: Path) -> None:
    options = {"public_folder": str(public)}
    host("pki_crl", options)
    before = (public / "crl.der").read_bytes()
    (public / "crl.pem").unlink()
    (public / "crl.pem").mkdir()
    failed = host("pki_crl", {**options, "force": True}, fails=True)
    assert str(public / "crl.pem") in failed.message
    assert (public / "crl.der").read_bytes() in (before, host.crl_der.read_bytes())
    (public / "crl.pem").rmdir()
    assert host("pki_crl", {**options, "hsm_pin": "wrong"}).changed
    require_verified(public)


def test_a_store_that_knows_less_than_what_was_published_signs_nothing(host: AuthorityHost, public: Path) -> None:
    """The whole folder of the authority was brought back from an old backup, and what gateways have fetched was not."""
    options = {"public_folder": str(public)}
    host("pki_crl", options)
    old = {path: path.read_bytes() for path in (host.store, host.crl, host.crl_der)}
    host("pki_crl", {**options, "force": True})
    newest = (public / "crl.pem").read_bytes()
    for path, content in old.items():
        path.write_bytes(content)
    result = host("pki_crl", options, fails=True)
    assert f"{public}/crl.der holds the CRL 2 of this authority" in result.message
    assert (public / "crl.pem").read_bytes() == newest


def test_secrets_are_not_published_with_it(host: AuthorityHost) -> None:
    result = host("pki_crl", {"public_folder": str(host.folder)}, fails=True)
    assert "a folder of its own" in result.message
    assert not (host.folder / "ca.pem").exists()


def test_two_authorities_lie_beside_each_other(host: AuthorityHost, public: Path) -> None:
    """While one takes over from another, everybody gets the certificates and the CRLs of both, and then of one."""
    options = {"public_folder": str(public)}
    host("pki_crl", options)
    successor = {"hsm_key_label": "ca-2", "common_name": "Next CA", "replaces": "ca"}
    host("pki_authority", {**successor, "state": "standby"})
    host("pki_crl", options)
    assert set(modes(public)) == {"ca.pem", "crl.der", "crl-ca-2.der", "crl.pem"}
    assert (public / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 2
    assert (public / "crl.pem").read_text().count("BEGIN X509 CRL") == 2
    host("pki_authority", {**successor, "state": "active"})
    host("pki_crl", options)
    assert set(modes(public)) == {"ca.pem", "crl.der", "crl-ca.der", "crl.pem"}
    host("pki_authority", {"hsm_key_label": "ca", "state": "retired"})
    host("pki_crl", options)
    assert set(modes(public)) == {"ca.pem", "crl.der", "crl.pem"}
    assert (public / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 1
