# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service behind one-time links, without HTTP: questions in, answers out, and links that are over erased."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_spool import Kept, Spool
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.limits import (
    Limits,
    journal_names,
    name_visitor,
    parse_journal,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.links import (
    LONGEST_SECONDS,
    Entry,
    digest_claim,
    is_over,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.messages import (
    NOT_UNDERSTOOD,
    UNKNOWN,
    Answer,
    Question,
    parse_question,
    too_often,
    unavailable,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.settings import PortalSettings


class Portal:
    """Answers pages. Several threads may ask at once; what decides between them is one rename.

    :param clock: Seconds since 1970.
    :param ticks: Seconds that nobody sets back.
    """

    def __init__(self, settings: PortalSettings, *, clock: Callable[[], float], ticks: Callable[[], float]) -> None:
        self.settings = settings
        self.spool = Spool(Path(settings.folder))
        self._clock, self._ticks = clock, ticks
        self._limits = Limits(per_visitor=settings.wrong_per_visitor, in_all=settings.wrong_in_all)
        self._counting = threading.Lock()
        self._work = {"look": self._look, "claim": self._claim, "done": self._done}

    def answer(self, action: str, content: bytes, visitor: str) -> Answer:
        """What a page is answered.

        :param action: ``look``, ``claim`` or ``done``.
        :param visitor: By what the visitor is counted, or nothing.
        """
        try:
            given = self._work[action](parse_question(content, with_claim=action != "look"))
        except InputError:
            given = NOT_UNDERSTOOD
        except StateError as error:
            given = Answer(UNKNOWN.status, UNKNOWN.body, news=str(error))
        except CollectionError as error:
            return unavailable(str(error))
        if given.status == NOT_UNDERSTOOD.status or given == UNKNOWN:
            with self._counting:
                wait = self._limits.count_wrong(visitor, now=self._ticks())
            return too_often(wait) if wait else given
        return given

    def find_visitor(self, address: str, port: str) -> str:
        """By what a visitor is counted; behind OpenVPN's port sharing its journal tells whose connection this is."""
        if self.settings.journal_folder:
            for name in journal_names(address, port):
                try:
                    content = read_optional(Path(self.settings.journal_folder, name))
                except FileError:
                    continue
                if content is not None:
                    return name_visitor(parse_journal(content.decode("ascii", "replace")))
        return name_visitor(address)

    def sweep(self) -> list[str]:
        """Erase every link that is over, and what was never finished; a line for each link and each failure.

        :raises FileError: the folder cannot be read.
        """
        now = self._clock()
        lines = []
        for name in self.spool.unfinished(now=now):
            lines += self._try_to_erase(name)
        for entry in self.spool.entries():
            lines += self._sweep_one(entry, now)
        return lines

    def _sweep_one(self, entry: Entry, now: float) -> list[str]:
        try:
            kept = self.spool.read(entry)
        except FileError as error:
            return [str(error)]
        except StateError:
            # A later version may understand it, as long as it can be a link.
            old = self.spool.age(entry.name, now=now) > LONGEST_SECONDS
            return self._try_to_erase(entry.name) if old else []
        if kept is None or not self._is_over(kept, now):
            return []
        failed = self._try_to_erase(entry.name)
        why = "was fetched and not confirmed" if entry.claim else "was not fetched in time"
        return failed or [f"the link of {kept.link.subject} {why}, and is erased"]

    def _try_to_erase(self, name: str) -> list[str]:
        try:
            self.spool.erase([name])
        except FileError as error:
            return [str(error)]
        return []

    def _is_over(self, kept: Kept, now: float) -> bool:
        return is_over(kept.entry, kept.link, touched=kept.touched, now=now, retry_seconds=self.settings.retry_seconds)

    def _find(self, question: Question) -> Kept | None:
        """The link, waiting or claimed by the one who asks; never one that is over."""
        kept = self.spool.read(Entry(question.id))
        if kept is None and question.claim:
            kept = self.spool.read(Entry(question.id, digest_claim(question.claim)))
        return None if kept is None or self._is_over(kept, self._clock()) else kept

    def _look(self, question: Question) -> Answer:
        kept = self._find(question)
        if kept is None:
            return UNKNOWN
        link = kept.link
        told = {"user": link.user, "device": link.device, "expires": link.expires, "extras": link.extras}
        return Answer(200, {**told, "claimed": bool(kept.entry.claim)})

    def _claim(self, question: Question) -> Answer:
        kept = self._find(question)
        if kept is None:
            return UNKNOWN
        if kept.entry.claim:
            return Answer(200, {"sealed": kept.link.sealed}, news=f"{kept.link.subject} fetches the profile again")
        if self.spool.claim(kept.entry, digest_claim(question.claim), now=self._clock()) is None:
            # Somebody was faster: another page, or another request of this one.
            kept = self._find(question)
            return UNKNOWN if kept is None or not kept.entry.claim else Answer(200, {"sealed": kept.link.sealed})
        return Answer(200, {"sealed": kept.link.sealed}, news=f"{kept.link.subject} fetches the profile")

    def _done(self, question: Question) -> Answer:
        kept = self._find(question)
        if kept is None or not kept.entry.claim:
            return UNKNOWN
        self.spool.erase([kept.entry.name])
        return Answer(200, {"erased": True}, news=f"{kept.link.subject} has the profile; the link is erased")
