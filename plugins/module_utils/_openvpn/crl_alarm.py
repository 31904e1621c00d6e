# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When somebody is told that a gateway does not follow the CRL: as a problem begins, and then once a day.

A run that gets to its end decides that in its state (:func:`~.crl_pull.conclude`). This is about those that do not.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import WARN_AGAIN_SECONDS, State


def broken_off(last: State, problem: str, *, now: float) -> State:
    """What becomes of the state where a run ends by an error; what was found before is kept."""
    since = last.problem_since if last.problem and 0 < last.problem_since <= now else now
    warned = last.warned if last.problem else 0.0
    return replace(last, checked_at=now, problem=problem, problem_since=since, warned=warned)


def is_alarm_due(warned: float, *, now: float) -> bool:
    """Whether somebody has to be told who was told at a moment, or never: 0."""
    return not 0 < warned <= now < warned + WARN_AGAIN_SECONDS


def failed(last: State, how: str, *, now: float) -> State:
    """What becomes of the state once systemd has found that a run failed.

    :param last: As that run, or the one before, has left it.
    :param how: What systemd says: ``timeout``, ``signal``, ``oom-kill``; ``exit-code`` is told by the run itself.
    """
    if last.problem:
        return replace(last, warned=now) if is_alarm_due(last.warned, now=now) else last
    problem = (
        f"The program that follows the CRL did not get to its end ({shown(how)}); see "
        "'journalctl -u privatespace-revocation.service'."
    )
    return replace(last, problem=problem, problem_since=now, warned=now)
