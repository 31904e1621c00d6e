"""The clock knows its zone, and its two forms agree."""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds, utc_now


def test_the_time_is_in_utc_and_says_so() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_both_forms_tell_the_same_time() -> None:
    before = epoch_seconds()
    between = utc_now().timestamp()
    after = epoch_seconds()
    assert before - 0.001 <= between <= after + 0.001
