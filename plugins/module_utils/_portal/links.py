# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link as the gateway keeps it: what it says, how its file is called, and when it is over.

A file is called ``ID.waiting`` until somebody claims it, and ``ID.CLAIM.claimed`` afterwards, where CLAIM is a digest
of what the claiming page made up. One rename leads from the first name to the second, so only one page can win it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError

VERSION = 1
# For so long a link can wait at most; what nobody understands is kept as long.
LONGEST_SECONDS = 30 * 24 * 3600
_WAITING = re.compile(r"([0-9a-f]{32})\.waiting")
_CLAIMED = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.claimed")
_DIGEST_CHARACTERS = 32


@dataclass(frozen=True)
class Link:
    """What is kept of a link; nothing of it opens what is sealed.

    :param expires: Seconds since 1970-01-01 UTC.
    :param sealed: The profile and its file name.
    :param extras: What the page shows before the button is pressed.
    """

    id: str
    user: str
    device: str
    expires: int
    sealed: str
    extras: str

    @property
    def subject(self) -> str:
        """As it is written: ``alice@laptop``."""
        return f"{self.user}@{self.device}"


def render_link(link: Link) -> bytes:
    """The content of its file."""
    return (json.dumps({"version": VERSION, **asdict(link)}, sort_keys=True) + "\n").encode()


def parse_link(content: bytes, *, link_id: str) -> Link:
    """A link from the content of its file.

    :param link_id: The id that its name tells.
    :raises StateError: the file does not hold this link.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or not _is_whole(found, link_id):
        raise StateError(f"A file does not hold the link {link_id[:8]}… that its name tells.")
    return Link(**{name: found[name] for name in Link.__dataclass_fields__})


def _is_whole(found: Mapping[str, Any], link_id: str) -> bool:
    texts = all(isinstance(found.get(name), str) for name in ("user", "device", "sealed", "extras"))
    expires = found.get("expires")
    in_time = isinstance(expires, int) and not isinstance(expires, bool)
    return texts and in_time and found.get("version") == VERSION and found.get("id") == link_id


@dataclass(frozen=True)
class Entry:
    """What the name of a file tells.

    :param claim: The digest of the claim that won the link, or nothing while it waits.
    """

    id: str
    claim: str = ""

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.id}.{self.claim}.claimed" if self.claim else f"{self.id}.waiting"


def parse_entry(name: str) -> Entry | None:
    """The entry behind the name of a file, or nothing where the file is none of ours."""
    waiting = _WAITING.fullmatch(name)
    if waiting:
        return Entry(waiting[1])
    claimed = _CLAIMED.fullmatch(name)
    return Entry(claimed[1], claimed[2]) if claimed else None


def digest_claim(claim: str) -> str:
    """How a claim is noted, so that a look into the folder does not tell it."""
    return hashlib.sha256(f"privatespace.gateway link claim v1 {claim}".encode()).hexdigest()[:_DIGEST_CHARACTERS]


def is_over(entry: Entry, link: Link, *, touched: float, now: float, retry_seconds: int) -> bool:
    """Whether a link may not be had any more, and is to be erased.

    :param touched: When the file was last changed: once it is claimed, the time of that.
    :param retry_seconds: For how long after its claim the same page may fetch it again.
    """
    if not entry.claim:
        return now >= link.expires
    return now >= min(touched, link.expires) + retry_seconds
