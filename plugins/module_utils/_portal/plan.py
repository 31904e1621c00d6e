# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which links a gateway gets and loses, decided before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

HTTPS_PORT = 443
LAST_PORT = 65535
MOST_HOURS = 30 * 24
MOST_PROFILE_BYTES = 256 * 1024
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,150}\.ovpn")


@dataclass(frozen=True)
class Wanted:
    """A link that is wanted, or whose like is to go.

    :param device: Empty, where links are erased, for all devices of the user.
    """

    user: str
    device: str
    profile: str = ""
    file_name: str = ""

    @property
    def subject(self) -> str:
        """As it is written: ``alice@laptop``."""
        return f"{self.user}@{self.device}" if self.device else self.user


@dataclass(frozen=True)
class Found:
    """A link that lies there.

    :param name: The name of its file.
    """

    name: str
    user: str
    device: str
    claimed: bool


@dataclass(frozen=True)
class Steps:
    """What is done: first the new links, all of them or none, then the old ones go."""

    make: tuple[Wanted, ...] = ()
    erase: tuple[str, ...] = ()


def link_url(host: str, token: str, *, port: int = HTTPS_PORT) -> str:
    """The link. What stands behind ``#`` stays in the browser: no server and no proxy is told."""
    where = host if port == HTTPS_PORT else f"{host}:{port}"
    return f"https://{where}/link#{token}"


def check_address(host: str, *, port: int, hours: int) -> None:
    """Look whether a link can be made for this host.

    :raises InputError: naming what is wrong.
    """
    if not _HOST.fullmatch(host):
        raise InputError(
            f"'{shown(host)}' is no name of a host.",
            remedy="Give the name under which browsers find the gateway: dns_zone, acme_names or web_server_names.",
        )
    if not 1 <= port <= LAST_PORT:
        raise InputError(f"{port} is no port.", remedy="There are 1 to 65535.")
    if not 1 <= hours <= MOST_HOURS:
        raise InputError(f"A link cannot wait {hours} hours.", remedy=f"It can for 1 to {MOST_HOURS}.")


def check_profiles(wanted: Iterable[Wanted]) -> None:
    """Look whether links can be made of these.

    :raises InputError: naming the device; never its profile.
    """
    seen = set()
    for each in wanted:
        size = len(each.profile.encode())
        if not 1 <= size <= MOST_PROFILE_BYTES:
            raise InputError(f"The profile of {each.subject} has {size} bytes, not 1 to {MOST_PROFILE_BYTES}.")
        if not _FILE_NAME.fullmatch(require_single_line(each.file_name, what=f"The file name of {each.subject}")):
            raise InputError(
                f"'{shown(each.file_name)}' is no name for the profile of {each.subject}.",
                remedy="Use letters, digits, '@', '.', '_' and '-', and let it end with '.ovpn'.",
            )
        if each.subject in seen:
            raise InputError(f"{each.subject} is there twice.", remedy="A device has one link.")
        seen.add(each.subject)


def plan_links(wanted: Sequence[Wanted], found: Collection[Found], *, present: bool) -> Change[Steps]:
    """Decide what is made and what goes. A new link takes the place of every older one of its device."""
    old = [each for each in found if any(_is_meant(one, each) for one in wanted)]
    make = tuple(wanted) if present else ()
    steps = Steps(make, tuple(sorted(each.name for each in old)))
    before = _shown(old)
    after = {each.subject: "a new link" for each in make}
    return Change(
        before={subject: before.get(subject, "no link") for subject in sorted({*before, *after})},
        after={subject: after.get(subject, "no link") for subject in sorted({*before, *after})},
        steps=(steps,) if steps != Steps() else (),
        result={"erased": sorted(before)},
    )


def _is_meant(wanted: Wanted, found: Found) -> bool:
    return wanted.user == found.user and wanted.device in ("", found.device)


def _shown(found: Iterable[Found]) -> Mapping[str, Any]:
    return {
        f"{each.user}@{each.device}": "a link that is being fetched" if each.claimed else "a link" for each in found
    }
