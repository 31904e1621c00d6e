# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small map of the path: its routers from the probe to the gateway, how far away and how lossy each is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Hop, Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import share_text
from ansible_collections.privatespace.gateway.plugins.module_utils._report import drawing
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup

WIDTH = 420.0
_LEFT, _RIGHT, _TOP, _ROW, _FOOT = 178.0, 84.0, 6.0, 27.0, 46.0
MOST_HOPS = 30


def draw_route(path: Path, *, name: str, description: str) -> Markup | None:
    """The plot; nothing where the way was not looked for."""
    hops = path.hops[:MOST_HOPS]
    if not hops:
        return None
    size = (WIDTH, _TOP + _ROW * len(hops) + _FOOT)
    return drawing.draw(name, description, size=size, paint=partial(_paint, hops=hops))


def _paint(figure: Any, *, hops: Sequence[Hop]) -> None:
    panel = drawing.add_panel(figure, left=_LEFT, top=_TOP, right=_RIGHT, height=_ROW * len(hops))
    known = [(number, hop) for number, hop in enumerate(hops) if hop.rtt is not None]
    times = [(hop.rtt or 0.0) * 1000 for _number, hop in known]
    panel.plot(times, [number for number, _hop in known], color=drawing.DIRECT, linewidth=1.5, alpha=0.6)
    for (number, _hop), time in zip(known, times):
        color = drawing.BAD if _is_lossy(hops[number:]) else drawing.DIRECT
        panel.plot([time], [number], "o", markersize=9, color=color, markeredgecolor=drawing.SURFACE, clip_on=False)
    for number, hop in enumerate(hops):
        lost = hop.lost > 0 and hop.rtt is not None
        told = f"{share_text(hop.lost)} lost" if lost else "" if hop.rtt is not None else "silent"
        counts = lost and _is_lossy(hops[number:])
        color = drawing.BAD if counts else drawing.MUTED
        weight = "bold" if counts else "normal"
        panel.text(
            1.04, number, told, transform=panel.get_yaxis_transform(), va="center", color=color, fontweight=weight
        )
    panel.set_ylim(len(hops) - 0.5, -0.5)
    panel.set_yticks(range(len(hops)))
    panel.set_yticklabels([f"{hop.number}  {drawing.label(hop.address, most=22) or 'no answer'}" for hop in hops])
    panel.tick_params(axis="y", labelcolor=drawing.INK)
    panel.grid(visible=False)
    panel.grid(visible=True, axis="x")
    panel.set_xlim(left=0, right=max([*times, 1.0]) * 1.05)
    drawing.use_few_ticks(panel.xaxis, 4)
    panel.set_xlabel("milliseconds, there and back")


def _is_lossy(hops: Sequence[Hop]) -> bool:
    """Whether a router loses what should pass: then all that answer behind it miss something, too."""
    return all(hop.lost > 0 for hop in hops if hop.rtt is not None)
