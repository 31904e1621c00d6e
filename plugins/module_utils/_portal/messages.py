# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page may ask the service for, and what it is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

MOST_BYTES = 1024
_ID = re.compile(r"[0-9a-f]{32}")
_CLAIM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Question:
    """What was asked.

    :param claim: What the page made up to fetch the link again; empty where it has claimed nothing yet.
    """

    id: str
    claim: str = ""


@dataclass(frozen=True)
class Answer:
    """What is answered, as JSON."""

    status: int
    body: Mapping[str, Any]
    retry_after: int = 0
    # What the log of the service says about it; never an id, a claim or an address.
    news: str = field(default="", compare=False)


# Used, expired, claimed by somebody else, or never there: nobody can tell which.
UNKNOWN = Answer(404, {"error": "unknown"})
NOT_UNDERSTOOD = Answer(400, {"error": "request"})


def too_often(seconds: int) -> Answer:
    """Whoever asks has to wait."""
    return Answer(429, {"error": "wait"}, retry_after=seconds)


def unavailable(news: str) -> Answer:
    """Something is wrong on the gateway; the link is untouched."""
    return Answer(503, {"error": "unavailable"}, retry_after=5, news=news)


def parse_question(content: bytes, *, with_claim: bool) -> Question:
    """What a page asks.

    :param with_claim: Whether a claim is needed; otherwise it may be left out.
    :raises InputError: it is not understood.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if len(content) > MOST_BYTES or not isinstance(found, dict):
        raise InputError("This is no question.")
    link_id, claim = found.get("id"), found.get("claim")
    if claim is None and not with_claim:
        claim = ""
    elif not isinstance(claim, str) or not _CLAIM.fullmatch(claim):
        raise InputError("This is no claim.")
    if not isinstance(link_id, str) or not _ID.fullmatch(link_id):
        raise InputError("This is no id.")
    return Question(link_id, claim)
