# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a clock is right, as chrony or systemd's timesyncd say."""

from __future__ import annotations

import re

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Clock

_CHRONY_FIELDS = 14
# Of a line of "chronyc -c tracking".
_SOURCE_NAME, _SOURCE, _CORRECTION, _LEAP = 0, 1, 4, 13
_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(min|ms|us|µs|ns|h|s|d)")


def judge_clock(*, chrony: str, timedatectl: str, timesync: str) -> Clock:
    """What is known of the clock; whoever keeps it is asked first.

    :param chrony: Of ``chronyc -c tracking``. :param timedatectl: Of ``timedatectl show``.
    :param timesync: Of ``timedatectl timesync-status``; each is empty where it does not answer.
    """
    found = _from_chrony(chrony)
    if found is not None:
        return found
    said = re.search(r"^NTPSynchronized=(yes|no)$", timedatectl, re.MULTILINE)
    synchronised = None if said is None else said.group(1) == "yes"
    server = re.search(r"^\s*Server: (\S{1,255})", timesync, re.MULTILINE)
    offset = re.search(r"^\s*Offset: ([+-]?)(\S.{0,60})$", timesync, re.MULTILINE)
    length = None if offset is None else _parse_length(offset.group(2))
    if server is None or offset is None or length is None:
        return Clock(synchronised, source="" if server is None else server.group(1))
    # It names what has to be added to the clock.
    return Clock(synchronised, length if offset.group(1) == "-" else -length, server.group(1))


def _from_chrony(text: str) -> Clock | None:
    fields = text.strip().split(",")
    if len(fields) != _CHRONY_FIELDS:
        return None
    try:
        correction = float(fields[_CORRECTION])
    except ValueError:
        return None
    # A positive correction is that of a clock that is slow.
    synchronised = fields[_LEAP] in ("Normal", "Insert second", "Delete second")
    source = fields[_SOURCE] or fields[_SOURCE_NAME]
    return Clock(synchronised, -correction if synchronised else None, source if synchronised else "")


def _parse_length(text: str) -> float | None:
    """``1.5ms``, ``1min 2.5s`` and the like in seconds."""
    parts = _PART.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None
