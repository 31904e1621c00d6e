# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to set up an authority: decided from values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

ESTABLISH, CRL_VALIDITY, SERVER_KEY, SERVER_KEY_MODE = "establish", "crl_validity", "server_key", "server_key_mode"
LONGEST_COMMON_NAME = 64
ACTIVE = "active"
SECRET_MODE = 0o600


class KnownAuthority(Protocol):
    """An authority as the store keeps it; without a certificate it is only intended."""

    @property
    def label(self) -> str: ...

    @property
    def common_name(self) -> str: ...

    @property
    def algorithm(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def crl_validity_days(self) -> int: ...

    @property
    def not_after(self) -> datetime | None: ...


@dataclass(frozen=True)
class WantedAuthority:
    """An authority as an administrator asks for it.

    :param label: The label of its key in the token.
    :param server_key: Whether there has to be a tls-crypt-v2 server key.
    """

    label: str
    common_name: str
    algorithm: str
    validity_days: int
    crl_validity_days: int
    server_key: bool = False

    def check(self) -> None:
        """Refuse what no certificate can hold.

        :raises InputError: naming the option.
        """
        require_single_line(self.common_name, what="The option 'common_name'")
        if not 0 < len(self.common_name.strip()) <= len(self.common_name) <= LONGEST_COMMON_NAME:
            raise InputError(
                f"The option 'common_name' is '{shown(self.common_name)}'; it must have 1 to {LONGEST_COMMON_NAME} "
                "characters, not only spaces."
            )
        for option in ("validity_days", "crl_validity_days"):
            if getattr(self, option) < 1:
                raise InputError(f"The option '{option}' must be 1 or more.")


def plan_authority(
    wanted: WantedAuthority, known: KnownAuthority | None, *, server_key_mode: int | None, others: tuple[str, ...] = ()
) -> Change[str]:
    """Compare the authority that is wanted with the one that there is.

    :param known: The authority with the key label that is wanted.
    :param server_key_mode: The permission bits of the tls-crypt-v2 server key; ``None`` where it is missing.
    :param others: Key labels of the other authorities that the store knows.
    :raises StateError: it is there with another name or algorithm, or the store belongs to another authority.
    """
    active = known is not None and known.state == ACTIVE
    if known is not None and active:
        _require_same(wanted, known)
    elif others:
        raise StateError(
            f"The store already belongs to the authority with the key label '{others[0]}'.",
            remedy="Correct 'hsm_key_label', or give another store.",
        )
    steps = [] if active else [ESTABLISH]
    if known is not None and active and known.crl_validity_days != wanted.crl_validity_days:
        steps.append(CRL_VALIDITY)
    if wanted.server_key and server_key_mode != SECRET_MODE:
        steps.append(SERVER_KEY if server_key_mode is None else SERVER_KEY_MODE)
    before = _facts(known if active else None, server_key_mode, wanted=wanted)
    after = before if not steps else _facts_after(wanted)
    return Change(before, after, tuple(steps))


def _require_same(wanted: WantedAuthority, known: KnownAuthority) -> None:
    for option in ("common_name", "algorithm"):
        have, want = getattr(known, option), getattr(wanted, option)
        if have != want:
            raise StateError(
                f"The authority '{known.label}' has the {option} '{shown(have)}', not '{shown(want)}'.",
                remedy=f"Correct '{option}'. An authority keeps it as long as it lives.",
            )


def _facts(known: KnownAuthority | None, server_key_mode: int | None, *, wanted: WantedAuthority) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"authority": "absent"}
    if known is not None:
        facts = {
            "authority": known.common_name,
            "algorithm": known.algorithm,
            "crl_validity_days": known.crl_validity_days,
        }
    if wanted.server_key:
        facts["tls_crypt_v2_server_key"] = "absent" if server_key_mode is None else f"mode {server_key_mode:04o}"
    return facts


def _facts_after(wanted: WantedAuthority) -> Mapping[str, Any]:
    facts: dict[str, Any] = {
        "authority": wanted.common_name,
        "algorithm": wanted.algorithm,
        "crl_validity_days": wanted.crl_validity_days,
    }
    if wanted.server_key:
        facts["tls_crypt_v2_server_key"] = f"mode {SECRET_MODE:04o}"
    return facts


def require_key_may_be_used(label: str, *, in_token: bool, intended: bool, adopt: bool) -> None:
    """Refuse a key that is in the token though the store knows nothing of it.

    :param in_token: Whether the token has a key of that label.
    :param intended: Whether the store has the intention of making it, from a run that broke off.
    :param adopt: Whether the administrator says that it is to be used.
    :raises StateError: the store was lost, or the key belongs to something else.
    """
    if in_token and not intended and not adopt:
        raise StateError(
            f"The token already has a key '{label}', and the store knows no authority that it belongs to.",
            remedy="If the store was lost, restore it from its backup: a new one would forget every revocation. "
            "If the key is new and meant for this authority, set 'adopt_key: true'.",
        )


def require_algorithm(wanted: WantedAuthority, *, found: str) -> None:
    """Refuse a key of another kind than the one that is wanted.

    :param found: The algorithm of the key in the token.
    :raises StateError: it is another one.
    """
    if found != wanted.algorithm:
        raise StateError(
            f"The key '{wanted.label}' in the token is of the kind {found}, not {wanted.algorithm}.",
            remedy="Correct 'algorithm', or choose another label.",
        )
