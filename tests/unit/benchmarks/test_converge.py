"""The pure parts of the converge benchmark."""

from __future__ import annotations

import pytest
from benchmarks._playbook_runs import PlaybookRun, parse_output
from benchmarks.converge import limit

OUTPUT = """
TASK [privatespace.gateway.openvpn : Harden the units] ****
ok: [gateway10]

RUNNING HANDLER [privatespace.gateway.openvpn : Reload] ****
ok: [gateway10]

PLAY RECAP ****
authority1                 : ok=28   changed=0    unreachable={unreachable}    failed=0    skipped=6
gateway10                  : ok=70   changed=2    unreachable=0    failed={failed}    skipped=36   rescued=0
"""


def test_tasks_count_once_and_results_for_each_host() -> None:
    assert parse_output(OUTPUT.format(unreachable=0, failed=0), 3.5) == PlaybookRun(3.5, tasks=2, results=98, changed=2)


@pytest.mark.parametrize("fault", [{"unreachable": 1, "failed": 0}, {"unreachable": 0, "failed": 1}])
def test_a_host_that_failed_is_an_error(fault: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="the playbook failed"):
        parse_output(OUTPUT.format(**fault), 1)


def test_no_recap_is_an_error() -> None:
    with pytest.raises(ValueError, match="ERROR! no such playbook"):
        parse_output("ERROR! no such playbook", 1)


def test_the_last_gateways_are_taken() -> None:
    assert limit(1) == "authority1,gateway10"
    assert limit(3) == "authority1,gateway10,gateway9,gateway8"
