# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to whoever holds a zone: what a provider has to offer, and which file has it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import NameStep
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.backoff import Patience
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    RFC2136,
    ProviderSettings,
    Server,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.records import NameState, RecordKey
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.rfc2136 import Rfc2136Provider
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.route53 import Route53Provider


class Provider(Protocol):
    """Whoever holds the zone. Every method raises the errors of ``_dns/errors.py``."""

    has_weights: bool
    """Whether there are weighted sets."""

    @property
    def calls(self) -> int:
        """Requests sent so far."""

    @property
    def zone(self) -> str:
        """The zone's name; found out where only its identifier is known."""

    def read(self, keys: Sequence[RecordKey], *, marker: bool) -> Mapping[RecordKey, NameState]:
        """What is there now.

        :param marker: Whether our TXT record matters; it is not asked for otherwise.
        """

    def batches(self, steps: Sequence[NameStep]) -> Sequence[Sequence[NameStep]]:
        """The steps in as few parts as can be sent at once, each of which is carried out whole or not at all."""

    def apply(self, steps: Sequence[NameStep]) -> None:
        """Carry out one batch if everything is as it was read.

        :raises LostRaceError: it is not; nothing was changed.
        """

    def is_in_sync(self) -> bool:
        """Whether the provider has told its own servers about everything that was applied."""

    def name_servers(self) -> Sequence[Server]:
        """The servers that answer for the zone."""


def open_provider(settings: ProviderSettings, patience: Patience | None = None) -> Provider:
    """The provider that the settings name. Nothing is sent yet.

    :raises MissingLibraryError: its library is not installed here.
    """
    if settings.provider == RFC2136:
        return Rfc2136Provider(settings)
    return Route53Provider(settings, patience or Patience(sleep=time.sleep, chance=random.random))
