# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tokens answer when they refuse, in words and with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.deadline import call_to_token

try:
    import pkcs11
except ImportError:
    pkcs11 = missing_library("python-pkcs11")

_ONCE = "It was tried once and will not be tried again, because a token locks itself after a few wrong ones."
_PIN_ERRORS = {
    "PinIncorrect": (f"The PIN of the token '{{token}}' is wrong. {_ONCE}", "Correct the PIN and run again."),
    "PinInvalid": (f"The PIN of the token '{{token}}' holds characters that it does not take. {_ONCE}", "Correct it."),
    "PinLenRange": (f"The PIN of the token '{{token}}' is too short or too long. {_ONCE}", "Correct it and run again."),
    "PinLocked": (
        "The PIN of the token '{token}' is locked: too many wrong ones were tried.",
        "Set a new user PIN with the security officer's PIN, by the tool of the token's vendor.",
    ),
    "PinExpired": ("The PIN of the token '{token}' has expired.", "Change it with the tool of the token's vendor."),
    "UserPinNotInitialized": (
        "The token '{token}' has no user PIN yet.",
        "Set one with the security officer's PIN, by the tool of the token's vendor.",
    ),
    "UserAlreadyLoggedIn": (
        "This process is already logged in to the token '{token}'.",
        "Open it once and use that session for everything.",
    ),
}
_GONE = (
    "Check that the token is connected and its service runs. Some tokens end a session that was idle for a while "
    "(YubiHSM 2: 30 s). What was done before stands, so run again."
)
_NOT_OFFERED = "Choose another algorithm or form of signature; the guide 'Tokens' lists what which token can do."
_REMEDIES = {
    **dict.fromkeys(
        ("DeviceRemoved", "TokenNotPresent", "TokenNotRecognised", "SessionHandleInvalid", "SessionClosed"), _GONE
    ),
    **dict.fromkeys(
        ("DeviceError", "GeneralError", "FunctionFailed", "KeyHandleInvalid", "ObjectHandleInvalid"), _GONE
    ),
    **dict.fromkeys(
        ("MechanismInvalid", "MechanismParamInvalid", "FunctionNotSupported", "KeySizeRange"), _NOT_OFFERED
    ),
    "UserNotLoggedIn": "The token has ended the login, for example after it was idle: run again. In check mode nobody "
    "logs in, and this token shows nothing without a login: run without check mode.",
    "SessionCount": "All sessions of the token are in use (YubiHSM 2 has 16): end the other programs that use it.",
    "DeviceMemory": "The token is full: delete keys that are no longer needed.",
    "TokenWriteProtected": "The token is protected from writing: make or delete keys where it is not.",
    "SessionReadOnly": "The token is protected from writing: make or delete keys where it is not.",
    "ArgumentsBad": "If this was the login, check the form of the PIN (AWS CloudHSM: USER:PASSWORD, YubiHSM 2: four "
    "hexadecimal digits and the password).",
}


class TokenError(CollectionError):
    """The token could not be opened, or it refused or failed an operation."""


class WrongPinError(TokenError):
    """The token did not take the PIN, and counts how often that happens: the same one must not be tried again."""


@contextmanager
def token_errors(doing: str, *, patience: int = 1, remedy: str = "") -> Iterator[None]:
    """Turn what the library raises inside this block into a :class:`TokenError`, and watch how long it takes.

    :param doing: What was going on, as the end of "The token failed while …".
    :param patience: How many times the limit of a call this may take.
    :param remedy: What to do, where that does not depend on the error.
    """
    try:
        with call_to_token(doing, patience=patience):
            yield
    except CollectionError:
        raise
    except pkcs11.PKCS11Error as error:
        message = f"The token failed while {doing}: {describe(error)}."
        raise TokenError(message, remedy=remedy or _remedy(error)) from error


def login_error(error: Exception, token: str) -> TokenError:
    """The error to raise when a token refused a login. It never holds the PIN."""
    name = type(error).__name__
    if name in _PIN_ERRORS:
        message, remedy = _PIN_ERRORS[name]
        kind = WrongPinError if _ONCE in message else TokenError
        return kind(message.format(token=token), remedy=remedy)
    return TokenError(f"The token '{token}' refused the session: {describe(error)}.", remedy=_remedy(error))


def describe(error: Exception) -> str:
    """The name of an error of PKCS#11, with what the library said about it, if anything."""
    return " ".join((type(error).__name__, *(str(argument) for argument in error.args if argument)))


def _remedy(error: Exception) -> str:
    return _REMEDIES.get(type(error).__name__, "")
