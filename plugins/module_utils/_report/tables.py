# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the page; on a narrow one every row stands by itself, with the heading of its column beside each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    DIRECTION_WORDS,
    PLACE_WORDS,
    capital,
    count_text,
    range_text,
    rate_text,
    share_text,
    time_text,
    traffic_text,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup, element, join

Row = Mapping[str, Any]
_NOTHING = "–"


def rates_table(rates: Sequence[Row]) -> Markup:
    """What each kind of traffic reached, both directions beside each other."""
    directions = [one for one in DIRECTION_WORDS if any(rate["direction"] == one for rate in rates)]
    highest = max((rate["median"] for rate in rates), default=0.0) or 1.0
    kinds = list(dict.fromkeys((rate["place"], rate["protocol"], rate["port"]) for rate in rates))
    rows = []
    for place, protocol, port in kinds:
        cells: list[Markup | None] = []
        for direction in directions:
            found = [one for one in rates if _kind(one) == (place, protocol, port) and one["direction"] == direction]
            cells.append(_rate_cell(found[0], highest) if found else None)
        told = element("div", f"port {port}", class_="fine") if port else Markup("")
        rows.append((join(traffic_text(place, protocol), told), cells))
    heads = [capital(DIRECTION_WORDS[one]) for one in directions]
    return _table("Rates", "Traffic", heads, rows, class_="rates")


def latency_table(latencies: Sequence[Row]) -> Markup:
    """Round trips by place."""
    rows = []
    for place, words in PLACE_WORDS.items():
        by_load = {bool(one["loaded"]): one for one in latencies if one["place"] == place}
        if by_load:
            rows.append((join(capital(words)), [_latency_cell(by_load.get(loaded)) for loaded in (False, True)]))
    return _table("Time until an answer came", "Way", ["Idle", "Under load"], rows)


def cpu_table(cpu: Sequence[Row]) -> Markup:
    """How busy the gateway was."""
    heads = ["Mean", "Peak", "Waited for a core", "Held back by a quota", "Given to others (steal)"]
    names = ("mean", "peak", "waiting", "throttled", "steal")
    known = [(head, name) for head, name in zip(heads, names) if any(one[name] is not None for one in cpu)]
    rows = []
    for one in cpu:
        title = f"Listener {one['listener']}" if one["listener"] else "Busiest core"
        rows.append((join(title), [_share_cell(one[name]) for _head, name in known]))
    return _table("CPU of the gateway meanwhile, of one core", "Process", [head for head, _name in known], rows)


def hops_table(hops: Sequence[Row]) -> Markup:
    """The routers on the way."""
    rows = []
    for hop in hops:
        time = None if hop["rtt"] is None else join(time_text(hop["rtt"]))
        lost = None if hop["rtt"] is None else join(share_text(hop["lost"]))
        rows.append((join(f"{hop['number']}  {hop['address'] or 'does not answer'}"), [time, lost]))
    return _table("Routers from the probe to the gateway", "Router", ["There and back", "Lost"], rows)


def comparison_table(comparisons: Sequence[Row]) -> Markup:
    """All that could be compared, chance or not."""
    rows = []
    for one in comparisons:
        what = traffic_text(one["place"], one["protocol"])
        where = f"{DIRECTION_WORDS.get(one['direction'], one['direction'])}, {one['probe']}"
        percent = round(one["change"] * 100)
        change = f"{'+' if percent > 0 else '−' if percent < 0 else ''}{abs(percent)} %"
        since = "month before" if one["since"] == "month" else "last report"
        rows.append(
            (
                join(what, element("div", where, class_="fine")),
                [
                    join(rate_text(one["now"])),
                    join(
                        rate_text(one["before"]),
                        element("div", f"{since}, {count_text(one['reports'], 'report')}", class_="fine"),
                    ),
                    join(change),
                    join("told above" if one["told"] else "within what chance does"),
                ],
            )
        )
    return _table("Everything that could be compared", "Traffic", ["Now", "Before", "Difference", "Rule"], rows)


def _kind(rate: Row) -> tuple[str, str, int]:
    return rate["place"], rate["protocol"], rate["port"]


def _rate_cell(rate: Row, highest: float) -> Markup:
    width = max(0.0, min(1.0, rate["median"] / highest)) * 100
    fine = [f"{range_text(rate['low'], rate['high'])} in {count_text(len(rate['rates']), 'round')}"]
    if rate["of_direct"] is not None:
        fine.append(f"{share_text(rate['of_direct'])} of TCP without VPN")
    if rate["lost_low"] is not None:
        fine.append(f"{share_text(rate['lost_low'])} lost at a low rate")
    fill = element("div", class_=f"fill {rate['place']}", style=f"width:{width:.1f}%")
    return join(
        element("div", rate_text(rate["median"]), class_="value"),
        element("div", fill, class_="track"),
        element("div", " · ".join(fine), class_="fine"),
    )


def _latency_cell(latency: Row | None) -> Markup | None:
    if latency is None:
        return None
    middle = "no answer" if latency["median"] is None else time_text(latency["median"])
    fine = [f"{count_text(latency['sent'], 'ping')}, {share_text(latency['lost'])} lost"]
    if latency["peak"] is not None:
        fine.insert(0, f"19 of 20 within {time_text(latency['peak'])}")
    return join(element("div", middle, class_="value"), element("div", " · ".join(fine), class_="fine"))


def _share_cell(share: float | None) -> Markup | None:
    return None if share is None else join(share_text(share))


def _table(
    title: str,
    first: str,
    heads: Sequence[str],
    rows: Sequence[tuple[Markup, Sequence[Markup | None]]],
    *,
    class_: str | None = None,
) -> Markup:
    """Roles are told as well: where a row is shown as a block, a browser no longer takes it for a row."""
    head = element("tr", *(_head_cell(text) for text in (first, *heads)), role="row")
    body = [
        element(
            "tr",
            element("th", name, scope="row", role="rowheader"),
            *(_cell(text, cell) for text, cell in zip(heads, cells)),
            role="row",
        )
        for name, cells in rows
    ]
    return element(
        "table",
        element("caption", title),
        element("thead", head, role="rowgroup"),
        element("tbody", *body, role="rowgroup"),
        class_=class_,
        role="table",
    )


def _head_cell(text: str) -> Markup:
    return element("th", text, scope="col", role="columnheader")


def _cell(head: str, cell: Markup | None) -> Markup:
    empty = "empty" if cell is None else None
    return element("td", _NOTHING if cell is None else cell, role="cell", data_label=head, class_=empty)
