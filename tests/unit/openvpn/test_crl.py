"""A CRL is judged by the real ``openssl`` before it may replace the one in place."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Authority

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import Completed
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import (
    Crl,
    accept_crl,
    inspect_crl,
    read_not_after,
    refuse_bad_crl,
)


def openssl(argv: Sequence[str], stdin: bytes) -> Completed:
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=30)
    return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority()
    (tmp_path / "ca.crt").write_text(authority.pem)
    return authority


def accept(folder: Path, content: str, **options: Any) -> tuple[Crl, Crl | None]:
    given: dict[str, Any] = {"in_place": None, "serials": (), "now": time.time(), **options}
    new, old = accept_crl(content, ca_path=folder / "ca.crt", run=openssl, **given)
    assert new is not None
    return new, old


def test_a_good_crl_is_read(tmp_path: Path, authority: Authority) -> None:
    authority.issue("alice")
    serial = authority.revoke("alice")
    first, second = authority.crl(), authority.crl()
    new, old = accept(tmp_path, second, in_place=first.encode(), serials=[str(serial)])
    assert old is not None
    assert (old.number, new.number) == (1, 2)
    assert new.this_update - old.this_update == 1
    assert new.content == second.encode()


def test_the_same_crl_again_is_accepted(tmp_path: Path, authority: Authority) -> None:
    text = authority.crl()
    new, old = accept(tmp_path, text, in_place=text.encode())
    assert new == old


def test_an_older_crl_is_refused(tmp_path: Path, authority: Authority) -> None:
    first, second = authority.crl(), authority.crl()
    with pytest.raises(StateError, match="number 1 is not newer than number 2"):
        accept(tmp_path, first, in_place=second.encode())


def test_another_crl_with_the_same_number_is_refused(tmp_path: Path, authority: Authority) -> None:
    first = authority.crl()
    authority.number = 0
    with pytest.raises(StateError, match="not newer"):
        accept(tmp_path, authority.crl(), in_place=first.encode())


def test_a_higher_number_with_an_older_date_is_refused() -> None:
    def crl(number: int, this_update: int) -> Crl:
        return Crl("CN=x", number, this_update, 10_000, str(number).encode())

    with pytest.raises(StateError, match="not newer"):
        refuse_bad_crl(crl(2, 1000), old=crl(1, 1000), now=2000)
    refuse_bad_crl(crl(2, 1001), old=crl(1, 1000), now=2000)


@pytest.mark.parametrize("in_place", [b"", b"garbage", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_what_is_no_crl_may_always_be_replaced(tmp_path: Path, authority: Authority, in_place: bytes) -> None:
    _new, old = accept(tmp_path, authority.crl(), in_place=in_place)
    assert old is None


@pytest.mark.parametrize(
    ("age", "life", "complaint"),
    [
        (timedelta(days=2), timedelta(days=1), "expired"),
        (timedelta(hours=-1), timedelta(days=1), "in the future"),
    ],
)
def test_a_crl_that_would_lock_everybody_out_is_refused(
    tmp_path: Path, authority: Authority, age: timedelta, life: timedelta, complaint: str
) -> None:
    with pytest.raises(StateError, match=complaint):
        accept(tmp_path, authority.crl(age=age, life=life))


def test_a_crl_of_another_ca_is_refused_even_under_the_same_name(tmp_path: Path, authority: Authority) -> None:
    for name in ("Another CA", authority.name):
        with pytest.raises(InputError, match="not signed by the CA"):
            accept(tmp_path, Authority(name).crl())


def test_a_forged_crl_is_refused(tmp_path: Path, authority: Authority) -> None:
    lines = authority.crl().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    position = der.index(b"Test CA") + 30
    der[position] ^= 1
    body = base64.encodebytes(bytes(der)).decode()
    with pytest.raises(InputError):
        accept(tmp_path, f"{lines[0]}\n{body}{lines[-1]}\n")


def test_what_is_not_one_whole_pem_crl_is_refused(tmp_path: Path, authority: Authority) -> None:
    text = authority.crl()
    der = base64.b64decode("".join(text.splitlines()[1:-1])).decode("latin-1")
    for bad in ("", text[: len(text) // 2], text + text, der, authority.pem, "up /bin/sh\n" + text):
        with pytest.raises(InputError):
            accept(tmp_path, bad)


def test_a_crl_without_the_revocation_it_is_sent_for_is_refused(tmp_path: Path, authority: Authority) -> None:
    authority.issue("alice")
    authority.issue("bob")
    authority.revoke("alice")
    text = authority.crl()
    accept(tmp_path, text, serials=[str(authority.serials["alice"])])
    with pytest.raises(StateError, match=str(authority.serials["bob"])):
        accept(tmp_path, text, serials=[str(serial) for serial in authority.serials.values()])
    with pytest.raises(InputError, match="not a decimal"):
        accept(tmp_path, text, serials=["0x1f"])


@pytest.mark.parametrize("serial", [1, 127, 128, 255, 256, 2**159 - 1])
def test_serials_of_every_length_are_found(tmp_path: Path, authority: Authority, serial: int) -> None:
    authority.revoked.append(serial)
    accept(tmp_path, authority.crl(), serials=[str(serial)])


def test_what_is_in_place_can_be_looked_at(tmp_path: Path, authority: Authority) -> None:
    def inspect(content: bytes | None) -> tuple[Crl | None, str]:
        return inspect_crl(content, ca_path=tmp_path / "ca.crt", run=openssl)

    found, problem = inspect(authority.crl().encode())
    assert found is not None
    assert (found.as_facts()["number"], problem) == (1, "")
    assert inspect(None) == (None, "there is none")
    assert "PEM" in inspect(b"garbage")[1]


def test_the_end_of_a_certificate_is_read(authority: Authority) -> None:
    expected = authority.certificate.not_valid_after_utc.timestamp()
    assert read_not_after(authority.pem.encode(), run=openssl) == int(expected)
    assert read_not_after(None, run=openssl) is None
    assert read_not_after(b"garbage", run=openssl) is None
