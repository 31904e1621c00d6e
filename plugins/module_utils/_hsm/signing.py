# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of an authority that is already known, ready to sign."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Lock, TokenSettings, open_token


@contextmanager
def signing_key(settings: TokenSettings, *, label: str, public_key: Any, lock: Lock) -> Iterator[Any]:
    """The private key of an authority, proven to belong to its certificate, for the time of the block.

    :param public_key: The key in the authority's certificate.
    :param lock: As for ``open_token``.
    :raises StateError: the token has no such key, or another one under its label.
    :raises TokenError: the token or its PIN are wrong.
    """
    with open_token(settings, lock=lock) as token:
        key = token.find_key(label, public_key=public_key)
        if key is None:
            raise StateError(
                f"The token '{settings.token}' has no key '{label}', though the store knows the authority of that key.",
                remedy="Restore the token from its backup, or correct 'hsm_token' and 'hsm_key_label'. "
                "A new key is not made, since nothing that was issued would verify any more.",
            )
        yield key
