# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key in a token that nothing but its label tells of: no store knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.keys import prove_pair
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Lock, TokenSettings, open_token


@dataclass(frozen=True)
class LabelledKey:
    """A key by its label.

    :param settings: Gives the settings of the token; called when it is opened, since that is when the PIN is read.
    :param lock: As for ``open_token``.
    """

    settings: Callable[[], TokenSettings]
    label: str
    lock: Lock

    @contextmanager
    def unlocked(self, public_key: Any = None) -> Iterator[Any]:
        """The private key for the time of the block, proven to sign for its public half.

        :param public_key: The public half that it must have; without it, the one that the token keeps.
        :raises StateError: the token has no such key, or another one.
        :raises TokenError: the token or its PIN are wrong.
        """
        with open_token(self.settings(), lock=self.lock) as token:
            key = token.get_key(self.label, public_key=public_key)
            if public_key is None:
                prove_pair(key.public_key(), key)
            yield key

    def public_half(self) -> Any:
        """The public half, seen without a login; ``None`` where there is none or the token hides it."""
        with open_token(self.settings(), lock=self.lock, login=False) as token:
            return token.find_public_key(self.label)
