# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CAs the owner of a name lets sign for it (RFC 8659)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KNOWN_TAGS = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})
CRITICAL = 128


@dataclass(frozen=True)
class CaaRecord:
    """One record."""

    flags: int
    tag: str
    value: str

    @property
    def who(self) -> str:
        """The CA that it names; empty where it names none, which allows nobody."""
        return self.value.partition(";")[0].strip().lower()

    @property
    def parameters(self) -> dict[str, str]:
        """What it says besides, by name."""
        rows = [one.partition("=") for one in self.value.split(";")[1:]]
        return {name.strip().lower(): value.strip() for name, _equals, value in rows if name.strip()}


@dataclass(frozen=True)
class CaaVerdict:
    """What the records mean for us.

    :param refused: Why the CA would refuse; empty where it would not, as far as is known.
    :param hint: What is worth doing, with the record; empty where all is well.
    """

    refused: str = ""
    hint: str = ""


def judge_caa(
    name: str, records: Sequence[CaaRecord], *, owner: str, identity: str, challenge: str, zone: str = ""
) -> CaaVerdict:
    """Whether the CA may sign for a name.

    :param records: The closest set, that of the name or of a parent; empty where there is none.
    :param owner: Whose set that is.
    :param identity: What CAA records call the CA; empty where nobody knows.
    :param zone: Where a record is best added.
    """
    if not records:
        if not identity:
            return CaaVerdict(hint=f"{name} has no CAA record, so any CA may sign for it.")
        where = zone or name
        return CaaVerdict(
            hint=f'{name} has no CAA record, so any CA may sign for it. Add: {where}. CAA 0 issue "{identity}"'
        )
    strange = [one.tag for one in records if one.flags & CRITICAL and one.tag.lower() not in KNOWN_TAGS]
    if strange:
        return CaaVerdict(refused=f"The CAA record of {owner} has the critical tag '{strange[0]}', which no CA knows.")
    issue = [one for one in records if one.tag.lower() == "issue"]
    wild = [one for one in records if one.tag.lower() == "issuewild"]
    rules = (wild or issue) if name.startswith("*.") else issue
    if not rules:
        return CaaVerdict()
    if not identity:
        told = ", ".join(one.who or "nobody" for one in rules)
        return CaaVerdict(hint=f"The CAA record of {owner} allows {told}; set acme_caa_identity to have it compared.")
    ours = [one for one in rules if one.who == identity]
    if not ours:
        told = ", ".join(sorted({one.who or "nobody" for one in rules}))
        return CaaVerdict(refused=f'The CAA record of {owner} allows {told}. Add: {owner}. CAA 0 issue "{identity}"')
    methods = [one.parameters.get("validationmethods") for one in ours]
    if all(one is not None and challenge not in [word.strip() for word in one.split(",")] for one in methods):
        return CaaVerdict(refused=f"The CAA record of {owner} does not allow validation by {challenge}.")
    return CaaVerdict()
