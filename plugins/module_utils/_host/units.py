# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd's units on this host, through ``systemctl``."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command

SHOW_SECONDS = 30
# A unit may take its whole TimeoutStopSec, 90 s by default.
STOP_SECONDS = 120
_NO_SYSTEMD = "not been booted with systemd"


def show_units(names: Sequence[str], properties: Sequence[str]) -> str:
    """What systemd says of some units, a paragraph each; empty on a machine that runs without systemd.

    :raises CommandError: systemd does not answer.
    """
    if not names:
        return ""
    argv = ("systemctl", "show", f"--property={','.join(properties)}", "--", *names)
    done = run_command(argv, timeout_seconds=SHOW_SECONDS, check=False)
    if done.status != 0 and _NO_SYSTEMD not in done.errors:
        raise CommandError(f"systemctl does not tell the state of {', '.join(names)}: {done.errors.strip()}")
    return done.output if done.status == 0 else ""


def stop_unit(name: str) -> None:
    """Stop a unit and wait for its end.

    :raises CommandError: it was not stopped.
    """
    run_command(("systemctl", "stop", "--", name), timeout_seconds=STOP_SECONDS)


def disable_unit(name: str) -> None:
    """Take away the links that start a unit with the system.

    :raises CommandError: they are still there.
    """
    run_command(("systemctl", "disable", "--", name), timeout_seconds=SHOW_SECONDS)


def reload_units() -> None:
    """Have systemd run its generators again.

    :raises CommandError: it did not.
    """
    done = run_command(("systemctl", "daemon-reload"), timeout_seconds=STOP_SECONDS, check=False)
    if done.status != 0 and _NO_SYSTEMD not in done.errors:
        raise CommandError(f"systemctl daemon-reload failed: {done.errors.strip()}")
