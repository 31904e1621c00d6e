"""The parts of a CRL: entries by the thousand, PEM in pieces, the outline, and where its files lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from unit.pki.authority import NOW, authority

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import crl_entries
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_chain import read_chain_crls, warnings_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import (
    Reason,
    Revocation,
    count_entries,
    encode_entries,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_files import CrlFiles, Shelf, der_path_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_outline import read_outline
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import (
    crl_to_pem,
    pem_pieces,
    split_crls,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    CrlFields,
    build_crl,
    sign_crl,
)

DAY = timedelta(days=1)
MANY = [
    Revocation(
        2 ** (number % 160) + number,
        NOW + timedelta(seconds=number % 7),
        list(Reason)[number % len(Reason)],
        (None, NOW, NOW - DAY)[number % 3],
    )
    for number in range(400)
]


def crl(of: Any = None, *, entries: list[Revocation] | None = None, **more: Any) -> bytes:
    values: dict[str, Any] = {"number": 1, "this_update": NOW, "next_update": NOW + 30 * DAY, **more}
    return build_crl(encode_entries(entries or []), **(of or authority("ed25519")).issuer, **values)


def test_many_entries_are_those_that_each_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every length of serial, reason and date, over the borders of chunks and when what is known is forgotten."""
    expected = b"".join(revocation.encode_entry() for revocation in MANY)
    assert b"".join(encode_entries(MANY)) == expected
    monkeypatch.setattr(crl_entries, "_ENTRIES_AT_ONCE", 7)
    monkeypatch.setattr(crl_entries, "_MOST_KNOWN", 3)
    chunks = list(encode_entries(iter(MANY)))
    assert (b"".join(chunks), len(chunks)) == (expected, 58)
    assert list(encode_entries([])) == []


def test_dates_of_all_zones_and_centuries_are_encoded() -> None:
    dates = [datetime(2049, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC), NOW]
    assert b"".join(encode_entries([Revocation(1, date) for date in dates])) == b"".join(
        Revocation(1, date).encode_entry() for date in dates
    )


def test_entries_are_counted() -> None:
    encoded = b"".join(encode_entries(MANY))
    assert count_entries(encoded) == len(MANY)
    assert count_entries(b"") == 0


@pytest.mark.parametrize("wrong", [b"\x30\x03\x02\x01\x01", b"\x02\x01\x01", b"junk", b"\x30\x05\x02\x01\x01\x05\x00"])
def test_what_is_no_entry_is_not_counted(wrong: bytes) -> None:
    with pytest.raises(InputError):
        count_entries(Revocation(1, NOW).encode_entry() + wrong)


@pytest.mark.parametrize("cut", [1, 3, 47, 48, 49, 96, 1000])
def test_pem_does_not_depend_on_the_parts(cut: int) -> None:
    der = crl(entries=MANY)
    parts = [der[start : start + cut] for start in range(0, len(der), cut)]
    assert b"".join(pem_pieces(parts)) == b"".join(pem_pieces([memoryview(der), b""])) == crl_to_pem(der)


def test_several_crls_come_out_of_one_file() -> None:
    ders = crl(entries=MANY), crl(number=2)
    text = crl_to_pem(ders[0]) + b"a remark\n" + crl_to_pem(ders[1]).replace(b"\n", b"\r\n")
    assert split_crls(text) == ders
    assert split_crls(b"nothing") == ()
    with pytest.raises(InputError, match="damaged"):
        split_crls(b"-----BEGIN X509 CRL-----\nAAA\n-----END X509 CRL-----")


@pytest.mark.parametrize("entries", [[], MANY[:1], MANY])
def test_the_outline_is_that_of_the_list(entries: list[Revocation]) -> None:
    der = crl(entries=entries, number=2**70)
    outline = read_outline(der)
    assert outline.number == 2**70
    assert outline.issuer == authority("ed25519").certificate.subject.public_bytes()
    assert der[outline.entries_start : outline.entries_end] == b"".join(encode_entries(entries))


def test_what_is_no_list_has_no_outline() -> None:
    der = crl(entries=MANY)
    for content in (b"", b"junk", der[:100], der[:-1], authority("ed25519").certificate.public_bytes(Encoding.DER)):
        with pytest.raises(InputError):
            read_outline(content)


