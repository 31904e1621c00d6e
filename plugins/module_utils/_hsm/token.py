# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PKCS#11 token: opened once, asked for keys, closed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm import objects
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.deadline import Deadline, watched
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.keys import prove_pair, token_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.mechanisms import key_request
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.slots import find_token, loaded, session_of
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.softhsm import keep_token_files

Lock = Callable[..., AbstractContextManager[None]]
LOCK_FOLDER = Path("/run/lock")
LONGEST_LABEL = 64
_IDENTIFIER_BYTES = 16


@dataclass(frozen=True)
class TokenSettings:
    """Where a token is and how to log in.

    :param module: Path of the PKCS#11 library.
    :param token: Label of the token.
    :param pin: The user PIN; ``None`` is enough where nobody logs in. It is in no message and no ``repr``.
    :param lock_wait_seconds: How long to wait for another process that uses the same token.
    :param serial: Serial of the token, where several bear the label; empty for any.
    :param timeout_seconds: For one call, of a token that hangs; 0 waits for ever. Making a key may take longer.
    :param give_up: What ends the process then, called with a message in another thread; ``None`` waits for ever.
    """

    module: str
    token: str
    pin: str | None = field(default=None, repr=False)
    lock_wait_seconds: float = 60.0
    serial: str = ""
    timeout_seconds: float = 0.0
    give_up: Callable[[str], None] | None = field(default=None, repr=False)

    @property
    def deadline(self) -> Deadline | None:
        """The two of them as one value."""
        return Deadline(self.timeout_seconds, self.give_up) if self.give_up and self.timeout_seconds > 0 else None

    @property
    def lock_path(self) -> Path:
        """The lock file of this token, the same for every process of the host."""
        name = hashlib.sha256(f"{self.module}\0{self.token.strip()}".encode()).hexdigest()[:16]
        return LOCK_FOLDER / f"privatespace-token-{name}.lock"


class Token:
    """An open session. Not for several threads, and not to be kept across a fork."""

    def __init__(self, session: Any, *, logged_in: bool) -> None:
        self._session = session
        self._logged_in = logged_in

    def find_key(self, label: str, *, public_key: Any = None) -> Any:
        """The private key of that label as a key of ``cryptography``, or ``None``.

        :param public_key: Its public half, for tokens that do not keep one: taken from a certificate. Where it is
            given, the pair is proven by one signature.
        :raises StateError: several keys bear the label, one half of the pair is missing, or the halves do not fit.
        """
        self._require_login()
        private, public = self._find_objects("PRIVATE_KEY", label), self._find_objects("PUBLIC_KEY", label)
        if not private and not public:
            return None
        if not private:
            raise StateError(
                f"The token holds the public half of the key '{shown(label)}', and not its private half.",
                remedy="It was lost, or belongs to another user of the token: restore it, or choose another label.",
            )
        return _key(label, private[0], public, public_key)

    def get_key(self, label: str, *, public_key: Any = None) -> Any:
        """Like :meth:`find_key`, for a key that must be there.

        :raises StateError: it is not.
        """
        key = self.find_key(label, public_key=public_key)
        if key is None:
            raise StateError(
                f"The token '{self._session.token.label}' holds no key labelled '{shown(label)}'.",
                remedy="Check hsm_token and hsm_key_label; privatespace.gateway.hsm_key makes a key.",
            )
        return key

    def find_public_key(self, label: str) -> Any:
        """The public half of a key, which most tokens show without a login, or ``None``.

        :raises StateError: several keys bear the label.
        """
        found = self._find_objects("PUBLIC_KEY", label)
        return objects.read_public_key(found[0]) if found else None

    def has_key(self, label: str) -> bool:
        """Whether any half of a key bears that label; private halves are seen after a login only.

        :raises StateError: several keys bear the label.
        """
        return bool(self._find_objects("PUBLIC_KEY", label) or self._find_objects("PRIVATE_KEY", label))

    def require_unextractable(self, label: str) -> None:
        """Check of a key that somebody else may have made that it signs and cannot leave the token.

        :raises StateError: it can, or it cannot sign.
        """
        for private in self._find_objects("PRIVATE_KEY", label):
            broken = objects.broken_promises(private, made_here=False)
            if broken:
                raise StateError(
                    f"The key '{shown(label)}' in the token is not one that signs and never leaves it "
                    f"({', '.join(broken)}).",
                    remedy="Choose another label, and let the token make a key of its own.",
                )

    def generate_key(self, label: str, algorithm: str) -> Any:
        """Make a key pair inside the token: signing only, sensitive, never extractable, read back and proven.

        :param algorithm: One of the names in ``mechanisms.KEY_REQUESTS``, for example ``ec-p256``.
        :returns: The private key, as from :meth:`find_key`.
        :raises StateError: the label is taken.
        :raises TokenError: the token cannot make such a key, or made one that is not as asked; it is destroyed then.
        """
        request = key_request(algorithm)
        if self.find_key(label) is not None:
            raise StateError(f"The token already holds a key labelled '{shown(label)}'.")
        objects.require_mechanisms(self._session, request)
        identifier = secrets.token_bytes(_IDENTIFIER_BYTES)
        public, private = objects.generate_pair(self._session, request, label=label, identifier=identifier)
        try:
            return _proven(label, public, private)
        except BaseException:
            objects.destroy([private, public])
            raise

    def delete_key(self, label: str) -> bool:
        """Destroy both halves of a key for ever; whether there was one.

        :raises StateError: several keys bear the label.
        """
        self._require_login()
        halves = [*self._find_objects("PRIVATE_KEY", label), *self._find_objects("PUBLIC_KEY", label)]
        objects.destroy(halves)
        if self.has_key(label):
            raise TokenError(
                f"The token kept the key '{shown(label)}' that it was told to destroy.",
                remedy="Delete it with the tool of the token's vendor; the user of this PIN may lack the right to.",
            )
        return bool(halves)

    def _find_objects(self, kind: str, label: str) -> list[Any]:
        if not 0 < len(label) <= LONGEST_LABEL:
            raise InputError(f"The key label '{shown(label)}' must have 1 to {LONGEST_LABEL} characters.")
        return objects.find_objects(self._session, kind, label)

    def _require_login(self) -> None:
        """Without a login private keys are silently absent: "not found" would be a lie, and a second CA key."""
        if not self._logged_in:
            raise StateError("Private keys were asked of a token that nobody logged in to.")


