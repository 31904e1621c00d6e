"""Diagnosis: causes of slow VPNs are planted for real, and what is named beside what was planted.

A probe, a path and a gateway of their own for each run: hosts with systemd in namespaces, real OpenVPN, a router that
polices, loses and tells no MTU, a relay that delays and reorders, neighbours on the gateway's core, a lease with a
resolver, an old configuration that is read. The modules of the playbook ``diagnose`` measure and decide as they do
everywhere. A run is right when faults and hints name exactly the causes that were planted. One run per cause, with a
healthy line and several causes at once, with limits for which 60 seconds and 80 MB are enough; fast paths take 200.
Then the confusion matrix: what was planted beside what was named.

Last, what somebody in a call through the same gateway loses while the diagnosis runs at its default limits, on a
gateway whose line carries 100 Mbit/s.

``./lab soak diagnosis`` plays everything three times at the playbook's default limits, and more lines and combinations.
It ends with 1 when a healthy gateway is accused, when a run leaves something behind, and, in the long form, when fewer
than 95 % are right.

Run it with ``./lab bench diagnosis [--json] [--quick]``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._bystander_run import Disturbance, measure_disturbance
from benchmarks._diagnosis_gateway import Gateway, Keys
from benchmarks._diagnosis_path import Stage
from benchmarks._diagnosis_run import Limits, Modules, diagnose, prepare_probe, save
from benchmarks._diagnosis_score import Verdict, alarms_on_healthy, confusion, matrix_lines, score
from benchmarks._hosts import remove_stale_groups
from benchmarks._namespaces import Namespaces
from benchmarks._planted_causes import CASES, HEALTHY, SEVERAL, SINGLE, Case, Play
from benchmarks._rows import Options, Row, Table, parse_options

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import findings

NAME = "diagnosis"
PROGRAMS = (
    "openvpn", "iperf3", "ping", "mtr", "nft", "ip", "tc", "nsenter", "unshare", "pgrep", "gcc", "named", "dnsmasq",
    "dig",
)  # fmt: skip
LEAST_SHARE = 0.95
FAST_LANES = 2
KEPT_FOLDER = "PRIVATESPACE_DIAGNOSIS_KEEP"
QUICK_CASES = ("healthy, 100 Mbit/s", "UDP blocked", "MTU black hole", "stale configuration", "resolver by DHCP")


@dataclass(frozen=True)
class Plan:
    """What is played.

    :param limits: Of each run, and ``fast_limits`` of those that need more.
    :param lanes: How many stages stand side by side: on two cores as many as leave them time. Of fast runs it is two.
    :param rounds: How often everything is played.
    """

    cases: Sequence[Case]
    limits: Limits
    fast_limits: Limits
    lanes: int
    rounds: int = 1
    bystander: bool = True

    def limits_of(self, case: Case) -> Limits:
        """What a run of a case may take."""
        return self.fast_limits if case.fast else self.limits


BENCH = Plan((HEALTHY[0], *SINGLE, SEVERAL[0]), Limits(48, 80), Limits(40, 200), lanes=8)
QUICK = Plan(
    [case for case in CASES if case.name in QUICK_CASES], Limits(17, 40), Limits(17, 40), lanes=5, bystander=False
)
SOAK = Plan(CASES, Limits(), Limits(), lanes=4, rounds=3)


@dataclass
class Theatre:
    """Plays cases, each on a stage of its own."""

    plan: Plan
    modules: Modules
    keys: Keys
    table: Table
    verdicts: list[Verdict] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    _number: Iterable[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play_all(self) -> None:
        """Everything: side by side what can stand it, then one after the other what needs the machine."""
        runs = [case for _round in range(self.plan.rounds) for case in self.plan.cases]
        # The long ones first, so that the short ones fill the gaps.
        light = sorted((case for case in runs if not case.fast), key=lambda case: not case.needs_probe)
        fast = [case for case in runs if case.fast and not case.alone]
        alone = [case for case in runs if case.alone]
        for cases, lanes in ((light, self.plan.lanes), (fast, FAST_LANES), (alone, 1)):
            with ThreadPoolExecutor(lanes) as pool:
                list(pool.map(self.play, cases))

    def play(self, case: Case) -> Verdict:
        """One run."""
        try:
            verdict = self._play(case)
        except (OSError, RuntimeError, ValueError, LookupError, subprocess.SubprocessError) as error:
            verdict = Verdict(case.name, case.expected, frozenset(), error=f"{type(error).__name__}: {error}"[:600])
        with self._lock:
            self.verdicts.append(verdict)
            self.table.say(_line(verdict))
        return verdict

    def _play(self, case: Case) -> Verdict:
        with self._lock:
            lane = f"{next(iter(self._number))}"
        with tempfile.TemporaryDirectory(prefix="psgb", dir="/tmp") as name, Namespaces(Path(name)) as spaces:
            Path(name).chmod(0o755)
            with Stage(spaces, lane, case.played_line()) as stage:
                stage.start_name_server()
                gateway = Gateway(stage.gateway, case.keys(self.keys), case.played_setup())
                gateway.install()
                prepare_probe(stage, gateway)
                with case.planted(Play(stage, gateway)):
                    done = diagnose(stage, self.modules, self.plan.limits_of(case), with_probe=case.needs_probe)
                spaces.end_relays()
        if os.environ.get(KEPT_FOLDER):
            save(Path(os.environ[KEPT_FOLDER]) / f"{lane}-{case.name.replace(' ', '_').replace('/', '-')}.json", done)
        self.left_behind += [f"{case.name}: {each}" for each in done.left_behind]
        named = {
            found["cause"] for found in done.findings
            if found["weight"] == findings.FAULT
            or (found["weight"] == findings.HINT and found["cause"] not in case.true_hints)
        }  # fmt: skip
        unsure = sum(found["weight"] == findings.UNKNOWN for found in done.findings)
        return Verdict(case.name, case.expected, frozenset(named), unsure, done.seconds)


def _line(verdict: Verdict) -> str:
    """A run for people, as soon as it has ended."""
    what = "right" if verdict.is_right else "WRONG"
    told = verdict.error or ", ".join(sorted(verdict.named)) or "nothing"
    missed = f"; missed {', '.join(sorted(verdict.missed))}" if verdict.missed and not verdict.error else ""
    unsure = f"; {verdict.unsure} cannot tell" if verdict.unsure else ""
    return f"{what}  {verdict.case:<32} {verdict.seconds:>5.1f} s  {told}{missed}{unsure}"


def case_row(verdicts: Sequence[Verdict]) -> Row:
    """A row of the runs of one case."""
    found = score(verdicts)
    more = {
        "right": found.right, "false_alarms": found.false_alarms, "missed": found.missed, "failed": found.failed,
        "cannot_tell": sum(each.unsure for each in verdicts),
        "planted": " ".join(sorted(verdicts[0].planted)),
        "named": " ".join(sorted({cause for each in verdicts for cause in each.named})),
        "seconds": max(each.seconds for each in verdicts),
    }  # fmt: skip
    return Row(NAME, verdicts[0].case, found.runs, "right", found.share, more=more, less_is_better=False)


def total_row(verdicts: Sequence[Verdict], left_behind: int) -> Row:
    """The row of all runs."""
    found = score(verdicts)
    more = {
        "right": found.right, "false_alarms": found.false_alarms, "missed": found.missed, "failed": found.failed,
        "false_alarms_on_healthy": alarms_on_healthy(verdicts), "left_behind": left_behind,
    }  # fmt: skip
    return Row(NAME, "all runs", found.runs, "right", found.share, floor=1.0, more=more, less_is_better=False)


def disturbance_row(found: Disturbance) -> Row:
    """What a bystander lost."""
    before, during = found.before, found.during
    more = {
        "lost_before": before.lost_share, "packets": during.packets, "bystander_lost": during.lost,
        "mbit": during.mbit, "mbit_before": before.mbit, "p50_ms": during.p50_ms, "p50_ms_before": before.p50_ms,
        "p99_ms": during.p99_ms, "p99_ms_before": before.p99_ms, "seconds": found.seconds,
    }  # fmt: skip
    return Row(NAME, "a call beside it, packets lost", 1, "share", during.lost_share, more=more)


def is_good(verdicts: Sequence[Verdict], left_behind: Sequence[str], *, soak: bool) -> bool:
    """Whether this may be shown to anybody."""
    found = score(verdicts)
    enough = found.share >= LEAST_SHARE or not soak
    return not alarms_on_healthy(verdicts) and not left_behind and not found.failed and enough


def show(theatre: Theatre) -> None:
    """All rows, and the matrix."""
    for case in dict.fromkeys(each.case for each in theatre.verdicts):
        theatre.table.add(case_row([each for each in theatre.verdicts if each.case == case]))
    theatre.table.add(total_row(theatre.verdicts, len(theatre.left_behind)))
    for line in matrix_lines(confusion(theatre.verdicts), findings.CAUSES):
        theatre.table.say(line)
    for left in theatre.left_behind:
        theatre.table.say(f"left behind: {left}")


def plan_of(options: Options) -> Plan:
    """What is played, by the options."""
    return SOAK if options.soak else QUICK if options.quick else BENCH


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


def main() -> int:
    """Play in namespaces that go away again, also after Ctrl-C; 1 where the diagnosis is not good enough."""
    options = parse_options(NAME, __doc__ or "", soak="everything three times, at the playbook's default limits")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not installed: ./lab installs what is missing")
    signal.signal(signal.SIGTERM, _interrupt)
    remove_stale_groups()
    theatre = Theatre(plan_of(options), Modules.build(), Keys(), Table(options))
    try:
        theatre.play_all()
        show(theatre)
        if theatre.plan.bystander:
            theatre.table.add(disturbance_row(measure_disturbance(theatre.modules, theatre.keys, Limits())))
    except KeyboardInterrupt:
        sys.exit("interrupted; the namespaces are gone")
    return int(not is_good(theatre.verdicts, theatre.left_behind, soak=options.soak))


if __name__ == "__main__":
    sys.exit(main())
