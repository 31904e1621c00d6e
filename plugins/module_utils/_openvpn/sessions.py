# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions belong to whom: decided from values alone, without a look at any server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

SessionKey = tuple[str, int, str]
# Tells of a session and its owner's common name whether it has to end.
Judge = Callable[[Session, str], bool]


@dataclass(frozen=True)
class Selection:
    """The sessions of one listener, sorted by what a removal has to do with them.

    :param doomed: Sessions to be ended: those of the removed names, and unnamed ones that still carry data.
    :param pending: Sessions in their handshake: nobody can say yet whose they are.
    """

    doomed: tuple[Session, ...]
    pending: tuple[Session, ...]


def remember(sessions: Iterable[Session]) -> dict[SessionKey, str]:
    """Who each session belonged to when its server still knew."""
    return {session.key: session.common_name for session in sessions if session.named}


def owner_of(session: Session, remembered: Mapping[SessionKey, str]) -> str | None:
    """The common name of a session: the one it shows, else the one it showed earlier, else ``None``."""
    return session.common_name if session.named else remembered.get(session.key)


def select_sessions(
    sessions: Iterable[Session],
    *,
    names: AbstractSet[str],
    remembered: Mapping[SessionKey, str],
    cut_unnamed: bool,
    judge: Judge | None = None,
    awaits_record: bool = False,
) -> Selection:
    """Sort the sessions of a status by whole common names: ``al`` is not ``alice``.

    :param names: The common names to be removed.
    :param remembered: From :func:`remember`, for sessions whose name was lost since.
    :param cut_unnamed: Whether an established session without a name, now or earlier, is to be ended too. Such a
        session was refused at its last renegotiation and lives on its old key; an honest client simply connects again.
    :param judge: Finds more that are to be removed, where they are not known by name: everybody but some.
    :param awaits_record: Whether the judge goes by what is recorded of a session once it is established: until then one
        that it does not condemn is undecided, although its name is known.
    """
    doomed, pending = [], []
    for session in sessions:
        owner = owner_of(session, remembered)
        if owner is not None:
            if owner in names or (judge is not None and judge(session, owner)):
                doomed.append(session)
            elif awaits_record and not session.established:
                pending.append(session)
        elif not session.established:
            pending.append(session)
        elif cut_unnamed and (names or judge is not None):
            doomed.append(session)
    return Selection(tuple(doomed), tuple(pending))
