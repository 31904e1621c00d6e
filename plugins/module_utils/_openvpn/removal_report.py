# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal has proved so far: the timeline of all hosts, and who still owes a proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

DENIED, IN_PLACE, CUT, VERIFIED = "denied_at", "crl_installed_at", "cut_at", "verified_at"
PREFIX = "Task failed: "
# A proof that holds as long as the name is denied.
HELD = "held_at"
# What a gateway answered, by its name.
Answers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Moment:
    """One measured event.

    :param seconds: Seconds since the removal began, on the controller's clock.
    :param host: Inventory name of the host that measured it.
    :param event: One of the keys of a module's timeline, or ``signed_at``.
    :param text: What happened.
    """

    seconds: float
    host: str
    event: str
    text: str


@dataclass(frozen=True)
class RemovalReport:
    """What was measured, and what is still owed.

    :param moments: Events in order of time.
    :param missing: Pairs of gateway and reason.
    :param denying: Gateways that go on keeping out by name, since no CRL does it there.
    :param remarks: Sentences for the administrator, for example about clocks that disagree.
    :param signed_to_cut: Seconds from the CRL's signature to the last session cut, where both happened in this order.
    :param start_to_cut: Seconds from the first task to the last session cut, where sessions were cut.
    :param start_to_proof: Seconds from the first task to the last proof under a CRL, if there was one.
    """

    moments: tuple[Moment, ...]
    missing: tuple[tuple[str, str], ...]
    denying: tuple[str, ...]
    remarks: tuple[str, ...]
    signed_to_cut: float | None
    start_to_cut: float | None
    start_to_proof: float | None


def clock_shift(first: float, last: float, *, asked: float, answered: float) -> float:
    """Seconds to add to a host's times so that they fit between question and answer on the controller.

    A host whose times already lie between the two is believed (0.0). One whose clock is wrong is moved to
    the middle: the error is then at most half of what the round trip left over.
    """
    if asked <= first and last <= answered:
        return 0.0
    return (asked + answered) / 2 - (first + last) / 2


def build_removal_report(
    *,
    started: float,
    signed_at: float | None,
    crl_number: int,
    authority: str,
    gateways: Answers,
    denials: Answers | None = None,
    kept: Answers | None = None,
    by_name: bool = False,
) -> RemovalReport:
    """Bring the answers of all gateways onto one clock and find who proved nothing.

    :param started: Epoch seconds on the controller when the removal began.
    :param signed_at: Epoch seconds of the CRL's signature; ``None`` when this run signed none.
    :param gateways: Per gateway the return values of ``openvpn_session``, with ``asked_at`` and ``answered_at``
        (controller's epoch seconds); an empty mapping for one that was never asked.
    :param denials: Likewise those of ``openvpn_denial``, for names that were denied before the authority had answered.
    :param kept: Likewise for names that are denied because the authority could not sign.
    :param by_name: There is no CRL to prove: a gateway that keeps out by name has done what it can.
    """
    early, late = denials or {}, kept or {}
    moments: list[Moment] = []
    remarks: list[str] = []
    if signed_at is not None:
        moments.append(Moment(signed_at - started, authority, "signed_at", f"CRL {crl_number} signed"))
    for name in sorted(gateways):
        for answer in (early.get(name, {}), late.get(name, {}), gateways[name]):
            if not answer or _owed(answer):
                continue
            shift = _shift_of(answer)
            if shift:
                remarks.append(
                    f"The clock of {name} is {-shift:+.1f} s from the controller's; its times are corrected."
                )
            found = _moments_of(name, answer, origin=started - shift)
            moments.extend(_until_listed(found) if answer is late.get(name) else found)
    moments.sort(key=lambda moment: moment.seconds)
    held = {name: _latest(late.get(name, {}), early.get(name, {})) for name in gateways}
    open_ones = {name: _reason(gateways[name], held[name], by_name=by_name) for name in sorted(gateways)}
    return RemovalReport(
        moments=tuple(moments),
        missing=tuple((name, reason) for name, reason in open_ones.items() if reason),
        denying=tuple(_denying(open_ones, held, by_name=by_name)),
        remarks=tuple(dict.fromkeys(remarks)),
        signed_to_cut=_last(moments, CUT, since=None if signed_at is None else signed_at - started),
        start_to_cut=_last(moments, CUT, since=0.0),
        start_to_proof=_last(moments, VERIFIED, since=None if by_name else 0.0),
    )


