# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long answers took, without traffic and under load."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import PLACES, Echo, Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import share_text
from ansible_collections.privatespace.gateway.plugins.module_utils._report import drawing
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup

WIDTH = 420.0
_LEFT, _RIGHT, _TOP, _ROW, _FOOT = 112.0, 130.0, 6.0, 27.0, 46.0
_SHORT = {"outside": "no VPN", "tunnel_udp": "VPN, UDP", "tunnel_tcp": "VPN, TCP"}
# Where a dot lies in its row, so that they do not hide each other; by turns, not by chance.
_OFFSETS = (0.0, 0.18, -0.18, 0.09, -0.09, 0.27, -0.27)


def draw_latency(path: Path, *, name: str, description: str) -> Markup | None:
    """The plot; nothing where no answer came at all."""
    rows = [
        (place, loaded, echoes)
        for place in PLACES
        for loaded in (False, True)
        if (echoes := [echo for echo in path.echoes if (echo.place, echo.loaded) == (place, loaded)])
    ]
    if not any(echo.rtt is not None for _place, _loaded, echoes in rows for echo in echoes):
        return None
    size = (WIDTH, _TOP + _ROW * len(rows) + _FOOT)
    return drawing.draw(name, description, size=size, paint=partial(_paint, rows=rows))


def _paint(figure: Any, *, rows: Sequence[tuple[str, bool, Sequence[Echo]]]) -> None:
    panel = drawing.add_panel(figure, left=_LEFT, top=_TOP, right=_RIGHT, height=_ROW * len(rows))
    for number, (place, loaded, echoes) in enumerate(rows):
        times = [echo.rtt * 1000 for echo in echoes if echo.rtt is not None]
        color = drawing.PLACE_COLORS.get(place, drawing.MUTED)
        heights = [number + _OFFSETS[index % len(_OFFSETS)] for index in range(len(times))]
        face = color if loaded else "none"
        panel.scatter(times, heights, s=16, facecolors=face, edgecolors=color, linewidths=1, alpha=0.55, clip_on=False)
        if times:
            panel.vlines(median(times), number - 0.36, number + 0.36, color=drawing.INK, linewidth=2)
        told = f"{median(times):.0f} ms" if times else "none"
        beside = {"xycoords": panel.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
        panel.annotate(told, (1, number), (12, 0), fontweight="bold", **beside)
        lost = 1 - len(times) / len(echoes)
        if lost:
            panel.annotate(f"{share_text(lost)} lost", (1, number), (66, 0), color=drawing.BAD, **beside)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_yticks(range(len(rows)))
    panel.set_yticklabels(
        [f"{_SHORT.get(place, '')}, {'load' if loaded else 'idle'}" for place, loaded, *_rest in rows]
    )
    panel.tick_params(axis="y", labelcolor=drawing.INK)
    panel.grid(visible=False)
    panel.grid(visible=True, axis="x")
    panel.set_xlim(left=0)
    drawing.use_few_ticks(panel.xaxis, 5)
    panel.set_xlabel("milliseconds until the answer")
