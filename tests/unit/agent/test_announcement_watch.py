# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a change of addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import announcement_watch
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.interfaces import InterfaceAddress


def changes(*looks: Sequence[str]) -> list[str]:
    seen = iter([frozenset(InterfaceAddress("eth0", 4, one, fit=True) for one in look) for look in looks])
    return list(announcement_watch.changes(iter([None] * (len(looks) - 1)), lambda: next(seen)))


def test_a_lease_that_was_renewed_is_no_change() -> None:
    assert changes(["8.8.4.4"], ["8.8.4.4"]) == []


def test_what_has_gone_and_come_is_told_once() -> None:
    told = changes(["8.8.4.4"], ["8.8.8.8"], ["8.8.8.8"], ["8.8.8.8", "9.9.9.9"])
    assert told == ["addresses have changed: -8.8.4.4 +8.8.8.8", "addresses have changed: +9.9.9.9"]


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a b"], ["--now\n"]])
def test_what_is_no_unit_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert announcement_watch.main(arguments) == 2
    assert "usage" in capsys.readouterr().err
