# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one probe measured, and how busy the gateway was: plots with their keys, and the same as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Gateway
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import UDP, Path
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    DIRECTION_WORDS,
    PLACE_WORDS,
    capital,
    figures_text,
    rate_text,
    share_text,
    time_text,
    traffic_text,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report.latency import draw_latency
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup, element, join
from ansible_collections.privatespace.gateway.plugins.module_utils._report.route_map import draw_route
from ansible_collections.privatespace.gateway.plugins.module_utils._report.tables import (
    cpu_table,
    hops_table,
    latency_table,
    rates_table,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report.timeline import (
    NARROW,
    WIDE,
    draw_timeline,
    places_of,
    samples_during,
)


def path_part(path: Path, gateway: Gateway, numbers: Mapping[str, Any], *, name: str) -> list[Markup]:
    """Heading, plots and tables of one path."""
    rates = [rate for rate in numbers["rates"] if rate["probe"] == path.probe]
    latencies = [one for one in numbers["latencies"] if one["probe"] == path.probe]
    parts = [element("h3", f"Measured from {path.probe} to {path.address}")]
    parts += _timeline(path, gateway, rates, name)
    if rates:
        parts.append(element("div", rates_table(rates), class_="card"))
    pair = [*_latency(path, latencies, name), *_route(path, name)]
    if pair:
        parts.append(element("div", *pair, class_="pair"))
    return parts


def cpu_part(numbers: Mapping[str, Any]) -> list[Markup]:
    """The table of CPU, where the gateway looked at it."""
    if not numbers["cpu"]:
        return []
    return [element("h3", "How busy the gateway was"), element("div", cpu_table(numbers["cpu"]), class_="card")]


def _timeline(path: Path, gateway: Gateway, rates: Sequence[Mapping[str, Any]], name: str) -> list[Markup]:
    description = _describe_rates(path, rates)
    plots = []
    for kind, width in (("wide", WIDE), ("narrow", NARROW)):
        plot = draw_timeline(path, gateway, name=f"{name}-{kind}", description=description, width=width)
        if plot is not None:
            plots.append(element("div", plot, class_=kind))
    if not plots:
        return []
    has_cpu = bool(samples_during(path, gateway))
    about = "Each stretch is one kind of traffic by itself, in turns; rounds repeat them."
    caption = element(
        "figcaption",
        element(
            "p", "Throughput over time" + (", and the CPU of the gateway below it" if has_cpu else ""), class_="caption"
        ),
        element("p", about, class_="fine"),
        _key(path, has_cpu=has_cpu),
    )
    return [element("figure", caption, *plots, class_="card")]


def _key(path: Path, *, has_cpu: bool) -> Markup:
    entries = [(place, capital(PLACE_WORDS[place])) for place in places_of(path)]
    styles = [("solid", "TCP")]
    if any(segment.protocol == UDP for segment in path.segments):
        styles += [("dashed", "UDP"), ("dotted", "UDP as it was sent")]
    if has_cpu:
        styles.append(("dotted", "Busiest core (CPU)"))
    items = [
        element("li", element("span", class_=f"swatch {kind}", aria_hidden="true"), words)
        for kind, words in [*entries, *styles]
    ]
    return element("ul", *items, class_="key")


def _describe_rates(path: Path, rates: Sequence[Mapping[str, Any]]) -> str:
    told = [
        f"{DIRECTION_WORDS.get(rate['direction'], rate['direction'])}, {traffic_text(rate['place'], rate['protocol'])}:"
        f" {rate_text(rate['median'])}"
        for rate in rates
    ]
    return f"Throughput over {figures_text(path.seconds)} seconds. Medians: {'; '.join(told)}."


def _latency(path: Path, latencies: Sequence[Mapping[str, Any]], name: str) -> list[Markup]:
    if not latencies:
        return []
    told = [
        f"{PLACE_WORDS.get(one['place'], one['place'])}, {'under load' if one['loaded'] else 'idle'}:"
        f" {'no answer' if one['median'] is None else time_text(one['median'])}"
        for one in latencies
    ]
    plot = draw_latency(path, name=f"{name}-latency", description=f"Latency. Medians: {'; '.join(told)}.")
    parts: list[Markup] = []
    if plot is not None:
        about = (
            "Each dot is one ping, hollow without traffic, filled under load; the bar and the figure are the median."
        )
        parts.append(_figure("Latency, idle and under load", about, plot))
    table = element("details", element("summary", "As a table"), latency_table(latencies))
    return [element("div", *parts, table, class_="card")]


def _route(path: Path, name: str) -> list[Markup]:
    told = [
        f"{hop.number}: {time_text(hop.rtt)}, {share_text(hop.lost)} lost"
        if hop.rtt is not None
        else f"{hop.number}: silent"
        for hop in path.hops
    ]
    plot = draw_route(path, name=f"{name}-route", description=f"Map of the path by hops. {'; '.join(told)}.")
    if plot is None:
        return []
    about = (
        "Routers from the probe to the gateway. One may answer late or seldom and still pass everything on:"
        " what counts is the end."
    )
    table = element("details", element("summary", "As a table"), hops_table([asdict(hop) for hop in path.hops]))
    return [element("div", _figure("The path", about, plot), table, class_="card")]


def _figure(title: str, about: str, plot: Markup) -> Markup:
    caption = element("figcaption", element("p", title, class_="caption"), element("p", about, class_="fine"))
    return element("figure", join(caption, plot))
