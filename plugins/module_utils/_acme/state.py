# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the last attempts, and when the next one is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

DAY_SECONDS = 86400
# While the CA was not asked, an attempt costs nobody anything.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 3600.0
# CAs count attempts that fail: Let's Encrypt allows five an hour for one name.
FIRST_ASKED_PAUSE_SECONDS, LONGEST_ASKED_PAUSE_SECONDS = 1200.0, 6 * 3600.0
# What a CA may ask for, and a little.
LONGEST_WAIT_SECONDS = 9 * DAY_SECONDS
# When certbot renews: at a third of the life, or at half of one that is short.
LIFE_SHARE, SHORT_LIFE_SHARE, SHORT_LIFE_SECONDS = 1 / 3, 1 / 2, 10 * DAY_SECONDS
# CAs date certificates back by an hour or so.
MOST_CLOCK_SECONDS = 2 * DAY_SECONDS
_TEXTS = ("directory", "issuer", "serial", "fingerprint", "loaded", "problem", "mark", "ca_mark", "contact")
_NUMBERS = ("not_before", "not_after", "checked_at", "changed_at", "retry_at")


@dataclass(frozen=True)
class State:
    """As it lies in a file.

    :param names: Of the certificate in service; empty where there is none.
    :param fingerprint: SHA-256 of the certificate in service.
    :param loaded: That of the certificate which the web server was told to load last.
    :param problem: Why the certificate may not be as it should; empty where it is.
    :param notes: What is worth knowing or doing besides, such as a CAA record.
    :param failures: How many attempts have failed in a row.
    :param retry_at: Before this moment nothing is attempted by itself; 0 where nothing has failed.
    :param ca_said: Whether that moment was the CA's wish.
    :param mark: The configuration that the last attempt was for.
    :param ca_mark: What of it the CA counts attempts by.
    :param contact: The directory and the e-mail address that the CA has.
    :param revoked: Whether the certificate was revoked on purpose, and nothing is done until the next installation.
    """

    names: tuple[str, ...] = ()
    directory: str = ""
    staging: bool = False
    issuer: str = ""
    serial: str = ""
    not_before: float = 0.0
    not_after: float = 0.0
    fingerprint: str = ""
    loaded: str = ""
    checked_at: float = 0.0
    changed_at: float = 0.0
    problem: str = ""
    notes: tuple[str, ...] = ()
    failures: int = 0
    retry_at: float = 0.0
    ca_said: bool = False
    mark: str = ""
    ca_mark: str = ""
    contact: str = ""
    revoked: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {**asdict(self), "names": list(self.names), "notes": list(self.notes)}


def parse_state(raw: Any) -> State:
    """A state that was read; one that is damaged is none."""
    if not isinstance(raw, Mapping):
        return State()
    known = {one: raw[one] for one in State.__dataclass_fields__ if one in raw}
    try:
        found: dict[str, Any] = {one: tuple(map(str, known.get(one, ()))) for one in ("names", "notes")}
        found.update({one: str(known.get(one, "")) for one in _TEXTS})
        found.update({one: float(known.get(one, 0)) for one in _NUMBERS})
        found.update({one: bool(known.get(one, False)) for one in ("staging", "ca_said", "revoked")})
        return State(failures=int(known.get("failures", 0)), **found)
    except (TypeError, ValueError):
        return State()


def is_paused(last: State, *, mark: str, ca_mark: str, now: float, asked_for: bool = False) -> bool:
    """Whether it is too early to try again.

    Another configuration is worth an attempt at once, and so is what a person asked for; but not where the CA itself
    has said when it wants to be asked again.

    :param mark: The present configuration.
    :param ca_mark: What of it the CA counts attempts by.
    :param asked_for: Whether a person wants it now.
    """
    waits = bool(last.failures) and now < last.retry_at <= now + LONGEST_WAIT_SECONDS
    if not waits:
        return False
    return last.ca_mark == ca_mark if last.ca_said else last.mark == mark and not asked_for


def is_due(not_before: float, not_after: float, *, now: float) -> bool:
    """Whether a certificate has to be renewed by its age, as certbot judges where the CA says nothing."""
    life = not_after - not_before
    share = SHORT_LIFE_SHARE if life < SHORT_LIFE_SECONDS else LIFE_SHARE
    return not_after - now < life * share


def is_clock_ahead(not_before: float, *, now: float) -> bool:
    """Whether a certificate that was signed just now shows that the clock is wrong."""
    return now - not_before > MOST_CLOCK_SECONDS


def pause_after(failures: int, *, chance: float, asked: bool) -> float:
    """How long to wait after some failures in a row: longer each time, and not all gateways at the same moment.

    :param chance: From 0 to 1.
    :param asked: Whether the CA was asked, so that it counts.
    """
    first = FIRST_ASKED_PAUSE_SECONDS if asked else FIRST_PAUSE_SECONDS
    longest = LONGEST_ASKED_PAUSE_SECONDS if asked else LONGEST_PAUSE_SECONDS
    bound = min(first * 2.0 ** min(failures - 1, 10), longest)
    return bound / 2 + bound / 2 * chance


def next_attempt(
    failures: int, *, now: float, chance: float, asked: bool, retry_after: float | None
) -> tuple[float, bool]:
    """When to try again, and whether the CA said so."""
    own = now + pause_after(failures, chance=chance, asked=asked)
    if retry_after is None or retry_after <= own:
        return own, False
    return retry_after, True


def show(state: State, *, now: float) -> dict[str, Any]:
    """What people and other programs are shown."""
    left = (state.not_after - now) / DAY_SECONDS if state.fingerprint else None
    hidden = ("mark", "ca_mark", "contact", "loaded")
    facts = {name: value for name, value in state.as_dict().items() if name not in hidden}
    return {**facts, "days_left": None if left is None else round(left, 2)}


def judge_addresses(name: str, found: Sequence[str], own: Sequence[str], *, server: str) -> str:
    """Why a name does not lead to this gateway; empty where it does.

    :param found: What a name server answers, A and AAAA, canonical.
    :param own: The gateway's addresses; those of a family of which none is known are taken for right.
    """
    if not found:
        return f"{name} has no address ({server} says so)."
    families = {":" in one for one in own}
    strange = [one for one in found if (":" in one) in families and one not in own]
    if not strange:
        return ""
    return f"{name} leads to {', '.join(strange)} ({server} says so); this gateway has {', '.join(own)}."
