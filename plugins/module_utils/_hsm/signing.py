# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of authorities that are already known, ready to sign."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import (
    Lock,
    Token,
    TokenSettings,
    open_token,
)

# The private key of a label, given the public key in the certificate of its authority.
SigningKeys = Callable[[str, Any], Any]


@contextmanager
def signing_keys(settings: TokenSettings, *, lock: Lock) -> Iterator[SigningKeys]:
    """One login for the time of the block, and a function that gives keys which are proven to fit their certificates.

    :param lock: As for ``open_token``.
    :raises TokenError: the token or its PIN are wrong.
    """
    with open_token(settings, lock=lock) as token:
        yield lambda label, public_key: _signing_key(token, settings, label=label, public_key=public_key)


def _signing_key(token: Token, settings: TokenSettings, *, label: str, public_key: Any) -> Any:
    """The private key of an authority.

    :raises StateError: the token has no such key, or another one under its label.
    """
    key = token.find_key(label, public_key=public_key)
    if key is None:
        raise StateError(
            f"The token '{settings.token}' has no key '{label}', though the store knows the authority of that key.",
            remedy="Restore the token from its backup, or correct 'hsm_token' and 'hsm_key_label'. "
            "A new key is not made, since nothing that was issued would verify any more.",
        )
    return key
