# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several authorities at once: which certificates everybody has to trust while one takes over from another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import encode_pem, split_certificates


class Trusted(Protocol):
    """An authority that has to be trusted: its certificate (DER), and the PEM of those above it."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> str: ...


def trust_chain(authorities: Iterable[Trusted]) -> str:
    """The PEM of the certificates of authorities, then of those above them, each once."""
    listed = tuple(authorities)
    own = [encode_pem(authority.certificate) for authority in listed if authority.certificate]
    above = [block for authority in listed for block in split_certificates(authority.chain)]
    return "".join(dict.fromkeys([*own, *above]))
