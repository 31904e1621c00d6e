# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the library of a token to an open session: the one slot that is meant, and one login."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.deadline import call_to_token
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import (
    TokenError,
    login_error,
    token_errors,
)

try:
    import pkcs11
except ImportError:
    pkcs11 = missing_library("python-pkcs11")

# Labels and serials are padded to a fixed length: with blanks, says PKCS#11; with zero bytes, say some tokens.
_PADDING = " \0"
_REMEDY_ABSENT = (
    "Correct hsm_token, connect the token, or initialise one (softhsm2-util --init-token --free --label LABEL). If it "
    "was there before and is a SoftHSM, look whether its file token.object is empty: a run that is killed while it "
    "logs in can leave it so. Its last backup mends that; the keys beside it are intact (guide 'Tokens')."
)
_REMEDY_START = (
    "Check that hsm_module is the library of a token, that its service runs, and that the user of this task can read "
    "its configuration (SoftHSM: SOFTHSM2_CONF and the folder of its tokens, YubiHSM 2: YUBIHSM_PKCS11_CONF)."
)


@contextmanager
def loaded(module: str) -> Iterator[Any]:
    """The library, initialised; it is finalised after use, since it would not see a token that was made since."""
    with token_errors("starting its library", remedy=_REMEDY_START):
        library = pkcs11.lib(module)
    try:
        yield library
    finally:
        with suppress(pkcs11.PKCS11Error):
            library.finalize()


@contextmanager
def session_of(token: Any, *, pin: str | None) -> Iterator[Any]:
    """An open session, closed afterwards.

    :param pin: Logged in with it, once; without one nobody logs in.
    :raises TokenError: the token refuses.
    """
    if pin is not None:
        _require_attempts(token)
    try:
        with call_to_token("opening a session"):
            session = _open(token, pin)
    except pkcs11.PKCS11Error as error:
        raise login_error(error, token.label) from None
    try:
        yield session
    finally:
        with suppress(pkcs11.PKCS11Error), call_to_token("closing the session"):
            session.close()


def _open(token: Any, pin: str | None) -> Any:
    """A login gets a session that may write, unless the token is protected from that: some tokens know no other kind.

    Without a login one that may not write is asked for first, and the other kind where the token knows no such thing.
    """
    if pin is not None:
        return token.open(rw=not token.flags & pkcs11.TokenFlag.WRITE_PROTECTED, user_pin=pin)
    try:
        return token.open(rw=False, user_pin=None)
    except (pkcs11.DeviceRemoved, pkcs11.TokenNotPresent):
        raise
    except pkcs11.PKCS11Error:
        return token.open(rw=True, user_pin=None)


def find_token(library: Any, *, label: str, serial: str = "", module: str) -> Any:
    """The one token of that label, and of that serial where one is given.

    :param module: Path of the library, for messages.
    :raises TokenError: there is none, or more than one.
    """
    with token_errors("listing its slots"):
        present = [token for token in map(_token_in, library.get_slots(token_present=True)) if token is not None]
    labelled = [token for token in present if token.label.strip(_PADDING) == label.strip(_PADDING)]
    found = [token for token in labelled if serial in ("", _serial(token))]
    if len(found) == 1:
        return found[0]
    if found:
        serials = ", ".join(f"'{shown(_serial(token))}'" for token in found)
        raise TokenError(
            f"{len(found)} tokens are labelled '{shown(label)}'; their serials are {serials}.",
            remedy="Say by hsm_token_serial which one is meant, or give them different labels.",
        )
    wanted = f"labelled '{shown(label)}'" + (f" with the serial '{shown(serial)}'" if serial else "")
    there = ", ".join(f"'{shown(token.label)}' (serial '{shown(_serial(token))}')" for token in present) or "none"
    raise TokenError(f"There is no token {wanted} behind {module}; there are: {there}.", remedy=_REMEDY_ABSENT)


def _serial(token: Any) -> str:
    return bytes(token.serial).decode("utf-8", "replace").strip(_PADDING)


def _token_in(slot: Any) -> Any:
    """The token of a slot; ``None`` where there is none that could be used. One bad slot must not hide the others."""
    try:
        token = slot.get_token()
    except pkcs11.PKCS11Error:
        return None
    return token if token.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED else None


def _require_attempts(token: Any) -> None:
    """Check before a login that it is not the one that could lock the token."""
    flags = pkcs11.TokenFlag
    if token.flags & flags.USER_PIN_LOCKED:
        raise login_error(pkcs11.PinLocked(), token.label)
    if token.flags & flags.USER_PIN_FINAL_TRY:
        raise TokenError(
            f"One attempt at the PIN of the token '{token.label}' is left, and it is not used up here.",
            remedy="Log in once by hand with the right PIN (pkcs11-tool --login --list-objects): that restores the "
            "attempts.",
        )
