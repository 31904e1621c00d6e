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
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm import errors, objects
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm import token as token_module
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import KeyRequest
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Token, TokenSettings, open_token

PIN = "the-secret-pin"
READY = pkcs11.TokenFlag.TOKEN_INITIALIZED | pkcs11.TokenFlag.USER_PIN_INITIALIZED


class FakeToken:
    """A token that raises what it is told to when a session is opened, and counts the attempts."""

    def __init__(self, label: str = "hsm", *, flags: int = READY, raises: Exception | None = None) -> None:
        self.label = label
        self.flags = flags
        self.raises = raises
        self.attempts = 0

    def open(self, *, rw: bool, user_pin: str | None) -> Any:
        self.attempts += 1
        if self.raises is not None:
            raise self.raises
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


def _open(label: str = "hsm") -> None:
    with open_token(TokenSettings(__file__, label, PIN), lock=_no_lock):
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
    library(FakeToken(), FakeToken())
    with pytest.raises(TokenError, match="2 tokens are labelled 'hsm'"):
        _open()


def test_a_bad_slot_and_an_empty_token_hide_nothing(library: Any) -> None:
    library(None, FakeToken("", flags=0), FakeToken())
    _open()
    with pytest.raises(TokenError, match=r"no token labelled 'x' behind .*; there are: 'hsm'\."):
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
    for user in (errors, token_module):
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
    for name, value in (("EXTRACTABLE", True), ("SENSITIVE", False), ("SIGN", False), ("DECRYPT", True)):
        assert objects.broken_promises(KeyDouble({**good, attribute[name]: value})) == [f"CKA_{name}"]
    assert objects.broken_promises(KeyDouble({**good, attribute.NEVER_EXTRACTABLE: False})) == ["CKA_NEVER_EXTRACTABLE"]
    imported = KeyDouble({**good, attribute.LOCAL: False})
    assert objects.broken_promises(imported, made_here=False) == []
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