def test_parts_that_were_signed_are_the_list() -> None:
    """What is verified is what is written: the parts and the whole are the same bytes."""
    of = authority("ed25519")
    pieces: list[bytes | memoryview] = [
        b"".join(encode_entries(MANY[:300])),
        memoryview(b"".join(encode_entries(MANY[300:]))),
    ]
    fields = CrlFields(1, NOW, NOW + 30 * DAY)
    parts = sign_crl(pieces, fields, issuer_certificate=of.certificate, issuer_key=of.key)
    assert b"".join(parts) == crl(of, entries=MANY)
    assert parts[1] is pieces[0], "nothing is copied"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ca2", "crl-ca2.der"),
        ("ca 2", "crl-ca_202.der"),
        ("ca_2", "crl-ca_5F2.der"),
        ("../../etc/passwd", "crl-.._2F.._2Fetc_2Fpasswd.der"),
        ("é", "crl-_C3_A9.der"),
    ],
)
def test_every_label_has_a_file_of_its_own(label: str, name: str) -> None:
    assert der_path_of(label, Path("/srv/crl.der")) == Path("/srv") / name


class Disk:
    """Files in memory, and how often each was read."""

    def __init__(self, **content: bytes) -> None:
        self.content = {Path("/") / name: data for name, data in content.items()}
        self.reads: list[Path] = []

    def read(self, path: Path) -> bytes | None:
        self.reads.append(path)
        return self.content.get(path)

    def shelf(self) -> Shelf:
        def refuse(path: Path, *_rest: Any, **_more: Any) -> None:
            raise AssertionError(f"{path} is not to be touched")

        return Shelf(CrlFiles(self.read, lambda _path: 0o644, refuse, refuse, refuse), Path("/bundle"))


A, B = Path("/a"), Path("/b")


def test_a_list_is_found_in_any_file_and_read_once() -> None:
    first, second = crl(number=1), crl(number=2)
    disk = Disk(a=first, bundle=crl_to_pem(first) + crl_to_pem(second))
    shelf = disk.shelf()
    assert shelf.find(fingerprint(first), [A, B]) == first
    assert disk.reads == [A], "no more than needed"
    assert shelf.find(fingerprint(second), [A, B]) == second
    assert shelf.find("", [A, B]) is None
    assert shelf.find("00" * 32, [A, B]) is None
    assert sorted(map(str, disk.reads)) == ["/a", "/b", "/bundle"]


def test_a_higher_number_counts_only_with_a_signature() -> None:
    of = authority("ed25519")
    forged = bytearray(crl(of, number=9))
    forged[-1] ^= 1
    other = authority("ed25519", which=1, name="Other CA")
    higher = Disk(a=crl(of, number=5), b=crl(other, number=7), bundle=crl_to_pem(bytes(forged))).shelf().higher
    assert higher(of.certificate, 4, [A, B]) == (A, 5)
    assert higher(of.certificate, 5, [A, B]) is None
    assert higher(other.certificate, 6, [A, B]) == (B, 7)
    assert Disk(bundle=crl_to_pem(crl(of, number=9))).shelf().higher(of.certificate, 8, [A]) == (Path("/bundle"), 9)
    assert (
        Disk(a=b"junk", bundle=b"-----BEGIN X509 CRL-----\nA\n-----END X509 CRL-----")
        .shelf()
        .higher(of.certificate, 0, [A])
        is None
    )


def test_a_bundle_is_compared_whole() -> None:
    text = crl_to_pem(crl(entries=MANY))
    for content, expected in ((text, True), (text + b"x", False), (text[:-1], False), (b"x" + text, False)):
        assert Disk(bundle=content).shelf().is_bundle(iter([text[:100], text[100:]])) is expected
    assert not Disk().shelf().is_bundle(iter([]))


def pem(of: Any, **more: Any) -> str:
    return crl_to_pem(crl(of, **more)).decode("ascii")


def test_of_the_authorities_above_the_newest_list_of_each_is_published() -> None:
    """Two authorities below the same root were given its CRL at different times."""
    root, other = authority("ed25519"), authority("ed25519", which=1, name="Other root")
    found = read_chain_crls([pem(root, number=3) + pem(other, number=1), pem(root, number=4), pem(root, number=2), ""])
    assert [(each.facts.issuer, each.facts.number) for each in found] == [("CN=Test CA", 4), ("CN=Other root", 1)]
    assert read_chain_crls([]) == ()


@pytest.mark.parametrize(
    ("life", "left", "warned"),
    [(365, 200, False), (365, 121, True), (90, 29, True), (60, 31, False), (365, -1, True)],
)
def test_a_list_that_nobody_here_can_sign_is_watched(life: int, left: int, warned: bool) -> None:
    """Within its last third or thirty days somebody has to hear of it."""
    until = NOW + life * DAY
    found = read_chain_crls([pem(authority("ed25519"), next_update=until)])
    said = warnings_of(found, now=until - left * DAY)
    assert bool(said) is warned
    assert all("CN=Test CA" in sentence for sentence in said)
    assert not warned or ("ended at" in said[0]) is (left < 0)
