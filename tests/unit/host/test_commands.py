"""Programs run by their argument vector, with a deadline and without a shell."""

from __future__ import annotations

import time

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import DeadlineError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import CommandError, run_command


def test_output_errors_and_status_are_kept_apart() -> None:
    done = run_command(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_seconds=10, check=False)
    assert (done.status, done.output, done.errors) == (3, "out\n", "err\n")


def test_a_failing_program_raises_with_its_last_words() -> None:
    with pytest.raises(CommandError, match=r"'sh' ended with status 1: it broke\."):
        run_command(["sh", "-c", "echo first >&2; echo it broke >&2; exit 1"], timeout_seconds=10)


def test_a_silent_failure_says_so() -> None:
    with pytest.raises(CommandError, match="no output"):
        run_command(["false"], timeout_seconds=10)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandError, match="'no-such-program' is not installed"):
        run_command(["no-such-program"], timeout_seconds=10)


def test_a_program_that_hangs_is_ended_at_its_deadline() -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineError, match=r"did not end within 0\.2 s"):
        run_command(["sleep", "30"], timeout_seconds=0.2)
    assert time.monotonic() - began < 5


def test_no_shell_reads_the_arguments() -> None:
    assert run_command(["echo", "$HOME; `id`"], timeout_seconds=10).output == "$HOME; `id`\n"


def test_input_is_handed_over_and_bytes_that_are_no_text_do_not_raise() -> None:
    assert run_command(["cat"], timeout_seconds=10, stdin=b"a\xffb").output == "a\N{REPLACEMENT CHARACTER}b"
