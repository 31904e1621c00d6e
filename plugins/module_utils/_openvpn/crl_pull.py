# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway makes of what it fetched: what an answer means, what becomes of the state, and when to warn.

Whether a CRL is good is judged elsewhere (:mod:`~.crl`). On any doubt the one that is in place stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull_settings import (
    DAY_SECONDS,
    REFUSE,
    PullSettings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import CrlFile

OK, NOT_MODIFIED = 200, 304
_REDIRECTS, _SERVER_ERRORS = range(300, 400), range(500, 600)
_LONGEST_ETAG = 256
_DER = b"\x30"
# A CRL that is short-lived by intent is not warned about all its life.
WARNING_SHARE = 1 / 3
WARN_AGAIN_SECONDS = DAY_SECONDS
# Who stands between once may hand over an older CRL with the mark of the newest: it is not believed for ever.
MARK_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Answer:
    """What came back from one address.

    :param error: Why nothing came back; the rest is empty then.
    """

    status: int = 0
    etag: str = ""
    body: bytes = b""
    error: str = ""


@dataclass(frozen=True)
class Offer:
    """What an answer means.

    :param content: The CRLs that are offered, PEM, not judged yet; ``None`` for none.
    :param unchanged: Whether what is in place is still what is offered.
    :param problem: Why it is neither.
    :param passing: Whether the problem may go away by itself, as when the authority is being restarted.
    """

    content: str | None = None
    unchanged: bool = False
    problem: str = ""
    passing: bool = False


def read_answer(answer: Answer, *, is_known: bool) -> Offer:
    """Find out what an answer means.

    :param is_known: Whether the question named what is in place already, so that it may be answered with "unchanged".
    """
    status = answer.status
    if answer.error:
        return Offer(problem=answer.error, passing=True)
    if status == NOT_MODIFIED and is_known:
        return Offer(unchanged=True)
    if status == OK:
        return _read_body(answer.body)
    if status == NOT_MODIFIED:
        return Offer(problem="it says that nothing has changed (304), but it was not asked for changes")
    if status in _REDIRECTS:
        return Offer(problem=f"it redirects elsewhere ({status}), which is not followed; name that address instead")
    return Offer(problem=f"it answers with status {status}", passing=status in _SERVER_ERRORS)


def _read_body(body: bytes) -> Offer:
    if not body.strip():
        return Offer(problem="its answer is empty")
    if body[:1] == _DER:
        return Offer(problem="it is a CRL as DER, or no CRL; OpenVPN reads PEM, which is crl.pem")
    if b"-----BEGIN X509 CRL-----" not in body:
        kind = "a page" if body.lstrip()[:1] == b"<" else "something"
        return Offer(problem=f"it answers with {kind} that is no CRL")
    try:
        return Offer(content=body.decode("ascii"))
    except UnicodeDecodeError:
        return Offer(problem="what is around the CRL is no text")


@dataclass(frozen=True)
class State:
    """What the last run has left, as it lies in a file that anybody may read. Moments are seconds since 1970-01-01 UTC.

    :param checked_at: When it ran.
    :param answered_at: When one of the addresses had last offered a CRL that is good, or the one in place.
    :param problem: What is wrong, for people; empty where all is well.
    :param problem_since: Since when something is wrong, else 0.
    :param notes: Addresses that could not be asked; no reason to worry yet, or while another one could.
    :param url: Where the CRL came from that is in place, with its ``etag`` there, and the ``sha256`` of the file here.
    :param fetched_at: When it was last sent whole.
    :param trust_sha256: The certificates of the CAs by which it was judged then; others need what it may lack.
    :param number: Of the first CRL in place, as is ``this_update``.
    :param next_update: When the first of those in place expires.
    :param enforced_sha256: The CRLs for which it was proved that nobody is connected whom they list.
    :param proved: Whether those are the ones in place.
    :param unrecorded: How many were connected of whose certificate nothing is recorded.
    :param warned: When the last alarm was raised, else 0.
    """

    checked_at: float = 0.0
    answered_at: float = 0.0
    problem: str = ""
    problem_since: float = 0.0
    notes: tuple[str, ...] = ()
    url: str = ""
    etag: str = ""
    sha256: str = ""
    fetched_at: float = 0.0
    trust_sha256: str = ""
    number: int = 0
    this_update: int = 0
    next_update: int = 0
    enforced_sha256: str = ""
    proved: bool = False
    unrecorded: int = 0
    warned: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {**asdict(self), "notes": list(self.notes)}


def parse_state(raw: Any) -> State:
    """A state that was read; one that is damaged is none, so that everything is fetched and enforced anew."""
    if not isinstance(raw, Mapping):
        return State()
    try:
        values: dict[str, Any] = {
            name: type(getattr(State, name))(raw[name]) for name in State.__dataclass_fields__ if name in raw
        }
        values["notes"] = tuple(map(str, raw.get("notes", ())))
        return State(**values)
    except (TypeError, ValueError):
        return State()


def known_etag(last: State, url: str, *, in_place_sha256: str, trust_sha256: str, now: float) -> str:
    """What to ask an address with: the mark that it gave what is in place.

    Nothing where that, or the CAs that it was judged by, has changed since, or where it was long ago.
    """
    same = (last.url, last.sha256, last.trust_sha256) == (url, in_place_sha256, trust_sha256)
    return last.etag if same and 0 <= now - last.fetched_at < MARK_SECONDS else ""


@dataclass(frozen=True)
class Pull:
    """What the addresses offered.

    :param url: The address whose offer is in place now; empty where none was good.
    :param etag: Its mark there.
    :param is_fetched: Whether it was sent, rather than that nothing had changed.
    :param trust_sha256: The certificates of the CAs by which it was judged.
    :param refused: What was offered and must not come into place, a sentence each.
    :param silent: Who did not answer, a sentence each.
    :param failed: What kept a good one from coming into place.
    """

    url: str = ""
    etag: str = ""
    is_fetched: bool = False
    trust_sha256: str = ""
    refused: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def conclude(
    last: State,
    pull: Pull,
    *,
    crls: CrlFile | None,
    sha256: str,
    problems: Sequence[str],
    enforced: bool,
    unrecorded: int = 0,
    settings: PullSettings,
    now: float,
) -> State:
    """What becomes of the state.

    :param crls: Those in place now, verified, with the ``sha256`` of the file.
    :param problems: What else went wrong: sessions that could not be cut, a file that could not be written.
    :param enforced: Whether it is proved that nobody is connected whom they list.
    :param unrecorded: How many are connected of whose certificate nothing is recorded.
    """
    answered_at = last.answered_at if 0 < last.answered_at <= now else now
    if pull.url:
        answered_at = now
    # Who offers what is wrong, or nothing, is only noted where somebody else had what is right.
    wrong = [] if pull.url else [*pull.refused, *_long_silence(pull, settings, answered_at, now=now)]
    facts = (0, 0, 0) if crls is None else _facts(crls)
    state = State(
        checked_at=now,
        answered_at=answered_at,
        problem=" ".join([*wrong, *pull.failed, *problems, *_freshness(crls, settings, now=now)]),
        notes=tuple(one for one in (*pull.refused, *pull.silent) if one not in wrong),
        url=pull.url or last.url,
        etag=clean_etag(pull.etag) if pull.url else last.etag,
        sha256=sha256 if pull.url else last.sha256,
        fetched_at=now if pull.is_fetched else last.fetched_at,
        trust_sha256=pull.trust_sha256 if pull.is_fetched else last.trust_sha256,
        number=facts[0],
        this_update=facts[1],
        next_update=facts[2],
        enforced_sha256=sha256 if enforced else last.enforced_sha256,
        proved=bool(sha256) and (enforced or sha256 == last.enforced_sha256),
        unrecorded=unrecorded,
    )
    if not state.problem:
        return state
    since = last.problem_since if last.problem and 0 < last.problem_since <= now else now
    is_raised = last.problem != "" and 0 < last.warned <= now < last.warned + WARN_AGAIN_SECONDS
    return replace(state, problem_since=since, warned=last.warned if is_raised else now)


def clean_etag(text: str) -> str:
    """A mark that can be sent back as it is; nothing instead of a strange one."""
    is_plain = len(text) <= _LONGEST_ETAG and all(" " <= character <= "~" for character in text)
    return text if is_plain else ""


def _facts(crls: CrlFile) -> tuple[int, int, int]:
    first = crls.crls[0]
    return first.number, first.this_update, crls.expires_first.next_update


def _long_silence(pull: Pull, settings: PullSettings, answered_at: float, *, now: float) -> Iterator[str]:
    if pull.silent and not pull.refused and now - answered_at > settings.silence_seconds:
        yield f"No CRL could be fetched since {moment(answered_at)}. {' '.join(pull.silent)}"


def _freshness(crls: CrlFile | None, settings: PullSettings, *, now: float) -> Iterator[str]:
    """Early words about a CRL whose end would be everybody's."""
    if crls is None:
        return
    first = crls.expires_first
    of_whom = f" of '{shown(first.issuer)}'" if len(crls.crls) > 1 else ""
    if first.this_update > now and not settings.keeps_serials:
        yield f"The CRL{of_whom} in place is valid from {moment(first.this_update)} on: nobody can connect until then."
    share = WARNING_SHARE * (first.next_update - first.this_update)
    if first.next_update <= now:
        serves = settings.keeps_serials and settings.expired_crl != REFUSE
        effect = "who was revoked since is let in" if serves else "nobody can connect"
        yield f"The CRL{of_whom} has expired on {moment(first.next_update)}: {effect}."
    elif first.next_update - now < min(settings.warning_days * DAY_SECONDS, share):
        yield f"The CRL{of_whom} expires on {moment(first.next_update)}, and the authority has published no newer one."


def is_expiry_denied(settings: PullSettings, next_update: int, *, now: float) -> bool:
    """Whether nobody may connect because of a CRL that has expired, where OpenVPN itself would not notice."""
    return settings.keeps_serials and settings.expired_crl == REFUSE and 0 < next_update <= now


def parse_record(content: bytes | None) -> int | None:
    """The serial number that was noted of a session, or ``None`` where it is not known."""
    text = (content or b"").strip()
    return int(text) if 0 < len(text) <= 60 and text.isdigit() else None


def news(last: State, state: State) -> list[str]:
    """A line for each change, and nothing while all stays as it was."""
    lines = []
    if (state.number, state.this_update) != (last.number, last.this_update) and state.number:
        lines.append(f"CRL number {state.number} is in place, good until {moment(state.next_update)}")
    if state.problem and _without_numbers(state.problem) != _without_numbers(last.problem):
        lines.append(state.problem)
    elif last.problem and not state.problem:
        lines.append("all is well again")
    known = {_without_numbers(one) for one in last.notes}
    lines += [f"note: {one}" for one in state.notes if _without_numbers(one) not in known]
    return lines


def _without_numbers(text: str) -> str:
    """The same complaint a minute later may tell another number of seconds."""
    return re.sub(r"[0-9]+", "0", text)


def describe(state: State, *, now: float) -> list[str]:
    """The state for people."""
    if not state.checked_at:
        return ["It has not run yet."]
    lines = [f"checked {_ago(now - state.checked_at)}, answered {_ago(now - state.answered_at)}"]
    if state.number:
        lines.append(
            f"CRL number {state.number}, signed {moment(state.this_update)}, expires {moment(state.next_update)}"
        )
        cut = "nobody" if state.proved else "not known who"
        lines.append(f"from {state.url or 'a playbook'}; connected with a certificate that it lists: {cut}")
    if state.unrecorded:
        lines.append(
            f"no record of the certificate: {state.unrecorded} connected; they have to connect again when a CRL comes "
            "that lists somebody new"
        )
    if state.problem:
        lines.append(f"PROBLEM since {moment(state.problem_since)}: {state.problem}")
    return [*lines, *(f"note: {note}" for note in state.notes)]


def moment(seconds: float) -> str:
    """A moment for people, in UTC."""
    return f"{datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=int(seconds)):%Y-%m-%d %H:%M} UTC"


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
