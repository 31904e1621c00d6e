"""CRLs are judged by the real ``openssl`` before they may replace those in place."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Authority

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.openvpn_files import run_openssl
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import (
    accept_crl,
    accept_pushed_crl,
    inspect_crl,
    listed_serials,
    refuse_bad_crls,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import (
    Crl,
    CrlFile,
    Trust,
    read_not_after,
)


def trust(folder: Path) -> Trust:
    path = folder / "ca.crt"
    return Trust(path, path.read_bytes())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority()
    (tmp_path / "ca.crt").write_text(authority.pem)
    return authority


def accept(folder: Path, content: str, **options: Any) -> tuple[CrlFile, CrlFile | None]:
    given: dict[str, Any] = {"in_place": None, "serials": (), "now": time.time(), **options}
    new, old = accept_crl(content, trust=trust(folder), run=run_openssl, **given)
    assert new is not None
    return new, old


def test_a_good_crl_is_read(tmp_path: Path, authority: Authority) -> None:
    authority.issue("alice")
    serial = authority.revoke("alice")
    first, second = authority.crl(), authority.crl()
    new, old = accept(tmp_path, second, in_place=first.encode(), serials=[str(serial)])
    assert old is not None
    assert (old.crls[0].number, new.crls[0].number) == (1, 2)
    assert new.crls[0].this_update - old.crls[0].this_update == 1
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
    def crl(number: int, this_update: int) -> CrlFile:
        content = str(number).encode()
        return CrlFile((Crl("CN=x", number, this_update, 10_000, content),), content)

    with pytest.raises(StateError, match="not newer"):
        refuse_bad_crls(crl(2, 1000), old=crl(1, 1000), now=2000)
    refuse_bad_crls(crl(2, 1001), old=crl(1, 1000), now=2000)


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
    def inspect(content: bytes | None) -> tuple[CrlFile | None, str]:
        return inspect_crl(content, trust=trust(tmp_path), run=run_openssl)

    found, problem = inspect(authority.crl().encode())
    assert found is not None
    assert (found.as_facts()["number"], problem) == (1, "")
    assert inspect(None) == (None, "there is none")
    assert "PEM" in inspect(b"garbage")[1]


def test_the_end_of_a_certificate_is_read(authority: Authority) -> None:
    expected = authority.certificate.not_valid_after_utc.timestamp()
    assert read_not_after(authority.pem.encode(), run=run_openssl) == int(expected)
    assert read_not_after(None, run=run_openssl) is None
    assert read_not_after(b"garbage", run=run_openssl) is None


@pytest.fixture
def two(tmp_path: Path) -> tuple[Authority, Authority]:
    """The gateway trusts two CAs: the one that issues, and the one that will."""
    first, second = Authority("Old CA"), Authority("New CA")
    (tmp_path / "ca.crt").write_text(first.pem + second.pem)
    return first, second


def test_a_file_holds_one_crl_of_each_ca(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    """ca.crt: Old CA, New CA. crl.pem: Old CA, New CA. Good, in either order; the earliest end counts."""
    first, second = two
    for authority, name in ((first, "alice"), (second, "bob")):
        authority.issue(name)
        authority.revoke(name)
    texts = first.crl(), second.crl(life=timedelta(hours=2))
    serials = [str(first.serials["alice"]), str(second.serials["bob"])]
    for text in ("".join(texts), "".join(reversed(texts))):
        new, _old = accept(tmp_path, text, serials=serials)
        facts = new.as_facts()
        assert facts["expires_first"] == "CN = New CA"
        assert facts["next_update"] == min(issuer["next_update"] for issuer in facts["issuers"])
        assert sorted(issuer["issuer"] for issuer in facts["issuers"]) == ["CN = New CA", "CN = Old CA"]
        assert new.content == text.encode()


def test_a_file_without_the_crl_of_a_trusted_ca_is_refused(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    """ca.crt: Old CA, New CA. crl.pem: one of them, or one of them twice. OpenVPN would refuse clients of the other."""
    first, second = two
    for texts in ((first.crl(),), (second.crl(),), (first.crl(), first.crl(), second.crl())):
        with pytest.raises(InputError, match=r"There are [02] CRLs of the CA 'CN = (Old|New) CA'"):
            accept(tmp_path, "".join(texts))
    assert "CRLs of the CA" in inspect_crl(first.crl().encode(), trust=trust(tmp_path), run=run_openssl)[1]


def test_every_crl_of_a_file_must_be_good(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    first, second = two
    with pytest.raises(StateError, match=r"CRL number 1 of 'CN = New CA' expired"):
        accept(tmp_path, first.crl() + second.crl(age=timedelta(days=2)))
    with pytest.raises(StateError, match=r"of 'CN = Old CA' is valid only from"):
        accept(tmp_path, first.crl(age=timedelta(hours=-1)) + second.crl())
    with pytest.raises(InputError, match="not signed by the CA"):
        accept(tmp_path, first.crl() + Authority("New CA").crl())
    with pytest.raises(InputError, match="complete PEM blocks"):
        accept(tmp_path, first.crl() + "\nnonsense\n" + second.crl())


def test_no_issuer_goes_back(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    """One issuer's CRL is newer and the other's is older: refused. One stays as it is: fine."""
    first, second = two
    old, early, later = first.crl(), second.crl(), second.crl()
    in_place = (old + later).encode()
    with pytest.raises(StateError, match=r"number 1 of 'CN = New CA' is not newer than number 2"):
        accept(tmp_path, first.crl() + early, in_place=in_place)
    new, before = accept(tmp_path, first.crl() + later, in_place=in_place)
    assert before is not None
    assert [crl.number for crl in new.crls] == [3, 2]


def test_a_ca_may_come_and_go(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    """What is in place may lack the CRL of a new CA, or hold that of one that nobody trusts any more."""
    first, second = two
    one = first.crl()
    accept(tmp_path, first.crl() + second.crl(), in_place=one.encode())
    (tmp_path / "ca.crt").write_text(second.pem)
    in_place = first.crl() + second.crl() + one
    accept(tmp_path, second.crl(), in_place=in_place.encode())
    early, in_place = second.crl(), first.crl() + second.crl()
    with pytest.raises(StateError, match="not newer"):
        accept(tmp_path, early, in_place=in_place.encode())


def test_the_crl_of_a_ca_that_is_not_known_here_yet_is_in_nobodys_way(
    tmp_path: Path, two: tuple[Authority, Authority]
) -> None:
    """ca.crt: Old CA, New CA. crl.pem: both, and that of a third one which stands by. A removal cannot wait."""
    first, second = two
    third = Authority("Third CA")
    for authority, name in ((first, "alice"), (third, "carol")):
        authority.issue(name)
        authority.revoke(name)
    serials = [str(first.serials["alice"]), str(third.serials["carol"])]
    text = first.crl() + second.crl() + third.crl()
    new, _old = accept(tmp_path, text, serials=serials)
    assert [crl.issuer for crl in new.crls] == ["CN = Old CA", "CN = New CA"]
    # It is not put in place before its signature can be verified: anybody could have made it.
    assert new.content == text.encode().removesuffix(text.encode()[text.encode().rindex(b"-----BEGIN") :])
    assert len(new.ders()) == 2
    (tmp_path / "ca.crt").write_text(first.pem + second.pem + third.pem)
    learned, _old = accept(tmp_path, text, in_place=new.content)
    assert learned.content == text.encode()
    (tmp_path / "ca.crt").write_text(first.pem + second.pem)
    with pytest.raises(InputError, match="There are 0 CRLs of the CA 'CN = New CA'"):
        accept(tmp_path, first.crl() + third.crl())
    with pytest.raises(InputError, match="not signed by the CA"):
        accept(tmp_path, third.crl())


@pytest.mark.parametrize("name", ["old ca", " Old  CA ", "OLD CA"])
def test_a_crl_that_openvpn_would_take_for_ours_has_to_be_verified(
    tmp_path: Path, two: tuple[Authority, Authority], name: str
) -> None:
    """OpenSSL compares names without regard to case and blanks: beside ours, a forged one would keep everybody out."""
    first, second = two
    with pytest.raises(InputError, match="not signed by the CA"):
        accept(tmp_path, first.crl() + second.crl() + Authority(name).crl())
    assert inspect_crl((first.crl() + second.crl() + Authority(name).crl()).encode(), trust=trust(tmp_path),
                       run=run_openssl)[0] is None  # fmt: skip


def test_what_was_verified_is_written_and_not_what_was_sent(tmp_path: Path, authority: Authority) -> None:
    """PEM can be broken so that one program reads it and the next does not; DER may go on after what is signed."""
    text = authority.crl()
    head, *lines, tail = text.splitlines()
    odd = f"{head}\n{''.join(lines)}\r\n\n{tail}\n"
    assert accept(tmp_path, odd)[0].content == text.encode()
    longer = base64.b64decode("".join(lines)) + bytes.fromhex("3006020107") + b"\x17\x00"
    with pytest.raises(InputError, match="not signed"):
        accept(tmp_path, f"{head}\n{base64.b64encode(longer).decode()}\n{tail}\n")


def test_nobody_is_made_to_judge_thousands_of_crls(tmp_path: Path, authority: Authority) -> None:
    beside = Authority("Stranger CA").crl()
    with pytest.raises(InputError, match="101 CRLs in one file; 100 are the most"):
        accept(tmp_path, authority.crl() + beside * 100)
    accept(tmp_path, authority.crl() + beside * 3)


def test_two_cas_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """ca.crt: Test CA, Test CA (another key). openssl takes the first of that name; each CRL has its own."""
    first, second = Authority(), Authority()
    (tmp_path / "ca.crt").write_text(first.pem + second.pem)
    new, _old = accept(tmp_path, second.crl() + first.crl())
    assert [crl.position for crl in new.crls] == [1, 0]
    with pytest.raises(InputError, match="There are 0 CRLs"):
        accept(tmp_path, first.crl())
    with pytest.raises(InputError, match="not signed by the CA"):
        accept(tmp_path, first.crl() + Authority().crl())


def test_a_serial_may_be_in_the_crl_of_any_issuer(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    first, second = two
    second.issue("bob")
    serial = second.serials["bob"]
    with pytest.raises(StateError, match=f"does not list the serial number {serial}"):
        accept(tmp_path, first.crl() + second.crl(), serials=[str(serial)])
    second.revoke("bob")
    accept(tmp_path, first.crl() + second.crl(), serials=[str(serial)])


def test_without_a_ca_no_crl_is_good(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "ca.crt").write_text("nonsense")
    with pytest.raises(InputError, match="does not hold the certificates of CAs"):
        accept(tmp_path, authority.crl())


def push(folder: Path, content: str, **options: Any) -> CrlFile | None:
    given: dict[str, Any] = {"in_place": None, "serials": (), "now": time.time(), **options}
    return accept_pushed_crl(content, trust=trust(folder), run=run_openssl, **given)[0]


def test_of_two_removals_at_once_the_newer_crl_stays(tmp_path: Path, authority: Authority) -> None:
    """In place: number 2, which lists alice and bob. Sent: number 1, to keep out alice. Number 2 does that, too."""
    for name in ("alice", "bob"):
        authority.issue(name)
    serials = [str(authority.revoke("alice"))]
    first = authority.crl()
    authority.revoke("bob")
    second = authority.crl()
    kept = push(tmp_path, first, in_place=second.encode(), serials=serials)
    assert kept is not None
    assert kept.content == second.encode()
    sent = push(tmp_path, second, in_place=first.encode(), serials=serials)
    assert sent is not None
    assert sent.content == second.encode()


def test_an_older_crl_is_refused_where_the_newer_one_does_not_do_what_it_is_for(
    tmp_path: Path, authority: Authority
) -> None:
    authority.issue("alice")
    first, second = authority.crl(), authority.crl()
    with pytest.raises(StateError, match="not newer"):
        push(tmp_path, first, in_place=second.encode(), serials=[str(authority.serials["alice"])])
    expired = authority.crl(life=timedelta(minutes=1))
    with pytest.raises(StateError, match="not newer"):
        push(tmp_path, second, in_place=expired.encode())


def test_another_crl_with_the_number_of_the_one_in_place_is_refused_from_anybody(
    tmp_path: Path, authority: Authority
) -> None:
    first = authority.crl()
    authority.number = 0
    with pytest.raises(StateError, match="not newer"):
        push(tmp_path, authority.crl(), in_place=first.encode())


def test_a_forged_crl_is_refused_although_it_says_that_it_is_older(tmp_path: Path, authority: Authority) -> None:
    authority.crl()
    second = authority.crl()
    with pytest.raises(InputError, match="not signed"):
        push(tmp_path, Authority(authority.name).crl(), in_place=second.encode())


def test_a_newer_crl_in_place_stays_only_if_it_is_whole(tmp_path: Path, two: tuple[Authority, Authority]) -> None:
    """In place: the newer CRL of one CA alone. OpenVPN lets in whom the other has revoked: it must not stay."""
    first, second = two
    sent, newer = first.crl() + second.crl(), first.crl()
    with pytest.raises(StateError, match="not newer"):
        push(tmp_path, sent, in_place=newer.encode())
    mixed = sent.partition("-----END X509 CRL-----\n")
    with pytest.raises(StateError, match="not newer"):
        push(tmp_path, sent, in_place=(newer + mixed[2]).encode(), serials=["17"])
    assert push(tmp_path, sent, in_place=(newer + mixed[2]).encode()) is not None


def test_of_two_crls_that_are_each_newer_in_part_neither_is_taken_for_the_newer_one(
    tmp_path: Path, two: tuple[Authority, Authority]
) -> None:
    """In place: number 2 of one CA and number 1 of the other; sent: the opposite. Either lacks somebody."""
    first, second = two
    early, late = (first.crl(), second.crl()), (first.crl(), second.crl())
    with pytest.raises(StateError, match="not newer"):
        push(tmp_path, early[0] + late[1], in_place=(late[0] + early[1]).encode())


def test_which_serials_are_listed_is_told_one_by_one(tmp_path: Path, authority: Authority) -> None:
    authority.revoked.append(17)
    found, _problem = inspect_crl(authority.crl().encode(), trust=trust(tmp_path), run=run_openssl)
    assert listed_serials(found, ["17", "18"]) == {"17": True, "18": False}
    assert listed_serials(None, ["17"]) == {"17": False}
    with pytest.raises(InputError, match="not a decimal"):
        listed_serials(found, ["../x"])
