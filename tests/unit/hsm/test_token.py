"""Opening a token that refuses: the library is a double, since no software token locks its PIN."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pkcs11
import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import (
    MissingLibraryError,
    missing_library,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm import errors, objects, slots
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import KeyRequest, key_request
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Token, TokenSettings, open_token

PIN = "the-secret-pin"
READY = pkcs11.TokenFlag.TOKEN_INITIALIZED | pkcs11.TokenFlag.USER_PIN_INITIALIZED


class FakeToken:
    """A token that raises what it is told to when a session is opened, and counts the attempts."""

    def __init__(
        self, label: str = "hsm", *, flags: int = READY, raises: Exception | None = None, serial: bytes = b"1"
    ) -> None:
        self.label = label
        self.flags = flags
        self.raises = raises
        self.serial = serial
        self.attempts = 0
        self.opened: list[bool] = []

    def open(self, *, rw: bool, user_pin: str | None) -> Any:
        self.attempts += 1
        self.opened.append(rw)
        if self.raises is not None:
            raise self.raises
        return FakeSession()


class NoReadOnlySessions(FakeToken):
    """Like the library of AWS CloudHSM."""

    def open(self, *, rw: bool, user_pin: str | None) -> Any:
        super().open(rw=rw, user_pin=user_pin)
        if not rw:
            raise pkcs11.FunctionNotSupported
        return FakeSession()


class FakeSession:
    def close(self) -> None:
        raise pkcs11.DeviceRemoved


class FakeSlot:
    def __init__(self, token: FakeToken | None) -> None:
        self.token = token

    def get_token(self) -> FakeToken:
        if self.token is None:
            raise pkcs11.TokenNotRecognised
        return self.token


class FakeLibrary:
    def __init__(self, *tokens: FakeToken | None) -> None:
        self.tokens = tokens
        self.finalized = False

    def get_slots(self, *, token_present: bool) -> list[FakeSlot]:
        return [FakeSlot(token) for token in self.tokens]

    def finalize(self) -> None:
        self.finalized = True


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that puts tokens behind the library."""

    def behind(*tokens: FakeToken | None) -> FakeLibrary:
        double = FakeLibrary(*tokens)
        monkeypatch.setattr(pkcs11, "lib", lambda _path: double)
        return double

    return behind


def _no_lock(path: Path, *, wait_seconds: float, what: str) -> Any:
    return nullcontext()


def _open(label: str = "hsm", *, serial: str = "", login: bool = True) -> None:
    with open_token(TokenSettings(__file__, label, PIN, serial=serial), lock=_no_lock, login=login):
        pass


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (pkcs11.PinIncorrect(), "The PIN of the token 'hsm' is wrong. It was tried once"),
        (pkcs11.PinLocked(), "The PIN of the token 'hsm' is locked: too many wrong ones were tried."),
        (pkcs11.PinLenRange(), "The PIN of the token 'hsm' is too short or too long."),
        (pkcs11.PinInvalid(), "holds characters that it does not take"),
        (pkcs11.PinExpired(), "The PIN of the token 'hsm' has expired."),
        (pkcs11.UserPinNotInitialized(), "The token 'hsm' has no user PIN yet."),
        (pkcs11.UserAlreadyLoggedIn(), "This process is already logged in to the token 'hsm'."),
        (
            pkcs11.DeviceRemoved(),
            "The token 'hsm' refused the session: DeviceRemoved. Check that the token is connected",
        ),
        (pkcs11.SessionCount(), "SessionCount. All sessions of the token are in use (YubiHSM 2 has 16)"),
        (pkcs11.ArgumentsBad(), "check the form of the PIN (AWS CloudHSM: USER:PASSWORD"),
    ],
)
def test_a_refused_login_is_explained_and_tried_once(library: Any, answer: Exception, message: str) -> None:
    token = FakeToken(raises=answer)
    double = library(token)
    with pytest.raises(TokenError) as refused:
        _open()
    assert message in str(refused.value)
    assert PIN not in str(refused.value)
    assert refused.value.__cause__ is None
    assert (token.attempts, double.finalized) == (1, True)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (pkcs11.TokenFlag.USER_PIN_LOCKED, "is locked"),
        (pkcs11.TokenFlag.USER_PIN_FINAL_TRY, "One attempt at the PIN of the token 'hsm' is left"),
    ],
)
def test_the_last_attempt_is_left_to_a_person(library: Any, flag: int, message: str) -> None:
    token = FakeToken(flags=READY | flag)
    library(token)
    with pytest.raises(TokenError, match=message):
        _open()
    assert token.attempts == 0


