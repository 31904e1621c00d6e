"""Serial numbers are read from CRLs that ``cryptography`` made, and from nothing that is no CRL."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from integration.openvpn.vpn import Authority

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_serials import (
    SerialFiles,
    all_serials,
    digest_serials,
    has_more,
    is_whole,
    plan_serial_files,
    read_serials,
    revoked_sessions,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def der(authority: Authority) -> bytes:
    return base64.b64decode("".join(authority.crl().splitlines()[1:-1]))


def test_every_serial_is_read_in_its_order() -> None:
    authority = Authority()
    authority.revoked = [1, 127, 128, 255, 256, 2**159 - 1, *(pow(3, power, 2**159) for power in range(500))]
    assert read_serials(der(authority)) == authority.revoked


def test_a_crl_that_lists_nobody_has_no_serials() -> None:
    assert read_serials(der(Authority())) == []


@pytest.mark.parametrize("year", [2049, 2050])
def test_entries_with_reasons_and_dates_of_both_kinds_are_read(year: int) -> None:
    """A date from 2050 on is a GeneralizedTime; a reason is an extension, and a long one makes the entry a long one."""
    authority = Authority()
    moment = NOW.replace(year=year)
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(moment).next_update(moment + timedelta(days=1))
    issuer = x509.CertificateIssuer([x509.DNSName("x" * 200 + ".example.net")])
    for serial, extension in ((5, x509.CRLReason(x509.ReasonFlags.key_compromise)), (6, issuer)):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        builder = builder.add_revoked_certificate(entry.add_extension(extension, critical=False).build())
    signed = builder.sign(authority.key, hashes.SHA256())
    assert read_serials(signed.public_bytes(serialization.Encoding.DER)) == [5, 6]


def test_what_is_no_crl_has_no_serials_but_a_fault() -> None:
    authority = Authority()
    authority.revoked = [3, 4]
    whole = der(authority)
    for bad in (b"", b"\x30", b"\x30\x80", whole[:-1], whole[: len(whole) // 2], b"<html></html>", whole[4:]):
        with pytest.raises(InputError, match="cannot be read"):
            read_serials(bad)


def test_an_entry_that_reaches_beyond_the_others_is_a_fault() -> None:
    authority = Authority()
    authority.revoked = [0x55AA55AA]
    whole = bytearray(der(authority))
    position = whole.index(b"\x02\x04\x55\xaa\x55\xaa")
    whole[position - 1] += 40
    with pytest.raises(InputError):
        read_serials(bytes(whole))


def test_the_serials_of_several_crls_are_brought_together() -> None:
    first, second = Authority("One"), Authority("Two")
    first.revoked, second.revoked = [1, 2], [2, 3]
    assert all_serials([der(first), der(second)]) == {1, 2, 3}


@pytest.mark.parametrize(
    ("revoked", "present", "expected"),
    [
        ([7, 300], frozenset({"7", "300"}), SerialFiles()),
        ([7, 300], frozenset({"7", "9"}), SerialFiles(("300",), ("9",))),
        ([7], None, SerialFiles(("7",), (), no_folder=True)),
        ([], None, SerialFiles(no_folder=True)),
    ],
)
def test_files_follow_what_is_listed(revoked: list[int], present: frozenset[str] | None, expected: SerialFiles) -> None:
    found = plan_serial_files(revoked, present)
    assert found == expected
    assert bool(found) == (expected != SerialFiles())


def test_only_who_connected_with_a_revoked_certificate_is_cut() -> None:
    """The same name issued again has another serial number, and so has another device of the user."""
    recorded = {"udp": {"al@phone": 5, "alice@phone": 6}, "tcp": {"al@phone": 8}, "tcp-2": {}}
    assert revoked_sessions(recorded, frozenset({5, 7})) == {"udp": {"al@phone"}}
    assert revoked_sessions(recorded, frozenset()) == {}


def test_what_was_listed_before_is_known_by_a_digest() -> None:
    before = digest_serials({5, 2**158 + 1, 2**63})
    assert len(before) == 24
    assert not has_more({5, 2**158 + 1}, before)
    assert not has_more(set(), b"")
    assert has_more({5, 6}, before)
    assert has_more({5}, b"")


def test_bytes_that_go_on_after_a_crl_are_noticed() -> None:
    assert is_whole(bytes.fromhex("3003020105"))
    assert not is_whole(bytes.fromhex("300302010500"))
    assert not is_whole(bytes.fromhex("30030201"))
    assert not is_whole(b"")
