# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to set up an authority, to let it take over from another, to retire it: from values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import (
    fingerprint,
    require_single_line,
    shown,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import pem_contents

ESTABLISH, REQUEST, ACCEPT, TAKE_OVER, RETIRE = "establish", "request", "accept", "take_over", "retire"
CRL_VALIDITY, SETTINGS, CHAIN_CRLS = "crl_validity", "settings", "chain_crls"
SERVER_KEY, SERVER_KEY_MODE = "server_key", "server_key_mode"
LONGEST_COMMON_NAME = 64
INTENDED, REQUESTED, STANDBY, ACTIVE = "intended", "requested", "standby", "active"
RETIRING, RETIRED = "retiring", "retired"
SECRET_MODE = 0o600
NAME_CONSTRAINTS = "permitted_dns"


class KnownAuthority(Protocol):
    """An authority as the store keeps it; without a certificate it is only intended or requested."""

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

    @property
    def replaces(self) -> str: ...

    @property
    def chain_crls(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class WantedAuthority:
    """An authority as an administrator asks for it.

    :param label: The label of its key in the token.
    :param server_key: Whether there has to be a tls-crypt-v2 server key.
    :param state: ``active``, ``standby`` or ``retired``.
    :param replaces: The label of the authority that it takes over from; empty for the first one.
    :param offline_root: Whether another authority signs its certificate, for which it makes a CSR.
    :param chain: PEM of its certificate and of those above it; empty while there is none.
    :param chain_crls: PEM of the CRLs of the authorities above it.
    :param settings: What certificates hold besides: ``rsa_pss``, ``crl_urls``, ``issuer_urls``, and ``permitted_dns``
        for its own one.
    """

    label: str
    common_name: str
    algorithm: str
    validity_days: int
    crl_validity_days: int
    server_key: bool = False
    state: str = ACTIVE
    replaces: str = ""
    offline_root: bool = False
    chain: str = ""
    chain_crls: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what no certificate can hold, and options that contradict each other.

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
        if self.replaces == self.label:
            raise InputError("An authority cannot replace itself.", remedy="Give another 'hsm_key_label'.")
        if self.settings.get("rsa_pss") and not self.algorithm.startswith("rsa-"):
            raise InputError(f"The option 'rsa_pss' is for RSA keys, not for {self.algorithm}.")
        if (self.chain or self.chain_crls) and not self.offline_root:
            raise InputError("A chain is for an authority below an offline root.", remedy="Set 'offline_root: true'.")


def plan_authority(
    wanted: WantedAuthority,
    known: Sequence[KnownAuthority],
    *,
    server_key_mode: int | None,
    usable: int = 0,
) -> Change[str]:
    """Compare the authority that is wanted with those that there are.

    :param known: Every authority of the store.
    :param server_key_mode: The permission bits of the tls-crypt-v2 server key; ``None`` where it is missing.
    :param usable: How many certificates of the one that is to retire are neither revoked nor expired.
    :raises InputError: what is asked for makes no sense for what there is.
    :raises StateError: it is there with another name or algorithm, or the store belongs to another authority.
    """
    mine = next((authority for authority in known if authority.label == wanted.label), None)
    steps = [*_life(wanted, mine, known, usable=usable), *_settings(wanted, mine, known)]
    if wanted.server_key and server_key_mode != SECRET_MODE and wanted.state != RETIRED:
        steps.append(SERVER_KEY if server_key_mode is None else SERVER_KEY_MODE)
    before = _facts(mine, server_key_mode, wanted=wanted)
    after = _facts_after(wanted, before, steps) if steps else before
    return Change(before, after, tuple(steps))


def _life(
    wanted: WantedAuthority, mine: KnownAuthority | None, known: Sequence[KnownAuthority], *, usable: int
) -> list[str]:
    """The steps from one state of an authority to another."""
    if mine is None or mine.state == INTENDED:
        _require_place(wanted, known)
        if wanted.offline_root:
            return [REQUEST]
        return [ESTABLISH, *_taking_over(wanted)]
    _require_same(wanted, mine)
    if wanted.state == RETIRED:
        return _retire(mine, usable=usable)
    if mine.state == REQUESTED:
        return [ACCEPT, *_taking_over(wanted)] if wanted.chain else []
    if wanted.state == ACTIVE:
        return [TAKE_OVER] if mine.state == STANDBY else []
    if mine.state != STANDBY:
        raise StateError(f"The authority '{mine.label}' is {mine.state} and cannot stand by.")
    return []


def _taking_over(wanted: WantedAuthority) -> list[str]:
    return [TAKE_OVER] if wanted.replaces and wanted.state == ACTIVE else []


def _require_place(wanted: WantedAuthority, known: Sequence[KnownAuthority]) -> None:
    """Refuse a new authority that would stand beside another one, or take over from none."""
    if wanted.state == RETIRED:
        raise StateError(f"The store knows no authority with the key label '{wanted.label}' that could retire.")
    if wanted.chain:
        raise InputError(
            f"There is a chain for '{wanted.label}', and no request was made for it.",
            remedy="Run once without 'chain_content', and let the offline root sign the 'csr' that it returns.",
        )
    others = [authority for authority in known if authority.label != wanted.label]
    active = [authority.label for authority in others if authority.state == ACTIVE]
    if wanted.replaces and wanted.replaces not in active:
        raise StateError(
            f"'{shown(wanted.replaces)}' is not the authority that issues now ({_listed(active)} does).",
            remedy="Correct 'replaces'.",
        )
    in_the_way = [each.label for each in others if each.state in (REQUESTED, STANDBY)]
    if not wanted.replaces:
        in_the_way = active + in_the_way
    if in_the_way:
        raise StateError(
            f"The store already belongs to the authority with the key label '{in_the_way[0]}'.",
            remedy="Correct 'hsm_key_label', or give another store. 'replaces' lets a new authority take over from the "
            "active one.",
        )
    if wanted.state == STANDBY and not wanted.replaces:
        raise InputError("The first authority cannot stand by: nobody would issue.", remedy="Set 'state: active'.")
    if any(authority.common_name == wanted.common_name for authority in others):
        raise InputError(
            f"There is an authority with the common_name '{shown(wanted.common_name)}' already.",
            remedy="Give another one: programs look for an issuer by its name, and would find two.",
        )


def _retire(mine: KnownAuthority, *, usable: int) -> list[str]:
    if mine.state == RETIRED:
        return []
    if mine.state == ACTIVE:
        raise StateError(
            f"The authority '{mine.label}' is the one that issues.", remedy="Let another one take over first."
        )
    if usable:
        raise StateError(
            f"{usable} certificates of the authority '{mine.label}' can still be used: their owners would be locked "
            "out.",
            remedy="Renew what is in use (pki_users with 'renew_retiring', the playbook site for gateways), and wait "
            "for the old ones to expire, or revoke them.",
        )
    return [RETIRE]


def _settings(wanted: WantedAuthority, mine: KnownAuthority | None, known: Sequence[KnownAuthority]) -> list[str]:
    """What can be changed of an authority that lives; one that retires leaves it to the one that took over."""
    if mine is None or mine.state == INTENDED or wanted.state == RETIRED:
        return []
    target = mine
    if mine.state in (RETIRING, RETIRED):
        target = next((authority for authority in known if authority.state == ACTIVE), mine)
    steps = [CRL_VALIDITY] if target.crl_validity_days != wanted.crl_validity_days else []
    if dict(target.settings) != {**target.settings, **_changeable(wanted.settings)}:
        steps.append(SETTINGS)
    is_new = pem_contents(mine.chain_crls) != pem_contents(wanted.chain_crls)
    if wanted.chain_crls and mine.state != REQUESTED and is_new:
        steps.append(CHAIN_CRLS)
    return steps


def _changeable(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in settings if name != NAME_CONSTRAINTS}


def merged_settings(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an authority that lives, changed to those that are wanted; its own certificate stays as it is."""
    return {**known, **_changeable(wanted)}


def _require_same(wanted: WantedAuthority, known: KnownAuthority) -> None:
    facts = {
        "common_name": (known.common_name, wanted.common_name),
        "algorithm": (known.algorithm, wanted.algorithm),
        NAME_CONSTRAINTS: (
            _listed(known.settings.get(NAME_CONSTRAINTS, ())),
            _listed(wanted.settings.get(NAME_CONSTRAINTS, ())),
        ),
    }
    for option, (have, want) in facts.items():
        if have != want and wanted.state != RETIRED:
            raise StateError(
                f"The authority '{known.label}' has the {option} '{shown(have)}', not '{shown(want)}'.",
                remedy=f"Correct '{option}'. An authority keeps it as long as it lives.",
            )


def _shown_crls(pem: str) -> str:
    return fingerprint("\n".join(pem_contents(pem)).encode())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _facts(mine: KnownAuthority | None, server_key_mode: int | None, *, wanted: WantedAuthority) -> dict[str, Any]:
    facts: dict[str, Any] = {"authority": "absent"}
    if mine is not None and mine.state != INTENDED:
        facts = {
            "authority": mine.common_name,
            "state": mine.state,
            "algorithm": mine.algorithm,
            "crl_validity_days": mine.crl_validity_days,
            "settings": dict(mine.settings),
            "chain_crls": _shown_crls(mine.chain_crls) if mine.chain_crls else "none",
        }
    if wanted.server_key:
        facts["tls_crypt_v2_server_key"] = "absent" if server_key_mode is None else f"mode {server_key_mode:04o}"
    return facts


def _facts_after(wanted: WantedAuthority, before: Mapping[str, Any], steps: Sequence[str]) -> dict[str, Any]:
    if RETIRE in steps:
        return {**before, "state": RETIRED}
    states = {ESTABLISH: STANDBY if wanted.state == STANDBY else ACTIVE, REQUEST: REQUESTED, TAKE_OVER: ACTIVE}
    states[ACCEPT] = states[ESTABLISH]
    found = [states[step] for step in steps if step in states]
    facts = {
        **before,
        "authority": wanted.common_name,
        "state": found[-1] if found else before.get("state"),
        "algorithm": wanted.algorithm,
        "crl_validity_days": wanted.crl_validity_days,
        "settings": {**before.get("settings", {}), **wanted.settings},
    }
    if wanted.chain_crls and {ACCEPT, CHAIN_CRLS} & set(steps):
        facts["chain_crls"] = _shown_crls(wanted.chain_crls)
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
