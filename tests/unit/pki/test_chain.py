"""What an offline root answers: taken when it is complete and right, refused with the reason when it is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from unit.pki.authority import NOW, key

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import certificates, profiles
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.chain import (
    make_request,
    read_chain,
    read_chain_crls,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import (
    Revocation,
    build_crl,
    crl_to_pem,
    load_crl,
)

DAY = timedelta(days=1)
OURS = 4  # which of the keys is that of the authority below the root


@dataclass(frozen=True)
class Root:
    """An authority outside: its key, its certificate, and what it signs."""

    key: Any
    certificate: Any

    def sign(self, csr: str, *, days: int = 1000, **changed: Any) -> Any:
        """A CA certificate for a CSR; ``changed`` replaces parts of its specification."""
        request = certificates.load_csr(csr)
        values: dict[str, Any] = {
            "common_name": request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value,
            "profile": profiles.CA,
            "public_key": request.public_key(),
            "serial": 77,
            "not_before": NOW - DAY,
            "not_after": NOW + days * DAY,
        } | changed
        return certificates.build_certificate(
            certificates.CertificateSpec(**values), issuer_certificate=self.certificate, issuer_key=self.key
        )

    def crl(self, *, number: int = 1, at: int = -1, days: int = 100, revoked: tuple[int, ...] = ()) -> str:
        """PEM of a CRL that begins ``at`` days from now."""
        der = build_crl(
            [Revocation(serial, NOW - DAY).encode_entry() for serial in revoked],
            issuer_certificate=self.certificate,
            issuer_key=self.key,
            number=number,
            this_update=NOW + at * DAY,
            next_update=NOW + (at + days) * DAY,
        )
        return crl_to_pem(der).decode()

    @property
    def pem(self) -> str:
        return certificates.certificate_pem(self.certificate)


def make_root(
    *, name: str = "Offline root", which: int = 5, path_length: int | None = 1, by: Root | None = None
) -> Root:
    """A root, or with ``by`` an authority below another one."""
    own = key("ec-p384", which)
    profile = replace(profiles.CA, path_length=path_length)
    spec = certificates.CertificateSpec(
        name, profile, own.public_key(), 1000 + which, NOW - 2 * DAY, NOW + timedelta(days=2000)
    )
    if by is None:
        return Root(own, certificates.build_certificate(spec, issuer_key=own))
    return Root(own, certificates.build_certificate(spec, issuer_certificate=by.certificate, issuer_key=by.key))


ROOT = make_root()
CSR = make_request("VPN authority", key=key("ec-p256", OURS))


def judged(*pem: str, crls: str | None = None, csr: str = CSR) -> Any:
    return read_chain("".join(pem), ROOT.crl() if crls is None else crls, csr=csr, now=NOW)


def pem_of(certificate: Any) -> str:
    return certificates.certificate_pem(certificate)


def test_a_request_asks_for_an_authority() -> None:
    """With its key, its name, no authority below it, and the names that it is kept to."""
    csr = certificates.load_csr(make_request("VPN authority", key=key("ec-p256", OURS), permitted_dns=["vpn.example"]))
    constraints = csr.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length, constraints.critical) == (True, 0, True)
    usage = csr.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert usage.crl_sign
    assert not usage.digital_signature
    names = csr.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    assert [name.value for name in names or ()] == ["vpn.example"]


def test_the_answer_is_taken_in_any_order() -> None:
    """Root -> ours. Valid: signed by the root, which has a fresh CRL."""
    ours = ROOT.sign(CSR)
    for content in ((pem_of(ours), ROOT.pem), (ROOT.pem, "text between\n", pem_of(ours))):
        chain = judged(*content)
        assert chain.certificate == ours
        assert chain.above == ROOT.pem
        assert load_crl(chain.crls.encode()).issuer == "CN=Offline root"


def test_two_authorities_above() -> None:
    """Root -> policy authority -> ours. Valid with the CRLs of both, returned in the order of the chain."""
    top = make_root(name="Top", which=6, path_length=2)
    middle = make_root(name="Policy", which=7, path_length=1, by=top)
    of_top, of_middle = top.crl(), middle.crl()
    chain = judged(pem_of(middle.sign(CSR)), top.pem, middle.pem, crls=of_top + of_middle)
    assert chain.above == middle.pem + top.pem
    assert chain.crls == of_middle + of_top


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda used: used.name)
def test_a_root_may_sign_with_a_hash_of_its_own_choice(
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512,
) -> None:
    ours = certificates.load_csr(CSR)
    builder = (
        x509.CertificateBuilder()
        .subject_name(ours.subject)
        .issuer_name(ROOT.certificate.subject)
        .public_key(ours.public_key())
        .serial_number(5)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension in ours.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    assert judged(pem_of(builder.sign(ROOT.key, algorithm)), ROOT.pem).above == ROOT.pem


@pytest.mark.parametrize("which", ["policy", "top"])
def test_the_crl_of_every_authority_above_is_needed(which: str) -> None:
    """Root -> policy authority -> ours. Invalid: OpenVPN would see no revocation of the one whose CRL is missing."""
    top = make_root(name="Top", which=6, path_length=2)
    middle = make_root(name="Policy", which=7, path_length=1, by=top)
    with pytest.raises(CollectionError, match="There are 0 CRLs of"):
        judged(pem_of(middle.sign(CSR)), top.pem, middle.pem, crls=(top if which == "policy" else middle).crl())


def other_key() -> str:
    return pem_of(ROOT.sign(make_request("VPN authority", key=key("ec-p256", 9))))


def tampered() -> str:
    """One bit of the signature is turned."""
    content = bytearray(ROOT.sign(CSR).public_bytes(Encoding.DER))
    content[-1] ^= 1
    return pem_of(x509.load_der_x509_certificate(bytes(content)))


def from_namesake() -> str:
    """Signed by another root of the same name."""
    return pem_of(make_root(which=8).sign(CSR))


CA, SHORT = profiles.CA, make_root(name="Short root", which=10, path_length=0)
WRONG: dict[str, tuple[list[str], str | None, str]] = {
    "nothing": ([], None, "no certificate in PEM"),
    "only the root": ([ROOT.pem], None, "0 of the 1 certificates"),
    "for another key": ([other_key(), ROOT.pem], None, "0 of the 2 certificates"),
    "twice": ([pem_of(ROOT.sign(CSR)), pem_of(ROOT.sign(CSR, serial=78)), ROOT.pem], None, "2 of the 3"),
    "for another name": ([pem_of(ROOT.sign(CSR, common_name="Other")), ROOT.pem], None, "'CN=Other'"),
    "without the root": ([pem_of(ROOT.sign(CSR))], None, "0 certificates of 'CN=Offline root'"),
    "with a stranger": ([pem_of(ROOT.sign(CSR)), ROOT.pem, SHORT.pem], None, "'Short root', which is not above"),
    "by a namesake of the root": ([from_namesake(), ROOT.pem], None, "with another key of 'Offline root'"),
    "tampered with": ([tampered(), ROOT.pem], None, "does not bear the signature"),
    "no authority": ([pem_of(ROOT.sign(CSR, profile=profiles.CLIENT)), ROOT.pem], None, "not that of an authority"),
    "expired": (
        [pem_of(ROOT.sign(CSR, not_before=NOW - 2 * DAY, not_after=NOW - DAY)), ROOT.pem],
        None,
        "is not valid at",
    ),
    "of the future": ([pem_of(ROOT.sign(CSR, not_before=NOW + DAY)), ROOT.pem], None, "is not valid at"),
    "below a root that allows none": ([pem_of(SHORT.sign(CSR)), SHORT.pem], SHORT.crl(), "allows 0 authorities below"),
    "kept to names nobody asked for": (
        [pem_of(ROOT.sign(CSR, permitted_dns=("a.example",))), ROOT.pem],
        None,
        "other name constraints",
    ),
    "no CRL": ([pem_of(ROOT.sign(CSR)), ROOT.pem], "", "There are 0 CRLs of 'Offline root'"),
    "two CRLs": ([pem_of(ROOT.sign(CSR)), ROOT.pem], ROOT.crl() + ROOT.crl(number=2), "There are 2 CRLs"),
    "a CRL of a stranger": ([pem_of(ROOT.sign(CSR)), ROOT.pem], ROOT.crl() + SHORT.crl(), "belong to no authority"),
    "an expired CRL": (
        [pem_of(ROOT.sign(CSR)), ROOT.pem],
        ROOT.crl(at=-9, days=8),
        "CRL of 'Offline root' is not valid",
    ),
    "a CRL of the future": ([pem_of(ROOT.sign(CSR)), ROOT.pem], ROOT.crl(at=1), "CRL of 'Offline root' is not valid"),
    "revoked": ([pem_of(ROOT.sign(CSR)), ROOT.pem], ROOT.crl(revoked=(77,)), "it is revoked"),
    "a CRL of a namesake": ([pem_of(ROOT.sign(CSR)), ROOT.pem], make_root(which=8).crl(), "another key|signature"),
}


@pytest.mark.parametrize(("pem", "crls", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_is_refused(pem: list[str], crls: str | None, says: str) -> None:
    with pytest.raises(CollectionError, match=says):
        judged(*pem, crls=crls)


def test_a_certificate_that_signed_itself_is_no_answer() -> None:
    own = key("ec-p256", OURS)
    spec = certificates.CertificateSpec("VPN authority", CA, own.public_key(), 1, NOW - DAY, NOW + DAY)
    with pytest.raises(CollectionError, match="signed itself"):
        judged(pem_of(certificates.build_certificate(spec, issuer_key=own)))


def test_newer_crls_are_taken_and_older_ones_refused() -> None:
    ours = ROOT.sign(CSR)

    def refreshed(new: str, before: str) -> str:
        return read_chain_crls(new, ROOT.pem, below=ours, now=NOW, before=before)

    old, new = ROOT.crl(number=1, at=-2), ROOT.crl(number=2)
    assert refreshed(new, old) == new
    assert refreshed(old, "") == old
    with pytest.raises(CollectionError, match="is older than the one that is there"):
        refreshed(old, new)
