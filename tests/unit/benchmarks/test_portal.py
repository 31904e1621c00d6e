"""How the benchmark of one-time links judges what browsers got."""

from __future__ import annotations

from benchmarks.portal import Browser, judge


def browser(*, got: bool, seconds: float = 0.0, repeated: int = 0) -> Browser:
    return Browser(0, "", "", got=got, seconds=seconds, repeated=repeated)


def test_a_link_is_lost_given_twice_or_right() -> None:
    found = judge(
        [
            [browser(got=True, seconds=1.0, repeated=2), browser(got=False)],
            [browser(got=False), browser(got=False, repeated=1)],
            [browser(got=True, seconds=2.0), browser(got=True, seconds=3.0)],
        ],
        left=1,
    )
    assert (found.lost, found.twice, found.left, found.repeated) == (1, 1, 1, 3)
    assert found.seconds == (1.0, 2.0, 3.0)
