# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate a session has shown, as OpenVPN's hook has recorded it, and what to do where nothing is recorded.

There is no record where OpenVPN has no shell (in a chroot), or where it could not be written. Such a session is ended
when a CRL comes into place that lists somebody new: its device connects again, and is judged by that CRL.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import parse_record
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_serials import digest_serials, has_more
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import Session

MODE = 0o644
# OpenVPN tells when a session began in whole seconds.
_SECOND = 1


class SessionRecords:
    """The records of this gateway.

    :param folder: They lie there by process and common name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def serial_of(self, session: Session, owner: str) -> int | None:
        """The serial number of the certificate of a session; ``None`` where that is not known.

        One that was recorded before the session began is of an earlier one of the same name.
        """
        path = self.folder / session.listener / owner
        try:
            serial = parse_record(read_optional(path))
            recorded_at = path.stat().st_mtime
        except (CollectionError, OSError):
            return None
        return None if recorded_at + _SECOND < session.connected_since else serial

    def count_missing(self, sessions: Iterable[Session]) -> int:
        """How many sessions are connected of whose certificate nothing is recorded."""
        shown = (one for one in sessions if one.named and one.established)
        return sum(self.serial_of(one, one.common_name) is None for one in shown)


def lists_more(path: Path, revoked: frozenset[int]) -> bool:
    """Whether CRLs list a serial number that those which were enforced last did not.

    :param path: From :func:`keep_enforced`; nothing was enforced where there is none.
    """
    return has_more(revoked, read_optional(path) or b"")


def keep_enforced(path: Path, revoked: frozenset[int]) -> None:
    """Keep for :func:`lists_more` what was enforced.

    :raises CollectionError: it cannot be written.
    """
    write_atomic(path, digest_serials(revoked), mode=MODE)
