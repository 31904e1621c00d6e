"""Cores, processes and machines are read from the kernel's own texts, and from what is left of them."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import processor_readings as readings
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.processor_readings import (
    CoreTimes,
    Moment,
    ProcessTimes,
    compare_moments,
)

STAT = """cpu  100 0 100 1000 10 0 20 30 5 0
cpu0 60 0 60 400 5 0 15 20 5 0
cpu1 40 0 40 600 5 0 5 10 0 0
intr 12 3
ctxt 99
"""
PROCESS = "812 (openvpn (x) y) S 1 812 812 0 -1 4194560 3000 0 0 0 150 250 0 0 20 0 1 0 8842 11000000 2000"
INTEL = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz
cpu MHz\t\t: 2499.998
flags\t\t: fpu vme aes avx

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz
cpu MHz\t\t: 3100.000
flags\t\t: fpu vme aes avx
"""
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd sha1\nCPU part\t: 0xd0c\n"


def moment(at: float, cores: tuple[CoreTimes, ...], **processes: ProcessTimes) -> Moment:
    return Moment(at, at - 1.7e9, cores, processes)


def test_cores_are_read_one_by_one() -> None:
    assert readings.parse_core_times(STAT) == (CoreTimes(135, 405, 20, 15), CoreTimes(85, 605, 10, 5))


def test_a_process_is_read_behind_its_name_whatever_that_is() -> None:
    assert readings.parse_process_seconds(PROCESS, ticks_per_second=100) == 4.0
    assert readings.parse_start_ticks(PROCESS) == 8842


def test_waiting_for_a_core_is_read() -> None:
    assert readings.parse_schedstat("1500000000 250000000 77\n") == (1.5, 0.25)


@pytest.mark.parametrize(
    ("text", "quota"), [("50000 100000\n", 0.5), ("max 100000\n", None), ("200000 100000", 2.0), ("1 0", None)]
)
def test_a_quota_is_read(text: str, quota: float | None) -> None:
    assert readings.parse_quota(text) == quota


def test_throttling_pressure_and_the_group_are_read() -> None:
    assert readings.parse_throttled("usage_usec 5\nnr_throttled 3\nthrottled_usec 1250000\n") == 1.25
    assert (
        readings.parse_pressure("some avg10=47.83 avg60=55.35 avg300=56.18 total=564936391\nfull avg10=0.00") == 0.4783
    )
    assert readings.find_control_group("0::/system.slice/openvpn-server@udp.service\n").endswith("@udp.service")
    assert readings.find_control_group("0::/../escape\n") == ""
    assert readings.find_control_group("4:cpu:/old\n") == ""


class TestSamples:
    def test_the_machine_is_its_busiest_core(self) -> None:
        before = moment(1.7e9, (CoreTimes(100, 100, 0, 0), CoreTimes(100, 100, 0, 0)))
        after = moment(1.7e9 + 0.25, (CoreTimes(105, 120, 0, 1), CoreTimes(120, 102, 3, 5)))
        (sample,) = compare_moments(before, after)
        assert (sample.listener, sample.cpu, sample.steal, sample.softirq) == ("", 0.8, 0.12, 0.2)
        assert (sample.at, sample.seconds) == (1.7e9 + 0.25, 0.25)

    def test_a_process_is_measured_in_cores(self) -> None:
        before = moment(1.7e9, (), udp=ProcessTimes(10.0, 1.0, 5.0))
        after = moment(1.7e9 + 0.5, (), udp=ProcessTimes(10.45, 1.1, 5.25), tcp=ProcessTimes(1.0))
        (sample,) = compare_moments(before, after)
        assert (sample.listener, sample.cpu, sample.waiting, sample.throttled) == ("udp", 0.9, 0.2, 0.5)

    def test_what_is_not_known_stays_so(self) -> None:
        (sample,) = compare_moments(moment(1.7e9, (), udp=ProcessTimes(1)), moment(1.7e9 + 1, (), udp=ProcessTimes(2)))
        assert (sample.cpu, sample.waiting, sample.throttled) == (1.0, None, None)

    def test_a_process_that_was_started_anew_is_left_out(self) -> None:
        assert compare_moments(moment(1.7e9, (), udp=ProcessTimes(9)), moment(1.7e9 + 1, (), udp=ProcessTimes(1))) == ()

    def test_no_time_gives_no_sample(self) -> None:
        same = moment(1.7e9, (CoreTimes(1, 1, 0, 0),), udp=ProcessTimes(1))
        assert compare_moments(same, same) == ()


class TestMachine:
    def test_a_server(self) -> None:
        machine = readings.parse_machine(INTEL, "MemTotal:        4013228 kB\nMemFree: 1 kB\n")
        assert (machine.cores, machine.megahertz, machine.has_aes) == (2, 3100.0, True)
        assert machine.model.startswith("Intel(R) Xeon(R)")
        assert machine.memory == 4013228 * 1024

    def test_one_without_aes(self) -> None:
        machine = readings.parse_machine(ARM, "")
        assert (machine.cores, machine.model, machine.has_aes, machine.memory) == (1, "0xd0c", False, None)

    def test_nothing_is_known_of_nothing(self) -> None:
        machine = readings.parse_machine("", "")
        assert (machine.cores, machine.model, machine.has_aes, machine.megahertz) == (1, "", None, None)

    @pytest.mark.parametrize(
        ("firmware", "found"),
        [
            ({"sys_vendor": "Amazon EC2", "product_name": "t3.micro"}, ("aws", "t3.micro")),
            ({"sys_vendor": "Xen", "bios_version": "4.11.amazon", "product_name": "HVM domU"}, ("aws", "")),
            ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, ("google", "")),
            ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, ("", "")),
            ({"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}, ("azure", "")),
            ({"sys_vendor": "Hetzner", "product_name": "vServer"}, ("hetzner", "")),
            ({"sys_vendor": "QEMU"}, ("", "")),
            ({}, ("", "")),
        ],
    )
    def test_whose_machine_it_is(self, firmware: dict[str, str], found: tuple[str, str]) -> None:
        assert readings.judge_cloud(firmware) == found

    @pytest.mark.parametrize(
        ("kind", "burstable"),
        [("t3.micro", True), ("t4g.small", True), ("c5.large", False), ("Standard_B2s", True), ("e2-small", True),
         ("e2-standard-2", False), ("Standard_D2s_v5", False), ("", False)],
    )  # fmt: skip
    def test_who_lives_on_credits(self, kind: str, burstable: bool) -> None:
        assert readings.is_burstable(kind) is burstable


@pytest.mark.parametrize(
    "text", ["", "cpu0", "cpu0 a b c d e f g h", "\x00\xff", "812 (openvpn", "cpu0 1 2 3", "-1 -1 -1"]
)
def test_damaged_texts_are_nothing(text: str) -> None:
    assert readings.parse_core_times(text) == ()
    assert readings.parse_process_seconds(text, ticks_per_second=100) is None
    assert readings.parse_start_ticks(text) is None
    assert readings.parse_schedstat(text) is None
    assert readings.parse_quota(text) is None
    assert readings.parse_throttled(text) is None
    assert readings.parse_pressure(text) is None
