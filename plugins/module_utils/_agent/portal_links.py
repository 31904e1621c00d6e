# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making and erasing one-time links on this gateway."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_front import require_front
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_spool import (
    Spool,
    add_links,
    require_spool,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.qr_code import render_qr_code
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import common_name, parse_user_name
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.links import Entry, Link
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.plan import (
    Found,
    Steps,
    Wanted,
    check_address,
    check_profiles,
    link_url,
    plan_links,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.sealing import (
    EXTRAS,
    NONCE_BYTES,
    TOKEN_BYTES,
    derive_id,
    encode_token,
    seal,
)

SECONDS_AN_HOUR = 3600
# What the image, Base64 and the names come to, at most, and what is left for others on the disk.
_ROOM_EACH, _ROOM_LEFT = 64 * 1024, 1024 * 1024


class LinkRun:
    """One run."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.present = parameters["state"] == "present"
        self.folder = Path(parameters["folder"])
        self.expires = int(epoch_seconds()) + int(parameters["hours"]) * SECONDS_AN_HOUR

    def decide(self) -> Change[Steps]:
        """Look whether all of it can be done, and what that is; nothing is written."""
        wanted = read_wanted(self.parameters["links"], self.parameters.get("profiles") or {}, present=self.present)
        if self.present:
            check_address(self.parameters["host"], port=self.parameters["port"], hours=self.parameters["hours"])
            check_profiles(wanted)
            _require_libraries(qr_code=self.parameters["qr_code"])
            room = sum(2 * len(each.profile.encode()) + _ROOM_EACH for each in wanted) + _ROOM_LEFT
            self.spool = require_spool(self.folder, room=room)
            require_front(Path(self.parameters["web_part"]), Path(self.parameters["socket"]))
        else:
            self.spool = Spool(self.folder)
        change = plan_links(wanted, self._found(), present=self.present)
        if not self.present:
            return change
        foretold = [self._told(each, "") for each in wanted]
        return Change(change.before, change.after, change.steps, {**change.result, "links": foretold})

    def apply(self, change: Change[Steps]) -> Mapping[str, Any]:
        """Make the new links, and then erase the old ones."""
        steps = change.steps[0]
        made = [(each, os.urandom(TOKEN_BYTES)) for each in steps.make]
        links = [self._sealed(each, token) for each, token in made]
        add_links(self.spool, links)
        try:
            self.spool.erase(steps.erase)
        except FileError as error:
            # Nobody is going to be told the new ones.
            with suppress(FileError):
                self.spool.erase(Entry(link.id).name for link in links)
            raise FileError(error.message, remedy="None was made there.") from error
        if not self.present:
            return {}
        return {"links": [self._told(each, self._url(token)) for each, token in made]}

    def _found(self) -> list[Found]:
        if not self.folder.exists():
            return []
        return [
            Found(kept.entry.name, kept.link.user, kept.link.device, claimed=bool(kept.entry.claim))
            for kept in self.spool.links()
        ]

    def _sealed(self, wanted: Wanted, token: bytes) -> Link:
        profile = {"file_name": wanted.file_name, "profile": wanted.profile}
        extras = {"qr_svg": draw_qr_code(self._url(token)) if self.parameters["qr_code"] else ""}
        return Link(
            id=derive_id(token),
            user=wanted.user,
            device=wanted.device,
            expires=self.expires,
            sealed=seal(token, json.dumps(profile), nonce=os.urandom(NONCE_BYTES)),
            extras=seal(token, json.dumps(extras), nonce=os.urandom(NONCE_BYTES), purpose=EXTRAS),
        )

    def _url(self, token: bytes) -> str:
        return link_url(self.parameters["host"], encode_token(token), port=self.parameters["port"])

    def _told(self, wanted: Wanted, url: str) -> dict[str, str]:
        expires = datetime.fromtimestamp(self.expires, tz=timezone.utc).isoformat()
        return {"user": wanted.user, "device": wanted.device, "url": url, "expires": expires}


def read_wanted(
    links: Sequence[Mapping[str, Any]], profiles: Mapping[str, Any], *, present: bool
) -> tuple[Wanted, ...]:
    """What was asked for.

    :param profiles: By ``USER@DEVICE``.
    :raises InputError: a name is bad, or something is missing; the message holds no profile.
    """
    found = []
    for each in links:
        user, device = parse_user_name(each["user"]), each.get("device") or ""
        if device:
            common_name(user, device)
        if present and not device:
            raise InputError(f"A link for {user} names no device.", remedy="Give links[].device.")
        profile = profiles.get(f"{user}@{device}", "")
        if present and not (isinstance(profile, str) and profile):
            raise InputError(f"There is no profile for {user}@{device}.", remedy=f"Give profiles['{user}@{device}'].")
        file_name = each.get("file_name") or f"{user}@{device}.ovpn"
        found.append(Wanted(user, device, profile, file_name))
    return tuple(found)


def draw_qr_code(url: str) -> str:
    """A QR code as an SVG element, to be put into a page."""
    image = render_qr_code(url, kind="svg")
    return image[image.index("<svg") :].strip()


def _require_libraries(*, qr_code: bool) -> None:
    """Find out before anything is made whether all of it can be.

    :raises StateError: a library is missing.
    """
    try:
        seal(bytes(TOKEN_BYTES), "", nonce=bytes(NONCE_BYTES))
        if qr_code:
            draw_qr_code("https://localhost")
    except MissingLibraryError as error:
        raise StateError(
            error.message, remedy="The role portal installs it; run the playbook site with portal_enabled."
        ) from error
