"""Lines that were logged since a moment, from a file that is written, rotated, or gone."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import log_lines
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.log_lines import lines_since, mark_log


def test_only_what_came_later_is_read(tmp_path: Path) -> None:
    log = tmp_path / "udp.log"
    log.write_bytes(b"before\n")
    mark = mark_log(log)
    with log.open("ab") as stream:
        stream.write(b"one\n\xff\x00two\nhalf")
    assert list(lines_since(mark, log, 1)) == [b"one", b"\xff\x00two", b"half"]


def test_a_file_that_was_rotated_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "udp.log"
    log.write_bytes(b"before\nbefore\n")
    mark = mark_log(log)
    log.rename(tmp_path / "udp.log.1")
    log.write_bytes(b"new\n")
    assert list(lines_since(mark, log, 1)) == [b"new"]


def test_one_that_was_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "udp.log"
    log.write_bytes(b"before\nbefore\n")
    mark = mark_log(log)
    log.write_bytes(b"new\n")
    assert list(lines_since(mark, log, 1)) == [b"new"]


def test_one_that_is_gone_has_no_lines(tmp_path: Path) -> None:
    log = tmp_path / "udp.log"
    assert list(lines_since(mark_log(log), log, 1)) == []


def test_of_a_large_file_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "udp.log"
    log.write_bytes(b"".join(b"%08d\n" % number for number in range(10_000)))
    found = list(log_lines._file_lines(log, log_lines.LogMark(), most_bytes=900))
    assert found[-1] == b"00009999"
    assert 90 <= len(found) <= 100


def test_a_line_without_an_end_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "udp.log"
    log.write_bytes(b"x" * 100_000)
    assert {len(line) for line in lines_since(log_lines.LogMark(), log, 1)} <= {log_lines.LONGEST_LINE, 100_000 % 8192}
