# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running another program by its argument vector, with a deadline and without a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, DeadlineError


class CommandError(CollectionError):
    """A program could not be started, or ended with a status that is not zero."""


@dataclass(frozen=True)
class Completed:
    """What a program left: its exit status and what it printed, decoded as UTF-8."""

    status: int
    output: str
    errors: str


def run_command(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    stdin: bytes | None = None,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program and wait for it.

    :param argv: The program and its arguments; none of them may be a secret, since any user can read them.
    :param check: Raise when the exit status is not zero.
    :param environment: Variables besides those of this process; other users cannot read them.
    :raises CommandError: the program is missing, or failed while ``check`` is set.
    :raises DeadlineError: it did not end in time; it has been killed.
    """
    try:
        # AnsibleModule.run_command is not at hand in this layer: it also serves programs that are no Ansible module.
        # pylint: disable-next=ansible-bad-function
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, timeout=timeout_seconds, check=False,
            env={**os.environ, **environment} if environment else None,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CommandError(f"The program '{argv[0]}' is not installed on this host.") from error
    except subprocess.TimeoutExpired as error:
        raise DeadlineError(f"'{argv[0]}' did not end within {timeout_seconds:g} s.") from error
    completed = Completed(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )
    if check and completed.status != 0:
        detail = (completed.errors or completed.output).strip().splitlines()
        raise CommandError(
            f"'{argv[0]}' ended with status {completed.status}: {detail[-1] if detail else 'no output'}."
        )
    return completed
