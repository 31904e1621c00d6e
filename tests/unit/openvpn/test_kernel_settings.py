"""What is asked of the kernel is checked, compared, and never lowered behind somebody's back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.kernel_settings import (
    KernelPlan,
    parse_assignments,
    parse_kernel_settings,
    plan_kernel_settings,
)


def plan(raw: dict[str, Any], current: str, written: str = "") -> KernelPlan:
    return plan_kernel_settings(
        parse_kernel_settings(raw), current=parse_assignments(current), written=parse_assignments(written)
    )


def values(plan: KernelPlan) -> dict[str, str]:
    return {one.name: one.value for one in plan.wanted}


def test_every_line_has_its_reason() -> None:
    wanted = parse_kernel_settings(
        {
            "forward_ipv6": True, "receive_buffer_limit_bytes": 4194304, "send_buffer_limit_bytes": 4194304,
            "congestion_control": "bbr", "netdev_backlog": 5000, "extra": {"vm.swappiness": 10},
        }
    )  # fmt: skip
    assert {one.name: one.value for one in wanted} == {
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "1",
        "net.core.rmem_max": "4194304",
        "net.core.wmem_max": "4194304",
        "net.ipv4.tcp_congestion_control": "bbr",
        "net.core.netdev_max_backlog": "5000",
        "vm.swappiness": "10",
    }
    assert all(one.reason.endswith(".") for one in wanted)


def test_nothing_that_was_not_asked_for() -> None:
    assert [one.name for one in parse_kernel_settings({})] == ["net.ipv4.ip_forward"]


def test_a_limit_leaves_room_for_the_buffers() -> None:
    assert values(plan({"socket_buffer_bytes": 8388608, "receive_buffer_limit_bytes": 4194304}, "")) == {
        "net.ipv4.ip_forward": "1",
        "net.core.rmem_max": "8388608",
        "net.core.wmem_max": "8388608",
    }
    path = {"measured_path": {"mbit": 1000, "round_trip_ms": 100}}
    assert int(values(plan(path, ""))["net.core.wmem_max"]) > 16_000_000


@pytest.mark.parametrize(
    ("current", "written", "assignments", "kept"),
    [
        ("212992", "", ["net.core.rmem_max=4194304"], []),
        ("4194304", "", [], []),
        ("8388608", "", [], ["net.core.rmem_max"]),
        ("8388608", "# ours\nnet.core.rmem_max = 8388608\n", ["net.core.rmem_max=4194304"], []),
        ("16777216", "net.core.rmem_max = 8388608\n", [], ["net.core.rmem_max"]),
    ],
)
def test_a_greater_limit_of_somebody_else_stays(
    current: str, written: str, assignments: list[str], kept: list[str]
) -> None:
    text = f"net.ipv4.ip_forward = 1\nnet.core.rmem_max = {current}\n"
    found = plan({"receive_buffer_limit_bytes": 4194304}, text, written)
    assert list(found.assignments) == assignments
    assert list(found.kept) == kept
    assert ("net.core.rmem_max" in values(found)) == (not kept)


def test_what_the_kernel_does_not_have_is_named_and_not_set() -> None:
    found = plan({"receive_buffer_limit_bytes": 4194304}, "net.ipv4.ip_forward = 0")
    assert found.missing == ("net.core.rmem_max",)
    assert found.assignments == ("net.ipv4.ip_forward=1",)


def test_white_space_between_numbers_is_no_difference() -> None:
    raw = {"extra": {"net.ipv4.tcp_rmem": "4096 131072 6291456"}}
    assert plan(raw, "net.ipv4.ip_forward = 1\nnet.ipv4.tcp_rmem = 4096\t131072\t6291456").assignments == ()


@pytest.mark.parametrize(
    "raw",
    [
        {"extra": {"net.ipv4.ip_forward": 0}},
        {"extra": {"net.core.rmem_max": 1}},
        {"extra": {"kernel": 1}},
        {"extra": {"vm.swappiness\nkernel.x": 1}},
        {"extra": {"vm.swappiness": "1\nkernel.core_pattern = |/bin/sh"}},
        {"extra": {"kernel.core_pattern": "|/bin/sh"}},
        {"extra": {"../vm.x": 1}},
        {"extra": {"vm.swappiness": True}},
        {"congestion_control": "bbr cubic"},
        {"congestion_control": "bbr\nx"},
        {"netdev_backlog": -1},
        {"netdev_backlog": "1\n2"},
        {"forward_ipv6": "yes"},
        {"ip_forward": 1},
    ],
)
def test_what_would_write_other_lines_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse_kernel_settings(raw)
