"""A kill at every step of a claim, and a disk that refuses: nothing is lost, and nothing is given away twice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.portal.service import Page, Service

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_spool import Spool, add_links
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import FileError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.links import (
    Entry,
    Link,
    digest_claim,
)

# A claim notes its time, flushes it, renames, flushes the folder and answers; each is a call of the system.
STEPS = ("utimensat:when=1", "fsync:when=1", "rename:when=1", "fsync:when=2")
SILENT = (OSError, ValueError)


def under_strace(folder: Path, injected: str, *, path: Path | None = None) -> Service:
    where = ("--trace-path", str(path)) if path else ()
    trace = ("-e", f"trace={injected.partition(':')[0]}", "-e", f"inject={injected}", *where)
    return Service(folder, prefix=("strace", "--follow-forks", "--output", str(folder / "strace"), *trace))


def first_answer(page: Page, action: str) -> int:
    """The status, or 0 where the service died instead of answering."""
    try:
        return page.ask(action).status
    except SILENT:
        return 0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return Service(tmp_path).make_link()


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_in_the_middle_of_a_claim_loses_nothing(tmp_path: Path, url: str, step: str) -> None:
    call, _colon, when = step.partition(":")
    service = under_strace(tmp_path, f"{call}:signal=KILL:{when}")
    page = Page(service, url)
    service.start()
    try:
        assert first_answer(page, "claim") == 0
    finally:
        service.kill()

    again = Service(tmp_path)
    again.start()
    try:
        page.service = again
        assert page.open_sealed(page.ask("claim"))
        assert Page(again, url).ask("claim").status == 404, "nobody else gets it"
        assert page.ask("done").status == 200
        assert again.names == []
    finally:
        again.kill()


def test_a_kill_after_the_claim_and_before_the_answer_keeps_it_for_this_page(tmp_path: Path, url: str) -> None:
    service = under_strace(tmp_path, "sendto:signal=KILL:when=7")
    page = Page(service, url)
    service.start()
    try:
        assert 0 in [first_answer(page, "claim") for _time in range(30)]
    finally:
        service.kill()
    again = Service(tmp_path)
    again.start()
    try:
        assert Page(again, url).ask("claim").status == 404
        page.service = again
        assert page.open_sealed(page.ask("claim"))
    finally:
        again.kill()


def test_a_kill_before_it_is_erased_leaves_it_to_be_erased(tmp_path: Path, url: str) -> None:
    page = Page(Service(tmp_path), url)
    path = tmp_path / "links" / Entry(page.id, digest_claim(page.claim)).name
    service = under_strace(tmp_path, "unlink:signal=KILL", path=path)
    page.service = service
    service.start()
    try:
        assert page.ask("claim").status == 200
        first_answer(page, "done")
    finally:
        service.kill()
    again = Service(tmp_path)
    again.start()
    try:
        page.service = again
        assert page.ask("done").status == 200
        assert again.names == []
    finally:
        again.kill()


@pytest.mark.parametrize("refused", ["rename:error=ENOSPC", "fsync:error=EIO", "utimensat:error=EROFS"])
def test_a_disk_that_refuses_gives_nothing_away_and_loses_nothing(tmp_path: Path, url: str, refused: str) -> None:
    service = under_strace(tmp_path, refused)
    page = Page(service, url)
    service.start()
    try:
        reply = page.ask("claim")
        assert (reply.status, reply.body) == (503, {"error": "unavailable"})
        assert int(reply.headers["Retry-After"]) > 0
        assert "Cannot claim a link" in service.log.read_text()
    finally:
        service.kill()
    again = Service(tmp_path)
    again.start()
    try:
        page.service = again
        assert page.open_sealed(page.ask("claim"))
    finally:
        again.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=0700", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_of_links_that_do_not_all_fit_none_is_made(small_disk: Path) -> None:
    links = [Link(f"{number:032x}", "alice", f"d{number}", 1, "x" * 40_000, "") for number in range(5)]
    with pytest.raises(FileError, match="No space left on device"):
        add_links(Spool(small_disk), links)
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_made(small_disk: Path) -> None:
    service = Service(small_disk)
    with pytest.raises(CollectionError, match="is full"):
        service.make_link()
    assert service.names == []
