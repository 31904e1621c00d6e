# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of the pages, made from one of the company so that every text can be read (WCAG 2.2, AA)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

# What text needs against what is behind it.
LEAST_CONTRAST = 4.5
# Where the colour stands as text: the darkest of the light surfaces, and the lightest of the dark ones.
LIGHT_SURFACE, DARK_SURFACE = "#e9edf3", "#2a303b"
WHITE, BLACK = "#ffffff", "#000000"
_STEPS = 100
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\Z")


@dataclass(frozen=True)
class Theme:
    """The colours of one appearance, as ``#rrggbb``.

    :param accent: For links, and behind the text of buttons.
    :param on_accent: For text on it.
    :param accent_strong: Behind the text of a button under the pointer.
    """

    accent: str
    on_accent: str
    accent_strong: str


@dataclass(frozen=True)
class Themes:
    """Both appearances.

    :param brand: The colour as it was given, for what holds no text.
    """

    brand: str
    light: Theme
    dark: Theme


def make_themes(color: str) -> Themes:
    """The colours of the pages.

    :raises InputError: it is not a colour.
    """
    if not _COLOR.match(str(color)):
        raise InputError(
            f"portal_color: '{shown(str(color))}' is not a colour.", remedy="Give it as #rrggbb, for example '#1f5fbf'."
        )
    brand = color.lower()
    return Themes(
        brand=brand,
        light=_theme(_until_readable(brand, on=LIGHT_SURFACE, towards=BLACK), strong=BLACK),
        dark=_theme(_until_readable(brand, on=DARK_SURFACE, towards=WHITE), strong=WHITE),
    )


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, from 1 to 21.

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return round((lighter + 0.05) / (darker + 0.05), 2)


def mix(one: str, other: str, share: float) -> str:
    """A colour between two others.

    :param share: How much of the other one, from 0 to 1.

    >>> mix("#ffffff", "#000000", 0.5)
    '#808080'
    """
    pairs = zip(_channels(one), _channels(other))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _theme(accent: str, *, strong: str) -> Theme:
    # Away from the text on it, so that this stays readable.
    on_accent = max((WHITE, BLACK), key=lambda text: contrast(accent, text))
    away = BLACK if on_accent == WHITE else WHITE
    return Theme(accent, on_accent, mix(accent, strong if strong == away else away, 0.2))


def _until_readable(color: str, *, on: str, towards: str) -> str:
    for step in range(_STEPS):
        found = mix(color, towards, step / _STEPS)
        if contrast(found, on) >= LEAST_CONTRAST:
            return found
    return towards


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
