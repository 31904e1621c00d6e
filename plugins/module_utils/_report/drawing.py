# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots as SVG inside a page: the same input gives the same bytes, and the colours are those of the page.

Matplotlib is given colours that stand for names. In the SVG they become variables of the page's style, so that a plot
is readable in light, in dark and on paper. Texts stay texts: they can be found, copied and enlarged. Nothing that
others wrote gets into a plot but through :func:`label`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup, escape

try:
    import matplotlib as mpl
    from matplotlib import figure as mpl_figure
    from matplotlib import ticker
except ImportError:
    mpl = mpl_figure = ticker = missing_library(
        "matplotlib",
        remedy="Install it where ansible-playbook runs, for the same Python: pip install 'matplotlib>=3.5'.",
    )

# Colours that stand for names; the page's style gives them a value.
INK, MUTED, GRID, SURFACE = "#010101", "#010102", "#010103", "#010104"
DIRECT, UDP, TCP, BAD = "#010105", "#010106", "#010107", "#010108"
_NAMES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "line",
    SURFACE: "surface",
    DIRECT: "direct",
    UDP: "udp",
    TCP: "tcp",
    BAD: "fault",
}
PLACE_COLORS = {"outside": DIRECT, "tunnel_udp": UDP, "tunnel_tcp": TCP}
FONT_SIZE = 12.5
# One unit of a figure is one unit of its SVG.
_UNITS_AN_INCH = 72
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "privatespace.gateway",
    # It comes with matplotlib: what is measured for the layout does not depend on the host.
    "font.family": "DejaVu Sans",
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.left": False,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
}
_LABEL_CHARACTERS = re.compile(r"[^0-9A-Za-z .:_@-]")
_TAG = re.compile(r"<[^>]*>")
_LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", re.DOTALL)
_GROUP = re.compile(r'<g id="[^"]*"')
_REFERENCE = re.compile(r'( id="|href="#|url\(#)')
_COLOR = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
_FONT = re.compile(r"font: (?:[a-z0-9]+ )*?([0-9.]+px) [^;\"]*|font-family: [^;\"]*(?:; )?")
_LONG_NUMBER = re.compile(r"(-?\d+\.\d\d)\d+")
_BLANKS = re.compile(r"\s+")
_BETWEEN = re.compile(r">\s+<")


def draw(name: str, description: str, *, size: tuple[float, float], paint: Callable[[Any], None]) -> Markup:
    """A plot.

    :param name: Letters, digits and hyphens, of its own on the page.
    :param description: What those read who do not see.
    :param size: Width and height. :param paint: Draws into a figure of Matplotlib.
    """
    width, height = size
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        figure = mpl_figure.Figure(figsize=(width / _UNITS_AN_INCH, height / _UNITS_AN_INCH))
        paint(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _embed(text.getvalue(), name, description, size)


def add_panel(figure: Any, *, left: float, top: float, right: float, height: float) -> Any:
    """Axes at a place that is counted in units from the upper left."""
    wide, high = (inches * _UNITS_AN_INCH for inches in figure.get_size_inches())
    return figure.add_axes((left / wide, 1 - (top + height) / high, (wide - left - right) / wide, height / high))


def label(text: str, *, most: int = 40) -> str:
    """A text of others, with nothing in it that could mean something to a program that draws."""
    plain = _LABEL_CHARACTERS.sub("?", text)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


def use_few_ticks(axis: Any, most: int) -> None:
    """At most so many intervals, at round numbers."""
    axis.set_major_locator(ticker.MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))


def _embed(svg: str, name: str, description: str, size: tuple[float, float]) -> Markup:
    body = _LEFT_OUT.sub("", svg[svg.index("<svg") : svg.rindex("</svg>")])
    body = _TAG.sub(lambda tag: _adapt(tag.group(), name), body[body.index(">") + 1 :])
    width, height = size
    start = f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(description)}">'
    return Markup(f"{start}{_BETWEEN.sub('><', body).strip()}</svg>")


def _adapt(tag: str, name: str) -> str:
    tag = _GROUP.sub("<g", _BLANKS.sub(" ", tag))
    tag = _REFERENCE.sub(rf"\g<1>{name}-", tag)
    tag = _COLOR.sub(lambda found: f"{found.group(1)}: {_variable(found.group(2))}", tag)
    tag = _FONT.sub(lambda found: f"font-size: {found.group(1)}" if found.group(1) else "", tag)
    return _LONG_NUMBER.sub(r"\1", tag)


def _variable(color: str) -> str:
    return f"var(--{_NAMES[color]})" if color in _NAMES else color