def _key(label: str, private: Any, public: list[Any], known: Any) -> Any:
    if public and not objects.may_be_pair(public[0], private):
        raise StateError(
            f"The public and the private key labelled '{shown(label)}' are not halves of one pair.",
            remedy="Give one of them another label with the tool of the token's vendor.",
        )
    signer = objects.TokenSigner(private)
    if known is not None:
        key = token_key(signer, known)
        prove_pair(known, key)
        return key
    if not public and not objects.is_rsa(private):
        raise StateError(
            f"The token keeps no public half of the key '{shown(label)}', and an EC private key does not tell it.",
            remedy="Give the certificate of the key.",
        )
    return token_key(signer, objects.read_public_key(public[0] if public else private))


def _proven(label: str, public: Any, private: Any) -> Any:
    broken = objects.broken_promises(private)
    if broken:
        raise TokenError(
            f"The token made the key '{shown(label)}' otherwise than asked ({', '.join(broken)}); it was destroyed.",
            remedy="A key that could leave the token is not used. Check the token's policy, or use another token.",
        )
    key = _key(label, private, [public], None)
    prove_pair(key.public_key(), key)
    return key


@contextmanager
def open_token(settings: TokenSettings, *, lock: Lock, login: bool = True) -> Iterator[Token]:
    """One session, one login (or none: check mode), under the lock of the token.

    Use: ``with open_token(settings, lock=exclusive_lock) as token:`` with the lock of ``_host.locks``.

    :param lock: Called as ``lock(path, wait_seconds=…, what=…)``; the host layer provides it.
    :param login: Without a login only public keys can be found. Opening a token then writes nothing to it.
    :raises TokenError: library, token or PIN are wrong, each with its remedy. A PIN is tried once.
    :raises BusyError: another process kept the token for too long.
    """
    if login and not settings.pin:
        raise TokenError(
            f"There is no PIN for the token '{shown(settings.token)}'.",
            remedy="Give hsm_pin or hsm_pin_file, or use another source of the guide 'Tokens'.",
        )
    if not Path(settings.module).is_file():
        raise TokenError(
            f"There is no PKCS#11 library at '{shown(settings.module)}'.",
            remedy="Install the software of the token on this host, or correct hsm_module.",
        )
    with _locked(settings, lock), watched(settings.deadline), _library(settings, login=login) as library:
        found = find_token(library, label=settings.token, serial=settings.serial, module=settings.module)
        with session_of(found, pin=settings.pin if login else None) as session:
            yield Token(session, logged_in=login)


@contextmanager
def _library(settings: TokenSettings, *, login: bool) -> Iterator[Any]:
    """The library of the token, loaded once the files that SoftHSM writes in place are safe."""
    if login:
        keep_token_files(settings.module, environment=os.environ)
    with loaded(settings.module) as library:
        yield library


@contextmanager
def _locked(settings: TokenSettings, lock: Lock) -> Iterator[None]:
    path = settings.lock_path
    with ExitStack() as stack:
        try:
            stack.enter_context(
                lock(path, wait_seconds=settings.lock_wait_seconds, what=f"The token '{settings.token}'")
            )
        except OSError as error:
            raise TokenError(
                f"The lock of the token '{shown(settings.token)}' ({path}) cannot be taken: {error.strerror}.",
                remedy="Use the token as one user, the one that the file belongs to (become).",
            ) from error
        yield