def test_two_tokens_of_one_label_are_refused(library: Any) -> None:
    """... unless the serial says which one is meant; serials are padded to a fixed length."""
    meant, other = FakeToken(serial=b"A1  "), FakeToken(serial=b"B2\0\0")
    library(meant, other)
    with pytest.raises(TokenError, match=r"2 tokens are labelled 'hsm'; their serials are 'A1', 'B2'\. Say by hsm_tok"):
        _open()
    _open(serial="A1")
    assert (meant.attempts, other.attempts) == (1, 0)
    with pytest.raises(TokenError, match="no token labelled 'hsm' with the serial 'C3' behind"):
        _open(serial="C3")


def test_labels_are_compared_without_their_padding(library: Any) -> None:
    library(FakeToken("hsm \0\0"))
    _open("hsm  ")


def test_a_login_opens_the_kind_of_session_that_every_token_has(library: Any) -> None:
    """AWS CloudHSM has no session that only reads; a token that is protected from writing has no other."""
    token, protected = NoReadOnlySessions(), FakeToken(flags=READY | pkcs11.TokenFlag.WRITE_PROTECTED)
    library(token)
    _open()
    assert token.opened == [True]
    library(protected)
    _open()
    assert protected.opened == [False]


def test_without_a_login_a_session_that_may_write_is_the_last_choice(library: Any) -> None:
    token, gone = NoReadOnlySessions(), FakeToken(raises=pkcs11.DeviceRemoved())
    library(FakeToken("other"), token)
    _open(login=False)
    assert token.opened == [False, True]
    library(gone)
    with pytest.raises(TokenError, match="DeviceRemoved"):
        _open(login=False)
    assert gone.attempts == 1


def test_a_bad_slot_and_an_empty_token_hide_nothing(library: Any) -> None:
    library(None, FakeToken("", flags=0), FakeToken())
    _open()
    with pytest.raises(TokenError, match=r"no token labelled 'x' behind .*; there are: 'hsm' \(serial '1'\)\."):
        _open("x")


def test_a_token_that_is_gone_at_the_end_does_not_hide_the_work(library: Any) -> None:
    double = library(FakeToken())
    _open()
    assert double.finalized


def test_a_pin_is_asked_for_before_anything_is_loaded() -> None:
    with (
        pytest.raises(TokenError, match="There is no PIN for the token 'hsm'"),
        open_token(TokenSettings("/nonexistent", "hsm"), lock=_no_lock),
    ):
        pass


def test_a_lock_that_cannot_be_taken_is_explained() -> None:
    def denied(path: Path, *, wait_seconds: float, what: str) -> Any:
        raise PermissionError(13, "Permission denied")

    with (
        pytest.raises(TokenError, match=r"The lock of the token 'hsm' \(/run/lock/.*\) cannot be taken: Permission"),
        open_token(TokenSettings(__file__, "hsm", PIN), lock=denied),
    ):
        pass


def test_a_missing_library_of_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for user in (errors, slots):
        monkeypatch.setattr(user, "pkcs11", missing_library("python-pkcs11"))
    with pytest.raises(MissingLibraryError, match=r"The Python library 'python-pkcs11' is missing"):
        _open()


def test_the_pin_is_not_in_the_representation() -> None:
    assert PIN not in repr(TokenSettings("/lib.so", "hsm", PIN))


def test_the_lock_is_one_per_token() -> None:
    """... whatever the PIN; and a library that cannot be loaded is named."""
    one, same = TokenSettings("/lib.so", "hsm", PIN), TokenSettings("/lib.so", "hsm", None, 1.0)
    assert one.lock_path == same.lock_path != TokenSettings("/lib.so", "other").lock_path
    with pytest.raises(TokenError, match="The token failed while starting its library: PKCS11Error"):
        _open()


class KeyDouble(dict[Any, Any]):
    """A private key that answers some attributes and does not know the others."""

    def __missing__(self, key: Any) -> Any:
        raise pkcs11.AttributeTypeInvalid


