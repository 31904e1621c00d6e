# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throughput over time beside that without VPN, and below it how busy the gateway was."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Gateway, Sample
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    DIRECTIONS,
    LOW_RATE,
    TCP,
    UDP,
    Path,
    Segment,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    DIRECTION_WORDS,
    PLACE_WORDS,
    capital,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report import drawing
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup

WIDE, NARROW = 1000.0, 360.0
_LEFT, _RIGHT, _TITLE, _FOOT, _GAP = 44.0, 10.0, 26.0, 44.0, 14.0
_UNITS = ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"))
_FULL = 100
# Rounds begin and end a little outside of what was planned.
_LEEWAY_SECONDS = 2.0


def draw_timeline(path: Path, gateway: Gateway, *, name: str, description: str, width: float) -> Markup | None:
    """The plot; nothing where nothing was sent."""
    segments = [segment for segment in path.segments if not segment.error]
    directions = [one for one in DIRECTIONS if any(segment.direction == one for segment in segments)]
    if not directions:
        return None
    samples = samples_during(path, gateway)
    height = 150.0 if width == WIDE else 130.0
    heights = [height] * len(directions) + ([height * 0.6] if samples else [])
    paint = partial(_paint, path=path, gateway=gateway, samples=samples, directions=directions, heights=heights)
    total = sum(_TITLE + one for one in heights) + _GAP * (len(heights) - 1) + _FOOT
    return drawing.draw(name, description, size=(width, total), paint=paint)


def samples_during(path: Path, gateway: Gateway) -> list[tuple[float, Sample]]:
    """What the gateway saw of itself, by seconds since the probe began, by the clock of the probe."""
    ahead = path.clock_offset or 0.0
    timed = [(sample.at + ahead - path.started, sample) for sample in gateway.samples]
    return [(at, sample) for at, sample in timed if -_LEEWAY_SECONDS <= at <= path.seconds + _LEEWAY_SECONDS]


def _paint(
    figure: Any,
    *,
    path: Path,
    gateway: Gateway,
    samples: Sequence[tuple[float, Sample]],
    directions: Sequence[str],
    heights: Sequence[float],
) -> None:
    segments = [segment for segment in path.segments if not segment.error]
    unit, unit_name = _unit(segments)
    top, panels = 0.0, []
    titles = [f"{capital(DIRECTION_WORDS[one])}, {unit_name}" for one in directions]
    for title, height in zip([*titles, "CPU of the gateway, % of one core"], heights):
        panel = drawing.add_panel(figure, left=_LEFT, top=top + _TITLE, right=_RIGHT, height=height)
        panel.annotate(
            title, (-_LEFT + 2, height + 10), xycoords="axes points", fontweight="bold", annotation_clip=False
        )
        panel.set_xlim(0, max(path.seconds, 1.0))
        panel.tick_params(labelbottom=False, bottom=False)
        panels.append(panel)
        top += _TITLE + height + _GAP
    for panel, direction in zip(panels, directions):
        for segment in segments:
            if segment.direction == direction:
                _paint_segment(panel, segment, unit)
        panel.set_ylim(0, _highest(segments) / unit * 1.08 or 1)
        drawing.use_few_ticks(panel.yaxis, 4)
    if samples:
        _paint_cpu(panels[-1], samples, gateway)
    panels[-1].tick_params(labelbottom=True)
    panels[-1].set_xlabel("seconds since the start")


def _paint_segment(panel: Any, segment: Segment, unit: float) -> None:
    color = drawing.PLACE_COLORS.get(segment.place, drawing.MUTED)
    ends = (segment.begin, segment.begin + segment.seconds)
    points = segment.intervals or tuple((at, segment.delivered) for at in ends)
    points = ((segment.begin, points[0][1]), *points)
    times, rates = [at for at, _rate in points], [rate / unit for _at, rate in points]
    is_slow, is_udp = segment.purpose == LOW_RATE, segment.protocol == UDP
    style: Any = (0, (2.5, 1.6)) if is_udp else "solid"
    panel.plot(times, rates, color=color, linewidth=1.2 if is_slow else 2, linestyle=style)
    if not is_slow:
        panel.fill_between(times, rates, color=color, alpha=0.13 if is_udp else 0.2, linewidth=0)
    if is_udp and segment.offered:
        panel.plot(ends, [segment.offered / unit] * 2, color=color, linewidth=1.2, linestyle=(0, (1, 2)))


def _paint_cpu(panel: Any, samples: Sequence[tuple[float, Sample]], gateway: Gateway) -> None:
    transports = {listener.name: listener.transport for listener in gateway.listeners}
    for name in sorted({sample.listener for _at, sample in samples}):
        own = sorted((at, sample.cpu * _FULL) for at, sample in samples if sample.listener == name)
        color = {TCP: drawing.TCP, UDP: drawing.UDP}.get(transports.get(name, ""), drawing.MUTED)
        times, shares = [at for at, _share in own], [share for _at, share in own]
        line = panel.plot(times, shares, color=color, drawstyle="steps-pre", linewidth=1.6 if name else 1)[0]
        line.set_linestyle("solid" if name else (0, (1, 1.6)))
    highest = max(sample.cpu for _at, sample in samples) * _FULL
    panel.set_ylim(0, max(_FULL, highest) * 1.05)
    panel.set_yticks([0, _FULL / 2, _FULL])


def _highest(segments: Sequence[Segment]) -> float:
    rates = [segment.delivered for segment in segments]
    rates += [rate for segment in segments for _at, rate in segment.intervals]
    return max([*rates, *(segment.offered or 0.0 for segment in segments)])


def _unit(segments: Sequence[Segment]) -> tuple[float, str]:
    highest = _highest(segments)
    return next(((unit, name) for unit, name in _UNITS if highest >= unit), (1.0, "bit/s"))


def places_of(path: Path) -> list[str]:
    """Where traffic went, for the key."""
    return [place for place in PLACE_WORDS if any(one.place == place and not one.error for one in path.segments)]
