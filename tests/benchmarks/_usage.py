"""What a piece of work takes, measured in a fresh process of its own, so that nothing before it counts."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KILOBYTES_A_MEGABYTE = 1024


@dataclass(frozen=True)
class Usage:
    """What was used between :func:`start` and :func:`stop`, in seconds; programs that were run count too.

    :param peak_mb: The most memory that the process, or the largest of the programs that it ran, ever had.
    """

    cpu: float
    wall: float
    peak_mb: float


class Stopwatch:
    """Measures from its making on."""

    def __init__(self) -> None:
        self._cpu, self._wall = _cpu_seconds(), time.perf_counter()

    def stop(self) -> Usage:
        """What was used since."""
        kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        wall, cpu = time.perf_counter() - self._wall, _cpu_seconds() - self._cpu
        return Usage(cpu, wall, kilobytes / KILOBYTES_A_MEGABYTE)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def in_fresh_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of a module returns in a new interpreter.

    :raises RuntimeError: the process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, work, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError as error:
        raise RuntimeError(f"{work.__name__} gave no answer") from error
    finally:
        process.join()


def _answer(sender: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sender.send(work(*arguments))
    sender.close()


def best(usages: list[Usage]) -> Usage:
    """The least of several rounds, of each by itself; the most memory."""
    return Usage(
        min(usage.cpu for usage in usages),
        min(usage.wall for usage in usages),
        max(usage.peak_mb for usage in usages),
    )
