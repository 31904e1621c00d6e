#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a diagnosis as a page, as text, and as data."""

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnosis_report
short_description: Write the report of a diagnosis, and compare it with earlier ones
version_added: 0.1.0
description:
  - Writes what M(privatespace.gateway.network_diagnosis) found on one or more gateways as a page, as text and as JSON.
    The page is one file that loads nothing and runs nothing; it opens from a disk.
  - Earlier reports in the same folder are the history. What became slower or faster by more than chance is told; the
    rule is in R(How to read a report,ansible_collections.privatespace.gateway.docsite.diagnosis_report).
author:
  - Private Space Gateway contributors (@privatespace)
options:
  results:
    description: One entry for each gateway, as M(privatespace.gateway.network_diagnosis) returned it.
    type: list
    elements: dict
    required: true
    suboptions:
      observations:
        description: What was observed.
        type: dict
        required: true
      findings:
        description: What was found.
        type: list
        elements: dict
        default: []
  path:
    description:
      - The folder of the reports. It is made with mode C(0700) where it is missing; the files in it have mode C(0600).
    type: path
    required: true
  keep:
    description:
      - How many earlier reports are kept. The oldest ones beyond that are removed; a file that this module did not
        write is never removed.
    type: int
    default: 50
  html:
    description: Whether the page is written. Without Matplotlib there is a warning instead of a page.
    type: bool
    default: true
  variables_file:
    description:
      - Where the variables are written that the findings recommend, each below the reason for it. Read the file before
        you include it; this module changes nothing else.
      - A file that holds something else is not overwritten, and nothing is written then.
      - Without it no such file is written.
    type: path
requirements:
  - matplotlib >= 3.5, where the module runs, with O(html=true)
notes:
  - The reports hold addresses and names of the network, and log lines that name people.
attributes:
  check_mode:
    description: Returns the same, and writes and removes nothing.
    support: full
  diff_mode:
    description: Shows the names of the files.
    support: full
  platform:
    description: Runs on the controller, without becoming root.
    support: full
    platforms: posix
seealso:
  - module: privatespace.gateway.network_diagnosis
"""

EXAMPLES = r"""
- name: Write the report of all gateways
  privatespace.gateway.diagnosis_report:
    results: "{{ diagnosed }}"
    path: "{{ playbook_dir }}/diagnosis"
  delegate_to: localhost
  run_once: true
  become: false
  register: report

- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ report.text }}"
  run_once: true
"""

RETURN = r"""
headlines:
  description: One sentence for each gateway.
  returned: success
  type: list
  elements: str
  sample: ["cambridge2: UDP is limited to about 10 Mbit/s on the way to the probe."]
text:
  description: The summary for a terminal, line by line, at most 100 columns but for lines that are to be copied.
  returned: success
  type: list
  elements: str
  sample: ["Diagnosis of 23 November 2026, 15:00 UTC"]
findings_count:
  description: How many findings there are on all gateways.
  returned: success
  type: int
  sample: 1
changes:
  description: What became slower or faster than in earlier reports, sentences by gateway.
  returned: success
  type: dict
  sample: {"cambridge2": []}
paths:
  description: The files of this report by kind, C(json), C(txt) and, if there is one, C(html).
  returned: success
  type: dict
  sample: {"json": "/home/ops/diagnosis/diagnosis-20261123T150000Z.json"}
latest:
  description: The same files under names that stay.
  returned: success
  type: dict
  sample: {"json": "/home/ops/diagnosis/latest.json"}
variables_file:
  description: The file of recommended variables, empty where none was asked for.
  returned: success
  type: str
  sample: /home/ops/diagnosis/recommended.yml
removed:
  description: The files of earlier reports that were removed.
  returned: success
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.report_run import ReportRun
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    result = {
        "observations": {"type": "dict", "required": True},
        "findings": {"type": "list", "elements": "dict", "default": []},
    }
    return {
        "results": {"type": "list", "elements": "dict", "required": True, "options": result},
        "path": {"type": "path", "required": True},
        "keep": {"type": "int", "default": 50},
        "html": {"type": "bool", "default": True},
        "variables_file": {"type": "path"},
    }


def main() -> None:
    """Read the parameters and run."""
    # Without a log: all observations would be written to the journal of the controller.
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, no_log=True)
    work = ReportRun(module.params, epoch_seconds())
    run(module, work.decide, work.apply)


if __name__ == "__main__":
    main()