def test_a_key_that_could_leave_is_noticed() -> None:
    attribute = pkcs11.Attribute
    good = KeyDouble({attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.SIGN: True})
    assert objects.broken_promises(good) == []
    for name, value in (("EXTRACTABLE", True), ("SENSITIVE", False), ("SIGN", False), ("LOCAL", False)):
        assert objects.broken_promises(KeyDouble({**good, attribute[name]: value})) == [f"CKA_{name}"]
    assert objects.broken_promises(KeyDouble({**good, attribute.NEVER_EXTRACTABLE: False})) == ["CKA_NEVER_EXTRACTABLE"]
    imported = KeyDouble({**good, attribute.LOCAL: False})
    assert objects.broken_promises(imported, made_here=False) == []
    smart_card = KeyDouble({**good, attribute.DECRYPT: True, attribute.UNWRAP: True, attribute.DERIVE: True})
    assert objects.broken_promises(smart_card) == []
    assert objects.broken_promises(KeyDouble()) == ["CKA_SENSITIVE", "CKA_EXTRACTABLE", "CKA_SIGN"]


class MechanismSession:
    """A session whose token offers what it is given."""

    def __init__(self, *offered: Any, largest: int = 4096) -> None:
        self.label, self.slot, self.token = "hsm", self, self
        self.offered, self.min_key_length, self.max_key_length = set(offered), 1024, largest

    def get_mechanisms(self) -> set[Any]:
        return self.offered

    def get_mechanism_info(self, mechanism: Any) -> MechanismSession:
        return self


def test_mechanisms_are_asked_for_and_not_assumed() -> None:
    request = KeyRequest("RSA", "RSA_PKCS_KEY_PAIR_GEN", "RSA_PKCS", 4096)
    makes, signs = pkcs11.Mechanism.RSA_PKCS_KEY_PAIR_GEN, pkcs11.Mechanism.RSA_PKCS
    objects.require_mechanisms(MechanismSession(makes, signs, 0x80000001), request)
    with pytest.raises(TokenError, match="The token 'hsm' does not offer CKM_RSA_PKCS"):
        objects.require_mechanisms(MechanismSession(makes), request)
    with pytest.raises(TokenError, match="RSA keys of 1024 to 2048 bits, not of 4096"):
        objects.require_mechanisms(MechanismSession(makes, signs, largest=2048), request)


def test_private_keys_are_not_looked_for_without_a_login() -> None:
    """Tokens hide them then: "not found" would be taken for "make one"."""
    token = Token(None, logged_in=False)
    for ask in (token.find_key, token.get_key, token.delete_key, lambda label: token.generate_key(label, "ec-p256")):
        with pytest.raises(StateError, match="nobody logged in"):
            ask("ca")


class RefusingSession:
    """A session that takes no template with certain attributes, or with too long an identifier, or none of a curve."""

    def __init__(self, *refused: Any, longest: int = 99, curves: tuple[bytes, ...] = ()) -> None:
        self.refused, self.longest, self.curves = refused, longest, curves
        self.parameters = b""
        self.attempts = 0

    def create_domain_parameters(self, _key_type: Any, attributes: dict[Any, bytes], *, local: bool) -> RefusingSession:
        self.parameters = attributes[pkcs11.Attribute.EC_PARAMS]
        return self

    def generate_keypair(self, *_size: Any, **options: Any) -> tuple[Any, Any]:
        self.attempts += 1
        unset = pkcs11.constants.DEFAULT
        public, private = options["public_template"], options["private_template"]
        if self.curves and self.parameters not in self.curves:
            raise pkcs11.DomainParamsInvalid
        if any(public.get(name, unset) is not unset for name in self.refused):
            raise pkcs11.TemplateInconsistent
        if any(private.get(name) is not unset for name in (pkcs11.Attribute.DERIVE,) if self.refused):
            raise pkcs11.AttributeTypeInvalid
        if len(options["id"]) > self.longest:
            raise pkcs11.AttributeValueInvalid
        assert private[pkcs11.Attribute.SENSITIVE] is True
        assert private[pkcs11.Attribute.EXTRACTABLE] is False
        return "public", options["id"]


