# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that reach an administrator: what happened, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CollectionError(Exception):
    """The root of every error that this collection raises on purpose.

    :param message: What is wrong, naming the thing it is wrong with. Never a secret.
    :param remedy: What the administrator can do about it, as a sentence or a command.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class InputError(CollectionError):
    """A parameter that cannot be accepted; nothing has been touched yet."""


class StateError(CollectionError):
    """What was found on the host contradicts what was asked; nothing has been changed."""


class PartialError(CollectionError):
    """A part of what was asked is done and stands; running again completes it.

    :param results: Return values of what is done, to be reported beside the message.
    """

    def __init__(self, message: str, *, results: Mapping[str, Any], remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.results = results


class BusyError(CollectionError):
    """Another run holds the lock that this one needs."""


class DeadlineError(CollectionError):
    """Something did not answer in the time that it was given."""
