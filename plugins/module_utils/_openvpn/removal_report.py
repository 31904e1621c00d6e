# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal has proved so far: the timeline of all hosts, and who still owes a proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IN_PLACE, CUT, VERIFIED = "crl_installed_at", "cut_at", "verified_at"


@dataclass(frozen=True)
class Moment:
    """One measured event.

    :param seconds: Seconds since the removal began, on the controller's clock.
    :param host: Inventory name of the host that measured it.
    :param event: One of the keys of ``openvpn_session``'s timeline, or ``signed_at``.
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
    :param remarks: Sentences for the administrator, for example about clocks that disagree.
    :param signed_to_cut: Seconds from the CRL's signature to the last session cut, where both happened in this run.
    :param start_to_cut: Seconds from the first task to the last session cut, where sessions were cut.
    """

    moments: tuple[Moment, ...]
    missing: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    signed_to_cut: float | None
    start_to_cut: float | None


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
    gateways: Mapping[str, Mapping[str, Any]],
) -> RemovalReport:
    """Bring the answers of all gateways onto one clock and find who proved nothing.

    :param started: Epoch seconds on the controller when the removal began.
    :param signed_at: Epoch seconds of the CRL's signature; ``None`` when this run signed none.
    :param gateways: Per gateway the return values of ``openvpn_session``, with ``asked_at`` and ``answered_at``
        (controller's epoch seconds); an empty mapping for one that was never asked.
    """
    moments: list[Moment] = []
    remarks: list[str] = []
    owed = {name: _owed(answer) for name, answer in sorted(gateways.items())}
    if signed_at is not None:
        moments.append(Moment(signed_at - started, authority, "signed_at", f"CRL {crl_number} signed"))
    for name in [name for name, reason in owed.items() if not reason]:
        shift = _shift_of(gateways[name])
        if shift:
            remarks.append(f"The clock of {name} is {-shift:+.1f} s from the controller's; its times are corrected.")
        moments.extend(_moments_of(name, gateways[name], origin=started - shift))
    moments.sort(key=lambda moment: moment.seconds)
    return RemovalReport(
        moments=tuple(moments),
        missing=tuple((name, reason) for name, reason in owed.items() if reason),
        remarks=tuple(remarks),
        signed_to_cut=_last_cut(moments, since=None if signed_at is None else signed_at - started),
        start_to_cut=_last_cut(moments, since=0.0),
    )


def _owed(answer: Mapping[str, Any]) -> str:
    if not answer:
        return "it was not asked (is it left out by --limit?)"
    if answer.get("unreachable"):
        return f"it could not be reached: {_first_line(answer)}"
    if answer.get("failed"):
        return _first_line(answer)
    return "" if answer["timeline"][VERIFIED] is not None else "it gave no proof"


def _first_line(answer: Mapping[str, Any]) -> str:
    return (str(answer.get("msg", "")).strip().splitlines() or ["no message"])[0]


def _shift_of(answer: Mapping[str, Any]) -> float:
    asked, answered = float(answer["asked_at"]), float(answer["answered_at"])
    times = answer["timeline"]
    return clock_shift(float(times["snapshot_at"]), float(times[VERIFIED]), asked=asked, answered=answered)


def _moments_of(name: str, answer: Mapping[str, Any], *, origin: float) -> list[Moment]:
    cut = list(answer.get("sessions_cut") or ())
    texts = {IN_PLACE: "CRL in place", VERIFIED: "verified: not connected"}
    if cut:
        texts[CUT] = f"{len(cut)} session{'s' if len(cut) > 1 else ''} cut ({_listed(cut)})"
    times = [(event, answer["timeline"].get(event), text) for event, text in texts.items()]
    return [Moment(float(when) - origin, name, event, text) for event, when, text in times if when is not None]


def _listed(cut: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({f"{session['common_name']} on {session['listener']}" for session in cut}))


def _last_cut(moments: Sequence[Moment], *, since: float | None) -> float | None:
    cuts = [moment.seconds for moment in moments if moment.event == CUT]
    return max(cuts) - since if cuts and since is not None else None


def render_removal_report(report: RemovalReport, *, revoked: Sequence[str], heading: str = "") -> list[str]:
    """The report as lines for a terminal.

    :param revoked: Common names that were revoked, in this run or before.
    :param heading: The first line, in place of that which names them.
    """
    removed = f"Removed: {', '.join(revoked)}" if revoked else "Nobody was removed; the gateways have the CRL."
    lines = [heading or removed]
    width = max((len(moment.host) for moment in report.moments), default=1)
    lines += [f"  +{moment.seconds:6.2f} s  {moment.host:<{width}}  {moment.text}" for moment in report.moments]
    if report.start_to_cut is not None:
        lines.append(f"First task to last session cut: {report.start_to_cut:.2f} s")
    if report.signed_to_cut is not None:
        lines.append(f"CRL signed to last session cut: {report.signed_to_cut:.2f} s")
    lines += list(report.remarks)
    lines += [f"NOT PROVED on {name}: {reason}" for name, reason in report.missing]
    return lines


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