@pytest.mark.parametrize(
    ("session", "algorithm", "attempts", "identifier_bytes"),
    [
        (RefusingSession(), "ec-p256", 1, 16),
        (RefusingSession(pkcs11.Attribute.PRIVATE), "rsa-2048", 2, 16),
        (RefusingSession(longest=2), "ec-p384", 3, 2),
        (RefusingSession(curves=(bytes.fromhex("06032b6570"),)), "ed25519", 4, 16),
    ],
)
def test_a_template_that_a_token_does_not_take_is_made_leaner(
    session: Any, algorithm: str, attempts: int, identifier_bytes: int
) -> None:
    """AWS CloudHSM has only private objects, old YubiHSM libraries only short identifiers, curves have two names."""
    made = objects.generate_pair(session, key_request(algorithm), label="ca", identifier=bytes(16))
    assert (made[0], len(made[1]), session.attempts) == ("public", identifier_bytes, attempts)


def test_a_token_that_takes_no_template_says_so() -> None:
    session = RefusingSession(longest=0)
    with pytest.raises(TokenError, match="The token failed while making the key 'ca': AttributeValueInvalid"):
        objects.generate_pair(session, key_request("ec-p256"), label="ca", identifier=bytes(16))
    assert session.attempts == 3


class SigningKey:
    """A private key in a session whose token offers some mechanisms."""

    def __init__(self, *offered: Any, raises: Exception | None = None) -> None:
        self.session = MechanismSession(*offered)
        self.raises = raises
        self.signed = 0

    def sign(self, content: bytes, *, mechanism: Any, mechanism_param: Any) -> bytes:
        self.signed += 1
        if self.raises is not None:
            raise self.raises
        return content


def test_pss_is_asked_for_before_it_is_used() -> None:
    """PKCS#1 v1.5 goes on where PSS is missing; nothing is signed with a mechanism that is not offered."""
    key = SigningKey(pkcs11.Mechanism.RSA_PKCS)
    signer = objects.TokenSigner(key)
    assert signer.rsa_pkcs1(b"digest") == b"digest"
    with pytest.raises(TokenError, match=r"does not offer CKM_RSA_PKCS_PSS\. It cannot be used with RSA-PSS \(pss\)"):
        signer.rsa_pss(b"digest", hash_name="sha256", salt_bytes=32)
    assert key.signed == 1


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (pkcs11.SessionHandleInvalid(), "Some tokens end a session that was idle for a while"),
        (pkcs11.DeviceRemoved(), "Check that the token is connected"),
        (pkcs11.UserNotLoggedIn(), "has ended the login, for example after it was idle: run again"),
        (pkcs11.MechanismParamInvalid(), "Choose another algorithm or form of signature"),
    ],
)
def test_a_failure_in_the_middle_of_a_batch_says_what_to_do(answer: Exception, remedy: str) -> None:
    signer = objects.TokenSigner(SigningKey(pkcs11.Mechanism.ECDSA, raises=answer))
    with pytest.raises(TokenError, match="The token failed while signing: ") as failed:
        signer.ecdsa(b"digest")
    assert remedy in failed.value.remedy


class Half:
    """One half of a pair, with or without an identifier."""

    def __init__(self, identifier: bytes | None, *, raises: Exception | None = None) -> None:
        self.identifier, self.raises, self.destroyed = identifier, raises, False

    def __getitem__(self, name: Any) -> bytes:
        if self.identifier is None:
            raise pkcs11.AttributeTypeInvalid
        return self.identifier

    def destroy(self) -> None:
        if self.raises is not None:
            raise self.raises
        self.destroyed = True


def test_halves_are_told_apart_by_their_identifiers_where_there_are_any() -> None:
    assert objects.may_be_pair(Half(b"1"), Half(b"1"))
    assert objects.may_be_pair(Half(None), Half(b"1"))
    assert not objects.may_be_pair(Half(b"1"), Half(b"2"))


def test_a_public_half_that_goes_with_its_private_one_is_no_failure() -> None:
    private = Half(b"1")
    objects.destroy([private, Half(b"1", raises=pkcs11.ObjectHandleInvalid())])
    assert private.destroyed
    with pytest.raises(TokenError, match="The token failed while destroying a key: DeviceError"):
        objects.destroy([Half(b"1", raises=pkcs11.DeviceError())])
