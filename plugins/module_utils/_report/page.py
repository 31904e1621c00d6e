# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML file that loads nothing, runs nothing, and opens from a disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    WEIGHT_WORDS,
    count_text,
    moment_text,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report.findings_part import findings_list, tone
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup, element, join
from ansible_collections.privatespace.gateway.plugins.module_utils._report.measured_part import cpu_part, path_part
from ansible_collections.privatespace.gateway.plugins.module_utils._report.style import STYLE
from ansible_collections.privatespace.gateway.plugins.module_utils._report.tables import comparison_table

# No script, nothing from elsewhere: what the page shows is in the file.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STATUS_WORDS = {**WEIGHT_WORDS, "ok": "Nothing found"}
_PRIVACY = (
    "This page holds addresses and names of the network, and possibly of people: pass it on with care. It loads "
    "nothing and runs no program. Everything that was observed is in the file of the same name that ends in .json."
)


def render_page(report: Mapping[str, Any]) -> str:
    """The file.

    :param report: What ``build_report`` made. :raises MissingLibraryError: Matplotlib is not installed.
    """
    gateways = report["gateways"]
    title = f"Diagnosis of {gateways[0]['name'] if len(gateways) == 1 else count_text(len(gateways), 'gateway')}"
    parts = [element("h1", f"{title}, {moment_text(report['made'])}")]
    if len(gateways) > 1:
        parts.append(_overview(report))
    parts += [_gateway(gateway, number) for number, gateway in enumerate(gateways, 1)]
    body = join(element("main", *parts), element("footer", element("p", _PRIVACY, class_="fine")))
    head = join(
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'),
        element("title", title),
        Markup(f"<style>{STYLE}</style>"),
    )
    page = element("html", element("head", head), element("body", element("div", body, class_="page")), lang="en")
    return f"<!doctype html>\n{page}\n"


def _overview(report: Mapping[str, Any]) -> Markup:
    items = [
        element(
            "li",
            *(element("a", gateway["name"], href=f"#gateway-{number}"), f": {gateway['headline']}"),
            class_=tone(gateway["status"]),
        )
        for number, gateway in enumerate(report["gateways"], 1)
    ]
    return element("nav", element("ul", *items, class_="overview"), aria_label="Gateways")


def _gateway(gateway: Mapping[str, Any], number: int) -> Markup:
    observations = from_plain(Observations, gateway["observations"])
    parts = [_verdict(gateway)]
    if gateway["findings"]:
        parts += [element("h3", "Findings"), findings_list(gateway["findings"])]
    if gateway["comparisons"]:
        parts += [element("h3", "Compared with before"), _history(gateway)]
    for index, path in enumerate(observations.paths, 1):
        parts += path_part(path, observations.gateway, gateway["numbers"], name=f"plot-{number}-{index}")
    parts += cpu_part(gateway["numbers"])
    scope = element("ul", *(element("li", sentence) for sentence in gateway["scope"]), class_="plain")
    parts += [element("h3", "What was looked at, and what was not"), element("div", scope, class_="card")]
    label = f"name-{number}"
    heading = Markup(join(*parts).replace("<h2>", f'<h2 id="{label}">', 1))
    return element("section", heading, class_="gateway", id=f"gateway-{number}", aria_labelledby=label)


def _verdict(gateway: Mapping[str, Any]) -> Markup:
    status = gateway["status"]
    badge = element("span", _STATUS_WORDS.get(status, status), class_="badge")
    name = element("div", element("h2", gateway["name"]), badge, class_="name")
    return element("div", name, element("p", gateway["headline"], class_="headline"), class_=f"verdict {tone(status)}")


def _history(gateway: Mapping[str, Any]) -> Markup:
    told = [one for one in gateway["comparisons"] if one["told"]]
    changes = [
        element(
            "li", text, class_="slower" if any(one["text"] == text and one["change"] < 0 for one in told) else "faster"
        )
        for text in gateway["changes"]
    ]
    summary = (
        element("ul", *changes, class_="changes")
        if changes
        else element("p", "Nothing changed by more than chance does.")
    )
    table = element(
        "details", element("summary", "All figures that could be compared"), comparison_table(gateway["comparisons"])
    )
    return element("div", summary, table, class_="card")
