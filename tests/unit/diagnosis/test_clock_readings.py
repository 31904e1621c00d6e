"""Whether a clock is right, as those say who keep it."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.clock_readings import judge_clock

CHRONY = "A29FC87B,{source},4,1715767202.1,{correction},0.000012,0.0001,-1.5,0.0,0.1,0.02,0.001,64.2,{leap}\n"
SHOWN = "Timezone=Etc/UTC\nLocalRTC=no\nCanNTP=yes\nNTP=yes\nNTPSynchronized={}\nTimeUSec=Mon\n"
TIMESYNC = """       Server: 192.0.2.123 (0.debian.pool.ntp.org)
Poll interval: 34min 8s (min: 32s; max 34min 8s)
         Leap: normal
       Offset: {}
"""


@pytest.mark.parametrize(("correction", "offset"), [("0.25", -0.25), ("-0.25", 0.25)])
def test_chrony_tells_what_it_still_has_to_correct(correction: str, offset: float) -> None:
    text = CHRONY.format(source="192.0.2.123", correction=correction, leap="Normal")
    clock = judge_clock(chrony=text, timedatectl=SHOWN.format("no"), timesync="")
    assert (clock.synchronised, clock.offset, clock.source) == (True, offset, "192.0.2.123")


def test_chrony_without_a_source_knows_no_offset() -> None:
    text = CHRONY.format(source="", correction="0.0", leap="Not synchronised")
    clock = judge_clock(chrony=text, timedatectl=SHOWN.format("yes"), timesync="")
    assert (clock.synchronised, clock.offset, clock.source) == (False, None, "")


@pytest.mark.parametrize(
    ("said", "offset"), [("-1.5ms", 0.0015), ("+250us", -0.00025), ("+1min 2s", -62.0), ("3.5s", -3.5), ("n/a", None)]
)
def test_timesyncd_tells_what_is_to_be_added(said: str, offset: float | None) -> None:
    clock = judge_clock(chrony="", timedatectl=SHOWN.format("yes"), timesync=TIMESYNC.format(said))
    assert clock.synchronised is True
    assert clock.source == "192.0.2.123"
    assert clock.offset == (None if offset is None else pytest.approx(offset))


@pytest.mark.parametrize(("said", "synchronised"), [("yes", True), ("no", False)])
def test_without_both_the_kernel_is_believed(said: str, synchronised: bool) -> None:
    clock = judge_clock(chrony="506 Cannot talk to daemon\n", timedatectl=SHOWN.format(said), timesync="")
    assert (clock.synchronised, clock.offset) == (synchronised, None)


def test_nobody_knows_without_an_answer() -> None:
    assert judge_clock(chrony=",,,,,,,,,,,,,", timedatectl="", timesync="\x00").synchronised is None
