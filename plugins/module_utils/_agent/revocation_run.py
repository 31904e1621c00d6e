# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the program by which a gateway follows the CRL: fetch, judge, put in place, cut, prove, lift.

Whatever was begun and not finished is seen in the next run: what is in place is compared with what was enforced last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.crl_place import LOCK, CrlPlace
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    add_entries,
    read_denials,
    read_group,
    remove_entries,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.session_records import (
    SessionRecords,
    keep_enforced,
    lists_more,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import BusyError, CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError, read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import WebError, download
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import processes, removal
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import FutureError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import (
    Answer,
    Pull,
    State,
    conclude,
    is_expiry_denied,
    known_etag,
    read_answer,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull_settings import PullSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import CrlFile
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_serials import all_serials
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import EXPIRED, Denials, Entry
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.management import open_management
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

# The management socket takes one client at a time, and a removal comes first.
PATIENCE_SECONDS = 5.0
CUT_SECONDS = 15.0
CLOCK_SECONDS = 5.0
# A download may be slow, but not stand still.
STALL_SECONDS = 10.0
# At the start of the system the network may not be there at once.
TRY_AGAIN_SECONDS = 0.5


@dataclass
class Findings:
    """What a run finds out on its way.

    :param refused: What was offered and must not come into place.
    :param silent: Who did not answer; ``failed`` what kept a good one from coming into place.
    :param problems: What else is wrong.
    :param told: What was done, for the journal.
    """

    refused: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


class Revocation:
    """One run.

    :param memory: A file of its own, in which it keeps what it has enforced.
    :param at_boot: Whether OpenVPN waits for it: it is over soon, then, and tries as often as it can meanwhile.
    """

    def __init__(self, settings: PullSettings, last: State, *, memory: Path, now: float, at_boot: bool = False) -> None:
        self.settings = settings
        self.last = last
        self.memory = memory
        self.now = now
        self.at_boot = at_boot
        self.folder = Path(settings.folder)
        self.found = Findings()
        self.kept_out = frozenset[int]()
        self.records = SessionRecords(Path(settings.sessions_folder))
        self.place = CrlPlace(
            crl_path=self.folder / "crl.pem",
            ca_path=self.folder / "ca.crt",
            serial_folder=self.folder / "revoked",
            has_folder=settings.keeps_serials,
            lock_path=Path(settings.lock_path) if settings.lock_path else LOCK,
        )

    def run(self) -> State:
        """Do what is due; the state says what became of it.

        :raises CollectionError: not even what is in place could be read.
        """
        # Before the CRL changes: a session that is refused afterwards loses its name.
        states = self._look()
        pull = self._pull()
        # First its digest: where somebody brings another one right now, the next run enforces that.
        sha256 = self._in_place_sha256()
        crls, complaint = self.place.inspect()
        if complaint:
            self.found.problems.append(f"There is no good CRL in place: {complaint}")
        # A download takes its time. Who was let in meanwhile, by a process that did not answer before, is seen now.
        states = self._look(states)
        enforced = self._enforce(crls, states, is_new=sha256 != self.last.enforced_sha256)
        self._deny_expired(crls)
        return conclude(
            self.last, pull, crls=crls, sha256=sha256, problems=self.found.problems, enforced=enforced,
            unrecorded=self.records.count_missing(one for state in states for one in state.sessions),
            settings=self.settings, now=self.now,
        )  # fmt: skip

    def _look(self, before: tuple[removal.ListenerState, ...] = ()) -> tuple[removal.ListenerState, ...]:
        """Ask every listener that runs now who is connected, besides those that have answered before."""
        running = processes.running_processes()
        self._talk = partial(open_management, timeout_seconds=PATIENCE_SECONDS, is_running=running.__contains__)
        answered = {state.socket: state for state in before if state.state == removal.ANSWERED}
        sockets = processes.find_sockets(self.settings.management_sockets, running)
        others = [socket for socket in sockets if socket not in answered]
        return (*answered.values(), *removal.take_snapshot(others, open_socket=self._talk))

    def _pull(self) -> Pull:
        """Ask the addresses in their order until one offers what is good."""
        seconds = float(self.settings.boot_seconds if self.at_boot else self.settings.download_seconds)
        deadline = time.monotonic() + seconds
        while True:
            found = self.found
            found.refused, found.silent = [], []
            for index, url in enumerate(self.settings.urls):
                share = (deadline - time.monotonic()) / (len(self.settings.urls) - index) if self.at_boot else seconds
                good = self._take(url, seconds=max(share, TRY_AGAIN_SECONDS))
                if good is not None:
                    return replace(
                        good, refused=tuple(found.refused), silent=tuple(found.silent), failed=tuple(found.failed)
                    )
            # What is refused at the start of the system may be good once the clock has been set.
            if not self.at_boot or found.failed or time.monotonic() + TRY_AGAIN_SECONDS > deadline:
                return Pull(refused=tuple(found.refused), silent=tuple(found.silent), failed=tuple(found.failed))
            time.sleep(TRY_AGAIN_SECONDS)

    def _take(self, url: str, *, seconds: float, again: bool = False) -> Pull | None:
        """What an address offers, if that is in place now; else ``None``, and the reason is noted."""
        before, trust = self._in_place_sha256(), fingerprint(self.place.trust().content)
        etag = known_etag(self.last, url, in_place_sha256=before, trust_sha256=trust, now=self.now)
        answer = self._ask(url, etag, seconds=seconds)
        offer = read_answer(answer, is_known=bool(etag))
        if offer.unchanged:
            return Pull(url, answer.etag or etag)
        if offer.content is None:
            (self.found.silent if offer.passing else self.found.refused).append(f"{url}: {offer.problem}.")
            return None
        try:
            self.place.bring(offer.content)
        except (BusyError, FileError) as error:
            self.found.failed.append(str(error))
        except CollectionError as error:
            if not again and self._in_place_sha256() != before:
                # A playbook has brought a newer one since the question.
                return self._take(url, seconds=seconds, again=True)
            self.found.refused.append(f"{url}: {error}")
            if isinstance(error, FutureError):
                self._keep_out(error.crls)
        else:
            return Pull(url, answer.etag, is_fetched=True, trust_sha256=trust)
        return None

    def _keep_out(self, crls: CrlFile) -> None:
        """Have those refused all the same whom a CRL lists that comes from the future, where that is possible.

        With such a CRL in place OpenVPN would refuse everybody; with files of serial numbers nobody looks at a date.
        """
        with self._noting():
            self.kept_out |= self.place.keep_out(crls)
        if not self.place.has_folder and fingerprint(crls.content) != self._in_place_sha256():
            self.found.refused.append("Until the clocks agree, whoever only that CRL lists is let in.")

    def _ask(self, url: str, etag: str, *, seconds: float) -> Answer:
        headers = {"If-None-Match": etag} if etag else {}
        try:
            found = download(
                url,
                seconds=seconds,
                stall_seconds=STALL_SECONDS,
                longest=self.settings.longest_bytes,
                headers=headers,
            )
        except WebError as error:
            return Answer(error=error.message)
        return Answer(found.status, found.etag, found.body)

    def _in_place_sha256(self) -> str:
        content = read_optional(self.place.crl_path)
        return "" if content is None else fingerprint(content)

    def _enforce(self, crls: CrlFile | None, states: tuple[removal.ListenerState, ...], *, is_new: bool) -> bool:
        """Cut whom the CRLs list, if they are new here, and whom somebody has denied, and prove it.

        One that fails does not keep the others from being done.

        :returns: Whether it is proved that nobody is connected whom the CRLs list.
        """
        before = len(self.found.problems)
        denials = Denials()
        revoked = frozenset[int]()
        with self._noting():
            self._have_serial_files(is_new=is_new)
        with self._noting():
            denials = read_denials(self.folder / "denied")
        with self._noting():
            if crls is not None and (is_new or any(entry.serials for entry in denials.entries.values())):
                revoked = all_serials(crl.der() for crl in crls.crls)
            if is_new or denials.somebody:
                self._cut(states, denials, revoked if is_new else frozenset(), is_new=is_new)
        is_proved = crls is not None and len(self.found.problems) == before
        if is_proved:
            with self._noting():
                self._lift(denials, revoked)
        if is_proved and is_new:
            with self._noting():
                keep_enforced(self.memory, revoked)
        return is_proved

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """What goes wrong in the block is a problem of this run, and not its end."""
        try:
            yield
        except CollectionError as error:
            self.found.problems.append(str(error))

    def _have_serial_files(self, *, is_new: bool) -> None:
        folder = self.place.serial_folder
        if (is_new or self.at_boot) if folder.is_dir() else self.place.has_folder:
            self.place.sync_folder(besides=self.kept_out)

    def _cut(
        self,
        states: tuple[removal.ListenerState, ...],
        denials: Denials,
        revoked: frozenset[int],
        *,
        is_new: bool,
    ) -> None:
        unjudged_until = self._unjudged_until(revoked, is_new=is_new)

        def judge(session: Session, owner: str) -> bool:
            # Read anew each time: the same name with another certificate may be there already. It is recorded at the
            # end of the handshake; until then what is there is of an earlier session.
            if session.established:
                serial = self.records.serial_of(session, owner)
                if serial in revoked or (serial is None and session.connected_since <= unjudged_until):
                    return True
            group = read_group(self.folder / "ccd", session.listener, owner)
            return denials.cuts(owner, group=group)

        order = removal.Order(frozenset(), timeout_seconds=CUT_SECONDS, judge=judge, awaits_record=is_new)
        cuts = removal.cut_sessions(states, order, open_socket=self._talk, settle_handshakes=is_new)
        self.found.told += [f"cut: {one.common_name} on {one.listener}" for cut in cuts for one in cut.sessions]
        removal.require_gone(cuts, states)

    def _unjudged_until(self, revoked: frozenset[int], *, is_new: bool) -> float:
        """Whose certificate is not recorded has shown it to an earlier CRL if connected by this moment.

        That matters where the one in place lists more. Whoever connects again is judged by it, and stays.
        """
        if not is_new or not lists_more(self.memory, revoked):
            return 0
        came = self.place.crl_path.stat().st_mtime
        # A clock that was ahead when it came tells nothing; nobody is to be cut again and again.
        return came if came < epoch_seconds() + CLOCK_SECONDS else 0

    def _lift(self, denials: Denials, revoked: frozenset[int]) -> None:
        """Take away denials that wait for the CRL, where it keeps out now whom they keep out."""
        paths = list(_superfluous(denials, revoked))
        if paths:
            remaining = remove_entries(self.folder / "denied", paths, judged=denials)
            self.found.told += [f"lifted: {path}, the CRL lists it" for path in paths if path not in remaining.entries]

    def _deny_expired(self, crls: CrlFile | None) -> None:
        """Deny everybody while the CRL has expired, where OpenVPN would not notice by itself."""
        next_update = 0 if crls is None else crls.expires_first.next_update
        folder = self.folder / "denied"
        with self._noting():
            stands = EXPIRED in read_denials(folder).entries
            if is_expiry_denied(self.settings, next_update, now=self.now):
                if not stands:
                    add_entries(folder, {EXPIRED: Entry(int(self.now), "the CRL has expired")})
            elif stands and (crls is not None or not self.settings.keeps_serials):
                remove_entries(folder, [EXPIRED])


def _superfluous(denials: Denials, revoked: frozenset[int]) -> Iterator[str]:
    for path, entry in denials.entries.items():
        if entry.serials and all(int(serial) in revoked for serial in entry.serials):
            yield path