def _reason(removal: Mapping[str, Any], denial: Mapping[str, Any], *, by_name: bool) -> str:
    """Why a gateway proved nothing; empty for one that did."""
    if not by_name:
        return _owed(removal)
    answers = [answer for answer in (denial, removal) if answer] or [removal]
    return next((reason for answer in answers if (reason := _owed(answer))), "")


def _latest(late: Mapping[str, Any], early: Mapping[str, Any]) -> Mapping[str, Any]:
    """What counts of two denials: the later, unless nobody could ask for it, since the earlier stands."""
    return early if not late or (early and late.get("unreachable")) else late


def _denying(open_ones: Mapping[str, str], held: Answers, *, by_name: bool) -> list[str]:
    return [name for name, reason in open_ones.items() if (reason or by_name) and held[name] and not _owed(held[name])]


def _owed(answer: Mapping[str, Any]) -> str:
    reason = why_unheard(answer)
    return reason or ("" if (answer.get("timeline") or {}).get(VERIFIED) is not None else "it gave no proof")


def why_unheard(answer: Mapping[str, Any]) -> str:
    """Why a gateway gave no answer that counts; empty for one that did, be it a proof or not."""
    if not answer:
        return "it was not asked (is it left out by --limit?)"
    if answer.get("unreachable"):
        return f"it could not be reached: {first_line(answer)}"
    if answer.get("timedout"):
        return f"it did not answer within {answer['timedout']} s"
    return first_line(answer) if answer.get("failed") else ""


def first_line(answer: Mapping[str, Any]) -> str:
    """What a module said when it failed, in a line."""
    first = (str(answer.get("msg", "")).strip().splitlines() or ["no message"])[0]
    # What Ansible puts before what happened.
    return first.removeprefix(PREFIX)


def _shift_of(answer: Mapping[str, Any]) -> float:
    asked, answered = float(answer["asked_at"]), float(answer["answered_at"])
    times = answer["timeline"]
    return clock_shift(float(times["snapshot_at"]), float(times[VERIFIED]), asked=asked, answered=answered)


def _moments_of(name: str, answer: Mapping[str, Any], *, origin: float) -> list[Moment]:
    cut = list(answer.get("sessions_cut") or ())
    texts = {DENIED: "denied by name", IN_PLACE: "CRL in place", VERIFIED: _proof(answer)}
    if cut:
        texts[CUT] = f"{len(cut)} session{'s' if len(cut) > 1 else ''} cut ({_listed(cut)})"
    events = {VERIFIED: HELD} if DENIED in answer["timeline"] else {}
    times = [(event, answer["timeline"].get(event), text) for event, text in texts.items()]
    return [
        Moment(float(when) - origin, name, events.get(event, event), text)
        for event, when, text in times
        if when is not None
    ]


def _until_listed(moments: Sequence[Moment]) -> list[Moment]:
    """A name that is denied a second time, now that the certificates behind it are known."""
    return [replace(one, text="denied until a CRL does it") if one.event == DENIED else one for one in moments]


def _proof(answer: Mapping[str, Any]) -> str:
    if DENIED in answer["timeline"]:
        return "not connected, and denied by name"
    refused = answer.get("refused") or {}
    return f"verified: not connected{', and would be refused' if refused and all(refused.values()) else ''}"


def _listed(cut: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({f"{session['common_name']} on {session['listener']}" for session in cut}))


def _last(moments: Sequence[Moment], event: str, *, since: float | None) -> float | None:
    """Seconds to the last of some events, if it came after that."""
    found = [moment.seconds - since for moment in moments if moment.event == event] if since is not None else []
    return max(found) if found and max(found) >= 0 else None


def render_access_heading(devices: Sequence[Mapping[str, Any]], *, user: str, device: str = "") -> str:
    """Who of a user may connect now, and who may not, in a line.

    :param devices: Those of all users, each with ``common_name``, ``user``, ``device`` and ``disabled``.
    :param device: The only one that it is about; empty for all of the user.
    """
    theirs = [one for one in devices if one["user"] == user and device in ("", one["device"])]
    told = [
        f"{word}: {', '.join(names)}"
        for word, disabled in (("Disabled", True), ("Enabled", False))
        if (names := [str(one["common_name"]) for one in theirs if bool(one["disabled"]) is disabled])
    ]
    return "; ".join(told) or f"{user} has no device whose certificate can be used."
