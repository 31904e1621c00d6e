# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report: read what was found and what earlier reports say, make the files, write them, remove the oldest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.report_folder import (
    FILE_MODE,
    is_taken,
    latest_name,
    present_files,
    read_reports,
    write_files,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import MissingLibraryError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import Finding
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.recommendations import (
    recommend,
    render_variables,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report, sort_findings
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_files import (
    KINDS,
    file_name,
    outdated,
    stamp_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.text_report import render_text
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    read_optional,
    require_writable,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._report.page import render_page

# By these a file of recommended variables is known.
_HEAD_LINES = 2


class ReportRun:
    """One run.

    :param parameters: Those of the module. :param now: Seconds since 1970-01-01 UTC.
    """

    def __init__(self, parameters: Mapping[str, Any], now: float) -> None:
        self.folder = Path(parameters["path"])
        self.keep: int = parameters["keep"]
        self.wants_html: bool = parameters["html"]
        self.observations, self.findings = _read_results(parameters["results"])
        self.now = float(int(now))
        chosen = parameters["variables_file"]
        self.variables_file = Path(chosen) if chosen else None
        self.variables = ""
        self.files: dict[str, str] = {}
        self.removed: list[str] = []

    def decide(self) -> Change[str]:
        """Make everything that would be written; nothing is written."""
        if self.keep < 0:
            raise InputError("keep is negative.", remedy="Give the number of earlier reports to keep, 0 or more.")
        before = read_reports(self.folder)
        while is_taken(self.folder, stamp_of(self.now)):
            self.now += 1
        report = build_report(self.observations, self.findings, tuple(before.earlier.values()), self.now)
        lines = render_text(report)
        contents, warnings = self._render(report, lines)
        self._plan_files(contents, list(before.earlier))
        names = [name for name in self.files if not name.startswith(latest_name(""))]
        variables_before = self._plan_variables()
        return Change(
            before={"written": [], "removed": [], "variables": variables_before},
            after={"written": sorted(self.files), "removed": self.removed, "variables": self.variables.splitlines()},
            steps=(*self.files, *self.removed),
            result={
                "paths": {name.rpartition(".")[2]: str(self.folder / name) for name in names},
                "latest": {kind: str(self.folder / latest_name(kind)) for kind in contents},
                "removed": [str(self.folder / name) for name in self.removed],
                "variables_file": str(self.variables_file or ""),
                "headlines": report["headlines"],
                "text": lines,
                "changes": {gateway["name"]: gateway["changes"] for gateway in report["gateways"]},
                "findings_count": sum(len(gateway["findings"]) for gateway in report["gateways"]),
                "warnings": [*before.warnings, *warnings],
            },
        )

    def apply(self, _change: Change[str]) -> Mapping[str, Any]:
        """Write and remove."""
        write_files(self.folder, self.files, self.removed)
        if self.variables_file is not None:
            write_atomic(self.variables_file, self.variables.encode(), mode=FILE_MODE)
        return {}

    def _plan_variables(self) -> list[str]:
        """Make the text of the file of variables; what was in it is returned, line by line."""
        if self.variables_file is None:
            return []
        if self.variables_file.parent != self.folder:
            require_writable(self.variables_file)
        findings = sort_findings([finding for found in self.findings.values() for finding in found])
        self.variables = render_variables(recommend(findings))
        before = (read_optional(self.variables_file) or b"").decode(errors="replace").splitlines()
        if before and before[:_HEAD_LINES] != self.variables.splitlines()[:_HEAD_LINES]:
            raise InputError(
                f"variables_file: {shown(str(self.variables_file))} holds something else than recommended variables,"
                " and would be lost.",
                remedy="Give the path of a file of its own, and include that one.",
            )
        return before

    def _render(self, report: Mapping[str, Any], lines: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        contents = {"json": json.dumps(report, sort_keys=True) + "\n", "txt": "\n".join(lines) + "\n"}
        if self.wants_html:
            try:
                contents["html"] = render_page(report)
            except MissingLibraryError as error:
                return contents, [f"There is no HTML page in this report, text and JSON alone. {error}"]
        return contents, []

    def _plan_files(self, contents: Mapping[str, str], earlier: Sequence[str]) -> None:
        stamp = stamp_of(self.now)
        for kind, text in contents.items():
            self.files[file_name(stamp, kind)] = text
            self.files[latest_name(kind)] = text
        self.removed = present_files(self.folder, outdated(earlier, keep=self.keep))
        # A page of an earlier report under this name would be taken for that of this one.
        stale = [latest_name(kind) for kind in KINDS if kind not in contents]
        self.removed += [name for name in stale if (self.folder / name).is_file()]


def _read_results(results: Sequence[Any]) -> tuple[dict[str, Observations], dict[str, list[Finding]]]:
    observations: dict[str, Observations] = {}
    findings: dict[str, list[Finding]] = {}
    for number, result in enumerate(results, 1):
        try:
            observed = from_plain(Observations, result["observations"])
            found = [from_plain(Finding, finding) for finding in result["findings"] or ()]
        except InputError as error:
            remedy = "Give what network_diagnosis returned, of the same version of the collection."
            raise InputError(f"results, entry {number}: {error.message}", remedy=remedy) from error
        name = observed.gateway.name
        if name in observations:
            raise InputError(f"results: the gateway '{shown(name)}' occurs twice.", remedy="Give each gateway once.")
        observations[name], findings[name] = observed, found
    if not observations:
        raise InputError("results is empty: there is nothing to report.", remedy="Give the results of a gateway.")
    return observations, findings
