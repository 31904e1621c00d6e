# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of signatures by a process of their own, while this one prepares the next and stores the last.

The other process is the only one that opens the token: one login, one session, one thread that uses it. It ends when
this one does, since it sees its pipe closed. A token that hangs ends that process instead of this one, so that what was
signed by then is not lost.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Callable, NoReturn

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Lock, TokenSettings

try:
    from cryptography.hazmat.primitives import serialization
except ImportError:
    serialization = missing_library("cryptography")

MESSAGES_A_PART = 100
PARTS_AHEAD = 8
SECONDS_TO_END = 10
_FIRST_OWN_DESCRIPTOR = 3

Signatures = Callable[[Iterable[bytes]], Iterator[bytes]]
# Makes of a private key what signs one message; the flag asks for RSA-PSS.
SigningFunction = Callable[..., Callable[[bytes], bytes]]


@contextmanager
def signing_process(
    settings: TokenSettings, *, lock: Lock, signing_function: SigningFunction
) -> Iterator[Callable[..., Signatures]]:
    """Open a token in another process for the time of the block.

    Gives a function of a key's label, the public key in the certificate of its authority and ``pss``; it returns what
    signs messages in their order, each part of them while the next ones are being made.

    :param lock: As for ``open_token``.
    :param signing_function: Called in the other process as ``signing_function(key, pss=…)``.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    server = _Server(settings, lock, signing_function, theirs)
    process = context.Process(target=server.run, daemon=True)
    process.start()
    theirs.close()
    try:
        yield _Client(ours).use_key
    finally:
        ours.close()
        process.join(SECONDS_TO_END)
        process.kill()


@dataclass(frozen=True)
class _Client:
    """This side of the pipe."""

    pipe: Connection

    def use_key(self, label: str, public_key: Any, *, pss: bool) -> Signatures:
        """Choose the key.

        :raises TokenError: the token cannot be opened, or has no such key; the message is that of the cause.
        """
        key_info = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._send((label, key_info, pss))
        list(self._receive())
        return self._sign

    def _sign(self, messages: Iterable[bytes]) -> Iterator[bytes]:
        """Signatures in the order of their messages.

        :raises TokenError: the token failed; those before it were given.
        """
        rest, under_way = iter(messages), 0
        while True:
            while under_way < PARTS_AHEAD:
                part = list(islice(rest, MESSAGES_A_PART))
                if not part:
                    break
                self._send(part)
                under_way += 1
            if not under_way:
                return
            yield from self._receive()
            under_way -= 1

    def _send(self, part: Any) -> None:
        try:
            self.pipe.send(part)
        except OSError:
            """It has ended; what it said last is still to be received."""

    def _receive(self) -> Iterator[bytes]:
        try:
            signatures, failure = self.pipe.recv()
        except (EOFError, OSError):
            signatures, failure = [], ("The process that signs has ended.", "Run again.")
        yield from signatures
        if failure is not None:
            raise TokenError(failure[0], remedy=failure[1])


@dataclass(frozen=True)
class _Server:
    """The other side of the pipe, in the other process."""

    settings: TokenSettings
    lock: Lock
    signing_function: SigningFunction
    pipe: Connection

    def run(self) -> None:
        """Open the token and sign what comes, until nothing comes any more or the token fails."""
        _close_all_but(self.pipe.fileno())
        try:
            self._serve()
        except CollectionError as error:
            self._tell([], error)
        except (EOFError, OSError):
            """Whoever asked has gone."""

    def _serve(self) -> None:
        label, key_info, pss = self.pipe.recv()
        with signing_keys(replace(self.settings, give_up=self._give_up), lock=self.lock) as keys:
            sign = self.signing_function(keys(label, serialization.load_der_public_key(key_info)), pss=pss)
            self._tell([], None)
            parts: SimpleQueue[list[bytes] | None] = SimpleQueue()
            threading.Thread(target=self._listen, args=(parts,), daemon=True).start()
            failed = False
            while not failed:
                part = parts.get()
                if part is None:
                    return
                failed = self._sign_part(sign, part)

    def _listen(self, parts: SimpleQueue[list[bytes] | None]) -> None:
        """Take parts from the pipe all the time: with both sides writing into full pipes, neither would go on."""
        try:
            while True:
                parts.put(self.pipe.recv())
        except (EOFError, OSError):
            parts.put(None)

    def _sign_part(self, sign: Callable[[bytes], bytes], part: list[bytes]) -> bool:
        """Sign a part, or as much as the token does; whether it failed."""
        signatures: list[bytes] = []
        try:
            for message in part:
                signatures.append(sign(message))  # noqa: PERF401 - those before an error count
        except CollectionError as error:
            self._tell(signatures, error)
            return True
        self._tell(signatures, None)
        return False

    def _tell(self, signatures: list[bytes], error: CollectionError | None) -> None:
        self.pipe.send((signatures, None if error is None else (error.message, error.remedy)))

    def _give_up(self, message: str) -> NoReturn:
        self.pipe.send(([], (message, "")))
        os._exit(1)


def _close_all_but(descriptor: int) -> None:
    """Let go of files and locks of the process that this one was made from."""
    os.closerange(_FIRST_OWN_DESCRIPTOR, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
