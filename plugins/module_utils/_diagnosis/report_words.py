# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a report: numbers with their unit, names of places, and texts of others made harmless for a screen."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime, timezone
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    FAULT,
    HINT,
    LIKELY,
    POSSIBLE,
    UNKNOWN,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DOWN,
    OUTSIDE,
    TUNNEL_TCP,
    TUNNEL_UDP,
    UP,
)

CERTAINTY_WORDS = {
    CERTAIN: ("Certain", "shown by the measurement itself"),
    LIKELY: ("Likely", "the best explanation of what was measured"),
    POSSIBLE: ("Possible", "worth a look"),
}
WEIGHT_WORDS = {FAULT: "Fault", HINT: "Hint", UNKNOWN: "Cannot tell"}
PLACE_WORDS = {OUTSIDE: "without VPN", TUNNEL_UDP: "through VPN over UDP", TUNNEL_TCP: "through VPN over TCP"}
DIRECTION_WORDS = {DOWN: "download", UP: "upload"}
_LINE_BREAKS = "\n\t"
_KILO = 1000.0


def rate_text(rate: float) -> str:
    """A rate with three figures that count.

    >>> rate_text(94_120_000)
    '94.1 Mbit/s'
    """
    value, unit = rate, "bit/s"
    for larger in ("kbit/s", "Mbit/s", "Gbit/s"):
        if abs(value) < _KILO:
            break
        value, unit = value / _KILO, larger
    return f"{figures_text(value)} {unit}"


def range_text(low: float, high: float) -> str:
    """Two rates, the unit once where it is the same.

    >>> range_text(81.7e6, 83.6e6), range_text(9e5, 1.2e6)
    ('81.7 to 83.6 Mbit/s', '900 kbit/s to 1.2 Mbit/s')
    """
    (first, unit), last = rate_text(low).split(" "), rate_text(high)
    return f"{first} to {last}" if last.endswith(f" {unit}") else f"{first} {unit} to {last}"


def capital(text: str) -> str:
    """The text with a capital letter at its beginning, and no other changed."""
    return text[:1].upper() + text[1:]


def time_text(seconds: float) -> str:
    """A time as people say it of networks.

    >>> time_text(0.0123), time_text(2.5)
    ('12.3 ms', '2.5 s')
    """
    return f"{figures_text(seconds * _KILO)} ms" if abs(seconds) < 1 else f"{figures_text(seconds)} s"


def share_text(share: float) -> str:
    """A share in per cent; what is there is never shown as nothing.

    >>> share_text(0.0), share_text(0.0004), share_text(0.031), share_text(0.5)
    ('0 %', '< 0.1 %', '3.1 %', '50 %')
    """
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.0f} %" if share >= 0.1 else f"{share * 100:.1f} %".replace(".0 ", " ")


def bytes_text(size: int) -> str:
    """A size in decimal units, as limits are given.

    >>> bytes_text(200_000_000)
    '200 MB'
    """
    return rate_text(size).replace("bit/s", "B") if size >= _KILO else f"{size} bytes"


def figures_text(value: float) -> str:
    """At most three figures, and no zeros that say nothing."""
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def date_text(epoch: float) -> str:
    """A day in UTC, the month as a word, so that it cannot be mistaken."""
    moment = datetime.fromtimestamp(epoch, timezone.utc)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def moment_text(epoch: float) -> str:
    """A moment in UTC, to the minute."""
    return f"{date_text(epoch)}, {datetime.fromtimestamp(epoch, timezone.utc):%H:%M} UTC"


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


def count_text(count: int, one: str, many: str = "") -> str:
    """A number of things.

    >>> count_text(1, "round"), count_text(2, "round")
    ('1 round', '2 rounds')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def traffic_text(place: str, protocol: str) -> str:
    """What was sent where, such as ``TCP through VPN over UDP``."""
    return f"{protocol.upper()} {PLACE_WORDS.get(place, place)}"


def harmless(text: str) -> str:
    r"""A text of others for a screen: whatever would move, colour or turn round what is shown is spelled out.

    >>> harmless("\x1b[31mred\u202e")
    '\\x1b[31mred\\u202e'
    """
    return "".join(
        ascii(one)[1:-1] if unicodedata.category(one) in _UNSEEN and one not in _LINE_BREAKS else one for one in text
    )


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def variable_line(variable: str, value: Any) -> str:
    """A line for a file of variables. JSON is YAML, and in ASCII nothing in it is invisible.

    >>> variable_line("openvpn_mssfix", 1400), variable_line("openvpn_cipher", "AES-256-GCM")
    ('openvpn_mssfix: 1400', 'openvpn_cipher: "AES-256-GCM"')
    """
    return f"{variable}: {json.dumps(value, sort_keys=True)}"
