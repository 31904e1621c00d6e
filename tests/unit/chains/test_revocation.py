"""Chains that are right or wrong because of their CRLs."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from unit.chains.chain import (
    BAD_CRL_SIGNATURE,
    CRL_EXPIRED,
    DAY,
    HOUR,
    NO_CRL,
    NOW,
    REVOKED,
    ROOT,
    UNKNOWN_CRITICAL_CRL,
    VALID,
    Issuer,
    Judge,
    key,
    root,
)

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Reason,
    Revocation,
    load_crl,
    verify_crl,
)


def test_no_crl_at_all(judge: Judge) -> None:
    """Invalid: who asks for a CRL and has none may let nobody in.

    root ── leaf     (no CRL)
    """
    ca = root()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[]) == (NO_CRL, 0)


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.value)
def test_every_reason_revokes(judge: Judge, reason: Reason) -> None:
    """Invalid for each reason, certificateHold and unspecified included; bob beside her stays valid.

    root ─┬─ alice@laptop
          ├─ bob@phone
          └─ CRL (alice, reason)
    """
    ca = root()
    alice, bob = ca.issue("alice@laptop"), ca.issue("bob@phone")
    crl = ca.crl(entries=[Revocation(alice.serial_number, NOW, reason).encode_entry()])
    assert judge(alice, trusted=[ca], crls=[crl]) == (REVOKED, 0)
    assert judge(bob, trusted=[ca], crls=[crl]) == VALID
    entry = x509.load_der_x509_crl(crl).get_revoked_certificate_by_serial_number(alice.serial_number)
    assert entry is not None
    written = [extension.value.reason.value for extension in entry.extensions]
    assert written == ([] if reason is Reason.UNSPECIFIED else [reason.value])


def test_an_unspecified_reason_is_not_written() -> None:
    """RFC 5280, 5.3.1: the extension is left out instead of saying 0.

    root ── CRL (alice, unspecified)
    """
    ca = root()
    alice = ca.issue("alice@laptop")
    crl = x509.load_der_x509_crl(ca.crl(entries=[Revocation(alice.serial_number, NOW).encode_entry()]))
    entry = crl.get_revoked_certificate_by_serial_number(alice.serial_number)
    assert entry is not None
    assert len(entry.extensions) == 0


def test_a_revocation_that_lies_in_the_future(judge: Judge) -> None:
    """Invalid: who is listed is out, whatever date the entry has.

    root ─┬─ leaf
          └─ CRL (leaf, from tomorrow)
    """
    ca = root()
    leaf = ca.issue("alice@laptop")
    crl = ca.crl(entries=[Revocation(leaf.serial_number, NOW + DAY, Reason.SUPERSEDED).encode_entry()])
    assert judge(leaf, trusted=[ca], crls=[crl]) == (REVOKED, 0)


def test_an_invalidity_date_before_the_revocation(judge: Judge) -> None:
    """Invalid: the date since when the key was in wrong hands changes nothing about the revocation.

    root ─┬─ leaf
          └─ CRL (leaf, invalid since 30 days)
    """
    ca = root()
    leaf = ca.issue("alice@laptop")
    entry = Revocation(leaf.serial_number, NOW, Reason.KEY_COMPROMISE, NOW - 30 * DAY).encode_entry()
    assert judge(leaf, trusted=[ca], crls=[ca.crl(entries=[entry])]) == (REVOKED, 0)


def test_a_name_that_was_removed_and_issued_again(judge: Judge) -> None:
    """The old certificate invalid, the new one of the same name and key valid: serials are revoked, not names.

    root ─┬─ alice@laptop (old)
          ├─ alice@laptop (new)
          └─ CRL (old)
    """
    ca = root()
    old, new = ca.issue("alice@laptop"), ca.issue("alice@laptop", now=NOW + HOUR)
    crl = ca.crl(old, now=NOW + HOUR)
    assert judge(old, trusted=[ca], crls=[crl], at=NOW + HOUR) == (REVOKED, 0)
    assert judge(new, trusted=[ca], crls=[crl], at=NOW + HOUR) == VALID


def test_an_entry_that_is_there_twice(judge: Judge) -> None:
    """Invalid for the leaf, and the CRL is not refused: revoking twice is no more than revoking once.

    root ─┬─ leaf, bob
          └─ CRL (leaf, leaf)
    """
    ca = root()
    leaf, bob = ca.issue("alice@laptop"), ca.issue("bob@phone")
    crl = ca.crl(leaf, leaf)
    assert judge(leaf, trusted=[ca], crls=[crl]) == (REVOKED, 0)
    assert judge(bob, trusted=[ca], crls=[crl]) == VALID


def test_ten_thousand_entries(judge: Judge) -> None:
    """The first and the last entry invalid, who is not among them valid.

    root ─┬─ first, last, other
          └─ CRL (first, 9,998 more, last)
    """
    ca = root()
    first, last, other = (ca.issue(f"{name}@x") for name in ("first", "last", "other"))
    between = [Revocation(serial, NOW).encode_entry() for serial in range(10**9, 10**9 + 9998)]
    ends = [Revocation(each.serial_number, NOW).encode_entry() for each in (first, last)]
    crl = ca.crl(entries=[ends[0], *between, ends[1]])
    assert load_crl(crl).revoked_count == 10_000
    for leaf, verdict in ((first, (REVOKED, 0)), (last, (REVOKED, 0)), (other, VALID)):
        assert judge(leaf, trusted=[ca], crls=[crl]) == verdict


@pytest.mark.parametrize("newest_first", [True, False])
def test_an_old_crl_left_beside_the_new_one(judge: Judge, newest_first: bool) -> None:
    """Invalid: of two CRLs of one issuer the newer one counts, in whichever order they lie in the file.

    root ─┬─ leaf
          ├─ CRL 1 (empty)
          └─ CRL 2 (leaf, an hour later)
    """
    ca, later = root(), NOW + HOUR
    leaf = ca.issue("alice@laptop")
    crls = [ca.crl(leaf, now=later, number=2), ca.crl(number=1)]
    assert judge(leaf, trusted=[ca], crls=crls if newest_first else crls[::-1], at=later) == (REVOKED, 0)


def test_the_crl_of_a_stranger(judge: Judge) -> None:
    """Invalid: a CRL of another issuer is none for this one.

    root ── leaf     other root ── CRL
    """
    ca, stranger = root(), root("Another root", which=62)
    assert judge(ca.issue("alice@laptop"), trusted=[ca, stranger], crls=[stranger.crl()]) == (NO_CRL, 0)


def test_the_crl_of_an_authority_of_the_same_name(judge: Judge) -> None:
    """Invalid: the name fits, the key does not, and the pointer to the key says so; our own check refuses it, too.

    Root (key 1) ── leaf     Root (key 2) ── CRL
    """
    ca, namesake = root(), root(which=63)
    crl = namesake.crl()
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[crl]) != VALID
    with pytest.raises(StateError, match="The CRL was signed with another key of 'Root'"):
        verify_crl(crl, ca.certificate)


def test_two_authorities_in_rollover(judge: Judge) -> None:
    """Valid for the leaves of both: the gateways trust both and have both CRLs in one file.

    old root ─┬─ alice        new root ─┬─ bob
              └─ CRL                    └─ CRL
    """
    old, new = root("Authority 1"), root("Authority 2", which=65)
    crls = [new.crl(), old.crl()]
    for ca in (old, new):
        assert judge(ca.issue("alice@laptop"), trusted=[new, old], crls=crls) == VALID


def test_two_authorities_of_one_name_in_rollover(judge: Judge) -> None:
    """Valid for the leaves of both, revoked ones invalid: only the key identifiers tell the issuers apart.

    Root (key 1) ─┬─ alice        Root (key 2) ─┬─ bob, carol
                  └─ CRL                        └─ CRL (carol)
    """
    old, new = root(), root(which=65)
    carol = new.issue("carol@x")
    crls = [new.crl(carol), old.crl()]
    for leaf, verdict in ((old.issue("a@x"), VALID), (new.issue("b@x"), VALID), (carol, (REVOKED, 0))):
        assert judge(leaf, trusted=[new, old], crls=crls) == verdict


def test_a_rollover_that_forgot_the_old_crl(judge: Judge) -> None:
    """Invalid for the leaves of the old authority: every one that is trusted needs its CRL until the last leaf is gone.

    old root ── alice     new root ─┬─ bob
                                    └─ CRL
    """
    old, new = root("Authority 1"), root("Authority 2", which=65)
    assert judge(old.issue("alice@laptop"), trusted=[new, old], crls=[new.crl()]) == (NO_CRL, 0)
    assert judge(new.issue("bob@phone"), trusted=[new, old], crls=[new.crl()]) == VALID


def _offline_root() -> tuple[Issuer, Issuer]:
    top = root("Offline root", profile=ROOT)
    return top, top.authority("Issuer")


def test_an_offline_root_without_its_crl(judge: Judge) -> None:
    """Invalid at depth 1: -crl_check_all asks for the CRL of every issuer, that of the root for the issuer included.

    offline root ── issuer ─┬─ leaf
                            └─ CRL
    """
    top, middle = _offline_root()
    assert judge(middle.issue("alice@laptop"), trusted=[top], below=[middle], crls=[middle.crl()]) == (NO_CRL, 1)


def test_an_offline_root_whose_crl_has_expired(judge: Judge) -> None:
    """Invalid at depth 1: the operator of the root has to sign a new one in time.

    offline root ─┬─ issuer ─┬─ leaf
                  └─ CRL (7) └─ CRL (fresh)
    """
    (top, middle), later = _offline_root(), NOW + 8 * DAY
    leaf = middle.issue("alice@laptop")
    verdict = judge(leaf, trusted=[top], below=[middle], crls=[top.crl(), middle.crl(now=later)], at=later)
    assert verdict == (CRL_EXPIRED, 1)


def test_an_issuer_that_the_offline_root_revoked(judge: Judge) -> None:
    """Invalid at depth 1: with its issuer every leaf is gone.

    offline root ─┬─ issuer ─┬─ leaf
                  │          └─ CRL
                  └─ CRL (issuer)
    """
    top, middle = _offline_root()
    crls = [top.crl(middle.certificate), middle.crl()]
    assert judge(middle.issue("alice@laptop"), trusted=[top], below=[middle], crls=crls) == (REVOKED, 1)


def test_a_leaf_below_an_offline_root_that_its_issuer_revoked(judge: Judge) -> None:
    """Invalid at depth 0.

    offline root ─┬─ issuer ─┬─ leaf
                  └─ CRL     └─ CRL (leaf)
    """
    top, middle = _offline_root()
    leaf = middle.issue("alice@laptop")
    assert judge(leaf, trusted=[top], below=[middle], crls=[middle.crl(leaf), top.crl()]) == (REVOKED, 0)


def test_a_crl_that_a_leaf_signed(judge: Judge) -> None:
    """Invalid: a device wrote an empty CRL in the name of the authority, with its own key.

    root ─┬─ alice@laptop ── CRL (in the name of root)
          └─ bob@phone
    """
    ca, own = root(), key(which=60)
    alice = Issuer(own, ca.issue("alice@laptop", subject_key=own))
    forged = Issuer(own, ca.certificate).crl()
    verdict = judge(ca.issue("bob@phone"), trusted=[ca], below=[alice], crls=[forged])
    assert verdict == (BAD_CRL_SIGNATURE, 0)
    with pytest.raises(StateError, match="does not bear the signature of 'Root'"):
        verify_crl(forged, ca.certificate)


def test_a_tampered_entry(judge: Judge) -> None:
    """Invalid: a serial was changed to let alice in again; the signature tells.

    root ─┬─ alice@laptop
          └─ CRL (alice → another serial)
    """
    ca = root()
    alice = ca.issue("alice@laptop")
    serial = alice.serial_number.to_bytes(19, "big")
    forged = ca.crl(alice).replace(serial, serial[:-1] + bytes((serial[-1] ^ 1,)))
    assert judge(alice, trusted=[ca], crls=[forged]) == (BAD_CRL_SIGNATURE, 0)
    with pytest.raises(StateError, match="does not bear the signature of 'Root'"):
        verify_crl(forged, ca.certificate)


def test_a_crl_with_an_unknown_extension_that_is_critical(judge: Judge) -> None:
    """Invalid: it might say that the list is not complete.

    root ─┬─ leaf
          └─ CRL (critical 1.2.3.4)
    """
    ca = root()
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(NOW - HOUR).next_update(NOW + DAY).add_extension(extension, critical=True)
    crl = builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert judge(ca.issue("alice@laptop"), trusted=[ca], crls=[crl]) == (UNKNOWN_CRITICAL_CRL, 0)


def test_the_crl_of_rsa_pss_and_its_revocations(judge: Judge) -> None:
    """Invalid for who is listed, valid for the other; signed by RSA-PSS.

    root (RSA, PSS) ─┬─ alice, bob
                     └─ CRL (alice)
    """
    ca = root(algorithm="rsa-2048", pss=True)
    alice, bob = ca.issue("alice@laptop"), ca.issue("bob@phone")
    assert judge(alice, trusted=[ca], crls=[ca.crl(alice)]) == (REVOKED, 0)
    assert judge(bob, trusted=[ca], crls=[ca.crl(alice)]) == VALID
