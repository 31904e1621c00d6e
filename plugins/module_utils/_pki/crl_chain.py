# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRLs of the authorities above ours: published with our own, watched, and never signed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import split_crls
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import CrlFacts, load_crl

SOON = timedelta(days=30)
LAST_PART = 3


@dataclass(frozen=True)
class ChainCrl:
    """A CRL of an authority above ours."""

    der: bytes
    facts: CrlFacts


def read_chain_crls(texts: Iterable[str]) -> tuple[ChainCrl, ...]:
    """The newest CRL of every issuer in some PEM texts, in their order.

    :param texts: As the store keeps them; whoever stored them has verified them.
    """
    newest: dict[tuple[str, str], ChainCrl] = {}
    for text in texts:
        for der in split_crls(text.encode("ascii")):
            crl = ChainCrl(der, load_crl(der))
            issuer = (crl.facts.issuer, crl.facts.authority_key_identifier)
            known = newest.setdefault(issuer, crl)
            if _age(crl.facts) > _age(known.facts):
                newest[issuer] = crl
    return tuple(newest.values())


def _age(facts: CrlFacts) -> tuple[int, datetime]:
    return facts.number or 0, facts.this_update


def warnings_of(crls: Iterable[ChainCrl], *, now: datetime) -> list[str]:
    """A sentence for each that ends within thirty days, or is in the last third of its time."""
    return [_warning(crl.facts, now) for crl in crls if _ends_soon(crl.facts, now)]


def _ends_soon(facts: CrlFacts, now: datetime) -> bool:
    end = facts.next_update
    return end is not None and end - now < max(SOON, (end - facts.this_update) / LAST_PART)


def _warning(facts: CrlFacts, now: datetime) -> str:
    end = facts.next_update or now
    state = f"ends in {(end - now).days} days, at {end.isoformat()}" if end > now else f"ended at {end.isoformat()}"
    return (
        f"The CRL of '{facts.issuer}', which is above the authority, {state}. From then on gateways refuse everybody. "
        "Have the operator of that authority sign a new one, and give it to pki_authority."
    )
