# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and whoever holds a zone, told apart because each has another remedy."""

from __future__ import annotations

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError


class RefusedError(CollectionError):
    """Who we are is known, and this is not allowed to us: an update policy, an IAM policy, an access list."""


class BadKeyError(CollectionError):
    """The key or its secret is wrong, there is none, or the clocks differ."""


class NoZoneError(CollectionError):
    """There is no such zone there, or more than one that it could be."""


class NameServerTimeoutError(CollectionError):
    """No answer in time, or no way to the server. What was sent may have been carried out all the same."""


class ServerFailedError(CollectionError):
    """The server answered that it cannot do its work now."""


class ThrottledError(CollectionError):
    """Asked too often, and again after waiting; nothing was changed by this request."""


class ForeignRecordError(CollectionError):
    """Somebody else's record is in the way, and nobody said that it may be overwritten."""


class LostRaceError(CollectionError):
    """The records are no longer as they were read: somebody changed them in between. Nothing was changed."""


class UnverifiedError(CollectionError):
    """The records are written, and a server of the zone does not answer with them."""
