# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to be removed, read from what an administrator typed and checked as a whole before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown, split_names
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import (
    SEPARATOR,
    common_name,
    parse_user_name,
    split_common_name,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import MOST_PROBLEMS, REASONS


@dataclass(frozen=True)
class RemovalWishes:
    """Users who lose every device, and single devices of other users.

    :param users: Names, in order and each once.
    :param common_names: Those of single devices, likewise; none of a user who is removed as a whole.
    :param reason: For the CRL (RFC 5280); empty for the one that goes without saying.
    """

    users: tuple[str, ...]
    common_names: tuple[str, ...]
    reason: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Users and devices, as an administrator writes them."""
        return (*self.users, *self.common_names)

    def as_dict(self) -> dict[str, Any]:
        """In plain types, for a playbook."""
        return {
            "users": list(self.users),
            "common_names": list(self.common_names),
            "subjects": list(self.subjects),
            "pki_users": self._pki_users(),
            "reason": self.reason,
        }

    def _pki_users(self) -> list[dict[str, Any]]:
        """The option ``users`` of ``pki_users``."""
        why = {"reason": self.reason} if self.reason else {}
        devices: dict[str, list[dict[str, str]]] = {}
        for name in self.common_names:
            user, device = split_common_name(name)
            devices.setdefault(user, []).append({"name": device})
        return [
            *({"name": user, "state": "absent", **why} for user in self.users),
            *({"name": user, "state": "absent", "devices": listed, **why} for user, listed in devices.items()),
        ]


def parse_removal_wishes(*, names: Sequence[str] | str, user: str, device: str, reason: str) -> RemovalWishes:
    """Read who is to be removed.

    :param names: ``USER`` or ``USER@DEVICE`` each; as one text with commas, blanks or line breaks between them.
    :param user: One user, in place of ``names``.
    :param device: The only device of ``user`` that it is about; empty for all.
    :raises InputError: naming everything that cannot be accepted.
    """
    subjects, problems = split_names(names), list[str]()
    if subjects and (user or device):
        problems.append("Give user_names, or user_name with or without user_device, and not both.")
    elif not subjects:
        subjects = [f"{user}{SEPARATOR}{device}" if device else user]
        problems += _complaints([(user, device)])
    else:
        problems += _complaints(_halves(subjects))
    if reason and reason not in REASONS:
        problems.append(f"There is no reason '{shown(reason)}' (there are {', '.join(REASONS)}).")
    if problems:
        more = len(problems) - MOST_PROBLEMS
        shortened = [*problems[:MOST_PROBLEMS], *([f"And {more} more."] if more > 0 else [])]
        raise InputError(" ".join(dict.fromkeys(shortened)), remedy="Nothing was changed.")
    whole = tuple(dict.fromkeys(name for name in subjects if SEPARATOR not in name))
    devices = (name for name in subjects if SEPARATOR in name and split_common_name(name).user not in whole)
    return RemovalWishes(whole, tuple(dict.fromkeys(devices)), reason)


def _halves(subjects: Iterable[str]) -> list[tuple[str, str]]:
    pairs = (subject.partition(SEPARATOR) for subject in subjects)
    # A device that is empty after the sign was meant to be one.
    return [(user, (device or " ") if separator else "") for user, separator, device in pairs]


def _complaints(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [complaint for user, device in pairs for complaint in _complain(user, device)]


def _complain(user: str, device: str) -> list[str]:
    try:
        common_name(user, device) if device else parse_user_name(user)
    except InputError as error:
        return [str(error)]
    return []
