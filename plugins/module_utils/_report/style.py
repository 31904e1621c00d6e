# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of the page: light and dark, wide and narrow, screen and paper. Nothing is loaded."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f5f7fa; --surface: #ffffff; --sunk: #eef1f5; --ink: #1a2230; --muted: #536073; --line: #dbe1e9;
  --fault: #b3261e; --hint: #875400; --unknown: #51607a; --ok: #17703f;
  --direct: #6b7789; --udp: #1c66d6; --tcp: #c2570c; --accent: #1f5fbf;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Noto Sans Mono", "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151b; --surface: #1a1f28; --sunk: #232a35; --ink: #e7ebf1; --muted: #a2adbc; --line: #323b49;
    --fault: #ff8d84; --hint: #efb650; --unknown: #a9b7cd; --ok: #62cf95;
    --direct: #99a5b6; --udp: #6ea8ff; --tcp: #f5924a; --accent: #8ab6ff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 var(--sans); overflow-wrap: anywhere;
}
.page { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1, h2, h3, h4, p, ul, ol, dl, figure, pre, table { margin: 0; }
h1 { font-size: 15px; font-weight: 600; color: var(--muted); }
h2 { font-size: 17px; font-weight: 600; }
h3 { font-size: 20px; font-weight: 650; line-height: 1.3; margin: 44px 0 14px; }
h4 { font-size: 18px; font-weight: 650; line-height: 1.35; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.muted { color: var(--muted); }
.fine { color: var(--muted); font-weight: 400; font-size: 13.5px; line-height: 1.4; }

/* What it says first. */
.gateway { padding-top: 20px; }
.gateway + .gateway { margin-top: 56px; border-top: 1px solid var(--line); }
.verdict {
  border-radius: 14px; background: var(--surface); border: 1px solid var(--line); border-top: 4px solid var(--tone);
  padding: 24px 28px 26px;
}
.verdict .name { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; }
.verdict .headline { font-size: 27px; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; margin-top: 10px; }
.fault { --tone: var(--fault); }
.hint { --tone: var(--hint); }
.unknown { --tone: var(--unknown); }
.ok { --tone: var(--ok); }
.badge {
  display: inline-block; border: 1.5px solid var(--tone); color: var(--tone); border-radius: 99px; padding: 1px 11px;
  font-size: 13px; font-weight: 650; line-height: 1.5; white-space: nowrap;
}
.overview { list-style: none; padding: 0; margin: 16px 0 20px; display: grid; gap: 8px; }
.overview li {
  background: var(--surface); border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 10px;
  padding: 10px 16px;
}
.overview a { font-weight: 650; }

/* Findings. */
.findings { display: grid; gap: 14px; }
.finding {
  background: var(--surface); border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 12px;
  padding: 20px 24px 18px;
}
.finding .tags {
  display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; margin-bottom: 8px; font-size: 14px;
}
.finding h4 + p { margin-top: 6px; max-width: 78ch; }
.todo { margin-top: 16px; }
.todo > p { font-weight: 650; font-size: 15px; }
.todo ul { list-style: none; padding: 0; display: grid; gap: 12px; margin-top: 6px; }
.todo li > p { max-width: 78ch; }
pre {
  font: 14px/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; background: var(--sunk);
  border-radius: 8px; padding: 9px 13px; margin-top: 7px;
}
.copy { user-select: all; -webkit-user-select: all; }
details { margin-top: 16px; border-top: 1px solid var(--line); padding-top: 12px; }
details > table { margin-top: 14px; }
summary {
  cursor: pointer; font-weight: 600; font-size: 15px; color: var(--accent); width: fit-content; border-radius: 4px;
}
.evidence { padding-left: 20px; margin-top: 8px; display: grid; gap: 10px; }
.source { color: var(--muted); font-size: 13.5px; }
.plain { padding-left: 20px; display: grid; gap: 5px; max-width: 86ch; }

/* Plots and tables. */
.card {
  background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 20px 24px; min-width: 0;
}
.card + .card, .pair, .card + .pair, .pair + .card { margin-top: 14px; }
.pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 14px;
}
.pair > .card { margin: 0; }
figcaption { margin-bottom: 12px; }
.caption { font-weight: 650; font-size: 17px; line-height: 1.35; }
.plot { display: block; width: 100%; height: auto; overflow: visible; font-family: var(--sans); }
.plot * { stroke-linejoin: round; stroke-linecap: butt; }
.plot text { font-family: var(--sans); }
.narrow { display: none; }
.key {
  list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px; margin-top: 10px;
}
.key li { display: flex; align-items: center; gap: 8px; }
.swatch { width: 22px; height: 0; border-top: 3px solid var(--ink); flex: none; }
.swatch.dashed { border-top-style: dashed; }
.swatch.dotted { border-top-style: dotted; }
.outside { --place: var(--direct); }
.tunnel_udp { --place: var(--udp); }
.tunnel_tcp { --place: var(--tcp); }
.swatch.outside, .swatch.tunnel_udp, .swatch.tunnel_tcp {
  border-top: 9px solid var(--place); border-radius: 3px; width: 14px;
}
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 650; font-size: 17px; line-height: 1.35; padding-bottom: 10px; }
th, td { text-align: left; vertical-align: top; padding: 10px 20px 10px 0; border-top: 1px solid var(--line); }
thead th {
  border-top: 0; padding-top: 0; padding-bottom: 8px; font-size: 13.5px; font-weight: 600; color: var(--muted);
}
thead th, td { overflow-wrap: break-word; }
tbody th { font-weight: 600; }
td:last-child { padding-right: 0; }
.rates th:first-child { width: 30%; }
.value { font-weight: 650; }
.track { height: 8px; border-radius: 4px; background: var(--sunk); margin: 5px 0 4px; overflow: hidden; }
.fill { height: 100%; min-width: 3px; border-radius: 4px; background: var(--place); }
.changes { display: grid; gap: 8px; list-style: none; padding: 0; }
.changes li { padding-left: 26px; position: relative; }
.changes .slower::before, .changes .faster::before { position: absolute; left: 0; font-weight: 700; }
.changes .slower::before { content: "↓" / "slower"; color: var(--fault); }
.changes .faster::before { content: "↑" / "faster"; color: var(--ok); }
footer { margin-top: 56px; border-top: 1px solid var(--line); padding-top: 16px; }

@media (max-width: 700px) {
  .page { padding: 22px 14px 40px; }
  .verdict { padding: 18px 18px 20px; }
  .verdict .headline { font-size: 22px; }
  .finding, .card { padding: 16px 16px 15px; }
  .wide { display: none; }
  .narrow { display: block; }
  table, caption, tbody, tr, th, td { display: block; width: auto; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { border-top: 1px solid var(--line); padding: 10px 0; }
  tbody th, td { border: 0; padding: 2px 0; }
  .rates th:first-child { width: auto; }
  td { margin-top: 4px; }
  td::before { content: attr(data-label); display: block; color: var(--muted); font-size: 13.5px; }
  td:not(:has(.value)) { display: flex; justify-content: space-between; gap: 16px; }
  td.empty { display: none; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --surface: #fff; --sunk: #f1f3f6; --ink: #000; --muted: #444; --line: #c4cad3;
    --fault: #a11c15; --hint: #704500; --unknown: #3d495e; --ok: #0f5a31;
    --direct: #6b7789; --udp: #1c66d6; --tcp: #c2570c; --accent: #000;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11pt; }
  .page { max-width: none; padding: 0; }
  .verdict, .finding, .card, tr, figure { break-inside: avoid; }
  h3, h4 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
