# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway follows what is published by HTTP, and keeps the last good CRL whatever else it is offered."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Authority, wait_for
from integration.revocation.follower import Follower
from integration.revocation.publisher import Publisher, publishing

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import crl_place, revocation, revocation_run
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.web import download
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_serials import read_serials


def test_a_new_crl_comes_into_place_and_is_asked_for_by_its_mark(follower: Follower, publisher: Publisher) -> None:
    assert follower.crl == publisher.content.decode()
    assert (follower.folder / "crl.pem").stat().st_mode & 0o777 == 0o644
    before = (follower.folder / "crl.pem").stat()
    assert follower.run() == 0
    assert publisher.asked == [publisher.etag]
    assert (follower.folder / "crl.pem").stat() == before

    follower.authority.revoked.append(6)
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert follower.crl == publisher.content.decode()
    state = follower.state
    assert (state["number"], state["problem"], state["etag"]) == (2, "", publisher.etag)
    assert state["enforced_sha256"] == state["sha256"]
    assert (follower.folder / "var" / "state.json").stat().st_mode & 0o777 == 0o644


def test_what_a_playbook_has_brought_is_taken_over(follower: Follower, publisher: Publisher) -> None:
    """The mark was given for another CRL, so it is not sent; the same one is offered, and all is well."""
    pushed = follower.authority.crl()
    (follower.folder / "crl.pem").write_text(pushed)
    publisher.content = pushed.encode()
    assert follower.run() == 0
    assert publisher.asked == [""]
    assert follower.run() == 0
    assert publisher.asked == ["", publisher.etag]


def der(text: str) -> bytes:
    return base64.b64decode("".join(text.splitlines()[1:-1]))


def forged(text: str) -> bytes:
    """One bit of what was signed is another one."""
    lines = text.splitlines()
    content = bytearray(der(text))
    content[content.index(b"Test CA") + 40] ^= 1
    return f"{lines[0]}\n{base64.encodebytes(bytes(content)).decode()}{lines[-1]}\n".encode()


def same_number(follower: Follower) -> bytes:
    follower.authority.number = 0
    follower.authority.revoked = []
    return follower.authority.crl().encode()


def older(follower: Follower) -> bytes:
    follower.authority.number = -1
    return follower.authority.crl().encode()


def of(authority: Authority) -> bytes:
    authority.number = 5
    return authority.crl().encode()


def with_lookalike(follower: Follower) -> bytes:
    """A good one, and one that OpenVPN would take for it, because names differ in case only: it expired long ago."""
    forger = Authority("test ca")
    return (follower.authority.crl() + forger.crl(age=timedelta(days=9))).encode()


BAD: dict[str, tuple[Callable[[Follower], bytes], str]] = {
    "truncated": (lambda one: one.authority.crl().encode()[:-60], "complete PEM blocks"),
    "half": (lambda one: one.authority.crl().encode()[:300], "complete PEM blocks"),
    "forged": (lambda one: forged(one.authority.crl()), "not signed by the CA"),
    "of another CA": (lambda _one: of(Authority("Another CA")), "not signed by the CA"),
    "of a CA of the same name": (lambda _one: of(Authority("Test CA")), "not signed by the CA"),
    "same number": (same_number, "not newer"),
    "older": (older, "not newer"),
    "DER": (lambda one: der(one.authority.crl()), "DER"),
    "of the future": (lambda one: one.authority.crl(age=timedelta(hours=-2)).encode(), "in the future"),
    "expired": (lambda one: one.authority.crl(age=timedelta(days=3)).encode(), "expired"),
    "empty": (lambda _one: b"", "empty"),
    "a page": (lambda _one: b"<html><body>Log in to the hotel's network</body></html>", "a page that is no CRL"),
    "two of one CA": (lambda one: (one.authority.crl() + one.authority.crl()).encode(), "There are 2 CRLs"),
    "of a CA whose name is nearly ours": (with_lookalike, "not signed by the CA"),
    "very many": (lambda one: one.authority.crl().encode() + Authority("X").crl().encode() * 200, "201 CRLs"),
    "with words around": (lambda one: b"up /bin/sh\n" + one.authority.crl().encode(), "complete PEM blocks"),
    "another kind": (lambda one: one.authority.pem.encode(), "no CRL"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("revocation", ["crl", "serials"])
def test_what_is_bad_is_refused_told_and_changes_nothing(
    follower: Follower, publisher: Publisher, capfd: pytest.CaptureFixture[str], name: str, revocation: str
) -> None:
    follower.write(revocation=revocation)
    assert follower.run() == 0
    before = follower.state
    good = follower.crl
    make, words = BAD[name]
    publisher.content = make(follower)
    capfd.readouterr()

    assert follower.run() == 1

    state = follower.state
    assert words in state["problem"]
    assert publisher.url in state["problem"]
    assert follower.crl == good
    assert revocation == "crl" or follower.files == {"5"}
    kept = ("etag", "sha256", "number", "next_update", "enforced_sha256", "url")
    assert {key: state[key] for key in kept} == {key: before[key] for key in kept}
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert words in told

    assert follower.run() == 1
    assert capfd.readouterr().err == ""

    follower.authority.number = 40
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert (follower.state["problem"], follower.state["number"]) == ("", 41)


def test_who_stood_between_once_leaves_nothing_behind(follower: Follower, publisher: Publisher) -> None:
    """He hands over the CRL of a CA of his own, and an older one of ours, each with the mark of the newest."""
    follower.authority.revoked.append(6)
    genuine = follower.authority.crl()
    stranger = Authority("Stranger CA")
    stranger.revoked.append(5)
    publisher.content, publisher.mark = (genuine + stranger.crl()).encode(), '"newest"'
    assert follower.run() == 0
    assert follower.crl == genuine
    assert follower.run() == 0
    assert (publisher.asked[-1], follower.crl) == ('"newest"', genuine)

    # What is newest on the authority has that mark; it is fetched all the same, as soon as the mark is old.
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert follower.crl == genuine
    path = follower.folder / "var" / "state.json"
    path.write_text(path.read_text().replace(f'"fetched_at": {follower.state["fetched_at"]}', '"fetched_at": 1000.0'))
    assert follower.run() == 0
    assert follower.crl == publisher.content.decode()


def test_the_crl_of_a_ca_that_has_come_is_fetched_at_once(follower: Follower, publisher: Publisher) -> None:
    """It was published before this gateway knew the CA, so that nothing changes there any more."""
    successor = Authority("Next CA")
    own = follower.authority.crl()
    publisher.content = (own + successor.crl()).encode()
    assert follower.run() == 0
    assert follower.crl == own
    (follower.folder / "ca.crt").write_text(follower.authority.pem + successor.pem)
    assert follower.run() == 0
    assert (follower.crl, publisher.asked[-1]) == (publisher.content.decode(), "")


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ("unasked", 200, "304"),
        ("well", 302, "redirects elsewhere"),
        ("well", 404, "status 404"),
    ],
)
def test_an_answer_that_is_none_is_a_problem_at_once(
    follower: Follower, publisher: Publisher, how: str, status: int, words: str
) -> None:
    with publishing() as elsewhere:
        elsewhere.content = follower.authority.crl().encode()
        publisher.how, publisher.status, publisher.location = how, status, elsewhere.url
        # As if a playbook had brought another one: the question has no mark.
        (follower.folder / "crl.pem").write_text(follower.authority.crl())
        assert follower.run() == 1
        assert elsewhere.asked == []
    assert words in follower.state["problem"]
    assert follower.state["number"] == 3


@pytest.mark.parametrize(
    ("how", "words"),
    [("short", "breaks off"), ("drip", "no answer within 2 s"), ("endless", "longer than 4096 bytes")],
)
def test_an_answer_that_does_not_end_well_is_noted_and_alarmed_if_it_goes_on(
    follower: Follower, publisher: Publisher, how: str, words: str
) -> None:
    good = follower.crl
    publisher.content, publisher.how = follower.authority.crl().encode(), how
    follower.write(longest_bytes=4096)
    assert follower.run() == 0
    assert (follower.crl, follower.state["problem"]) == (good, "")
    assert words in follower.state["notes"][0]
    path = follower.folder / "var" / "state.json"
    path.write_text(path.read_text().replace(f'"answered_at": {follower.state["answered_at"]}', '"answered_at": 1000'))
    assert follower.run() == 1
    assert "No CRL could be fetched since 1970-01-01" in follower.state["problem"]
    assert words in follower.state["problem"]


def test_a_download_that_stands_still_is_given_up_before_its_time_is_over(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_run, "STALL_SECONDS", 0.3)
    publisher.content, publisher.how = follower.authority.crl().encode(), "stall"
    follower.write(download_seconds=50)
    good = follower.crl
    assert follower.run() == 0
    publisher.goes_on.set()
    assert follower.crl == good
    assert "timed out" in follower.state["notes"][0]


def test_a_download_that_is_slow_and_goes_on_comes_into_place(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte in less than it may stand still, and all of them in more."""
    monkeypatch.setattr(revocation_run, "STALL_SECONDS", 0.5)
    publisher.content, publisher.how = follower.authority.crl().encode(), "slow"
    follower.write(download_seconds=50)
    assert follower.run() == 0
    assert follower.crl == publisher.content.decode()


def test_a_crl_that_is_announced_as_too_long_is_not_even_read(follower: Follower, publisher: Publisher) -> None:
    publisher.content = follower.authority.crl().encode() + b"\n" * 5000
    follower.write(longest_bytes=4096)
    good = follower.crl
    follower.run()
    assert follower.crl == good
    assert "longer than 4096 bytes" in follower.state["notes"][0]


def test_nobody_there_is_noted_and_the_next_address_is_asked(follower: Follower, publisher: Publisher) -> None:
    publisher.content = follower.authority.crl().encode()
    follower.write(urls=["http://127.0.0.1:1/crl.pem", "http://no-such-host.invalid/crl.pem", publisher.url])
    assert follower.run() == 0
    assert follower.crl == publisher.content.decode()
    assert "Connection refused" in follower.state["notes"][0]
    assert len(follower.state["notes"]) == 2


def test_a_bad_first_address_does_not_keep_the_good_second_one_away(follower: Follower, publisher: Publisher) -> None:
    with publishing() as stale:
        stale.content = older(follower)
        follower.authority.number = 7
        publisher.content = follower.authority.crl().encode()
        follower.write(urls=[stale.url, publisher.url])
        assert follower.run() == 0
    assert follower.state["number"] == 8
    assert "not newer" in follower.state["notes"][0]


def test_a_first_run_that_reaches_nobody_makes_no_crl_up(tmp_path: Path) -> None:
    alone = Follower(tmp_path)
    alone.write(urls=["http://127.0.0.1:1/crl.pem"])
    assert alone.run() == 1
    assert "There is no good CRL in place: there is none" in alone.state["problem"]
    assert not (tmp_path / "crl.pem").exists()
    assert alone.state["enforced_sha256"] == ""


def test_a_newer_crl_that_came_between_question_and_answer_is_no_problem(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was on its way when a playbook brought a newer one: it is asked again, without an alarm."""
    early = follower.authority.crl()
    pushed = follower.authority.crl()
    publisher.content = early.encode()

    def fetch_and_push(*arguments: Any, **options: Any) -> Any:
        answer = download(*arguments, **options)
        if publisher.content != pushed.encode():
            (follower.folder / "crl.pem").write_text(pushed)
            publisher.content = pushed.encode()
        return answer

    monkeypatch.setattr(revocation_run, "download", fetch_and_push)
    assert follower.run() == 0
    assert (follower.crl, follower.state["problem"], len(publisher.asked)) == (pushed, "", 2)


def test_an_older_one_that_was_judged_before_a_newer_one_came_is_judged_again(
    follower: Follower, publisher: Publisher
) -> None:
    """It waits for the lock that the playbook holds which brings the newer one."""
    early, pushed = follower.authority.crl(), follower.authority.crl()
    publisher.content = early.encode()
    done: list[subprocess.CompletedProcess[str]] = []
    waiting = threading.Thread(target=lambda: done.append(follower.start()))
    with exclusive_lock(follower.folder / "lock", wait_seconds=1, what="The CRL"):
        waiting.start()
        wait_for("question", 20, lambda: publisher.asked)
        # It has judged by the time at which it asks for the lock.
        wait_for("second holder", 20, lambda: has_open(follower.folder / "lock"))
        (follower.folder / "crl.pem").write_text(pushed)
        publisher.content = pushed.encode()
    waiting.join(30)
    assert (follower.crl, done[0].returncode) == (pushed, 0)


def has_open(path: Path) -> bool:
    """Whether another process has a file open."""
    own = f"/proc/{os.getpid()}/"
    links = (one for one in Path("/proc").glob("[0-9]*/fd/*") if not str(one).startswith(own))
    for link in links:
        with contextlib.suppress(OSError):
            if link.readlink() == path:
                return True
    return False


def test_nothing_is_put_in_place_while_somebody_else_does_so(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crl_place, "LOCK_SECONDS", 0.2)
    good = follower.crl
    publisher.content = follower.authority.crl().encode()
    with exclusive_lock(follower.folder / "lock", wait_seconds=1, what="The CRL"):
        assert follower.run() == 1
    assert (follower.crl, "in use by another run" in follower.state["problem"]) == (good, True)
    assert follower.run() == 0
    assert follower.crl == publisher.content.decode()


def test_serial_files_follow_what_is_published(follower: Follower, publisher: Publisher) -> None:
    follower.write(revocation="serials")
    assert follower.run() == 0
    assert follower.files == {"5"}
    follower.authority.revoked = [6, 7]
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert follower.files == {"6", "7"}


def test_a_folder_of_serials_that_went_away_comes_back_although_nothing_is_new(follower: Follower) -> None:
    follower.write(revocation="serials")
    assert follower.run() == 0
    (follower.folder / "revoked" / "5").unlink()
    (follower.folder / "revoked").rmdir()
    assert follower.run() == 0
    assert follower.files == {"5"}


def test_denials_that_wait_for_the_crl_are_lifted_by_it_and_no_others(follower: Follower, publisher: Publisher) -> None:
    waits, other, lasting = (
        follower.deny("users/al", ["6", "7"]),
        follower.deny("devices/bo@x", ["8"]),
        follower.deny("users/cy"),
    )
    assert follower.run() == 0
    assert waits.exists()
    follower.authority.revoked = [6, 7]
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert [path.exists() for path in (waits, other, lasting)] == [False, True, True]


@pytest.mark.parametrize("policy", ["refuse", "keep_serving"])
def test_nobody_may_connect_once_the_crl_has_expired_unless_that_is_wanted(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    expired = follower.folder / "denied" / "expired"
    follower.write(revocation="serials", expired_crl=policy)
    assert follower.run() == 0
    assert not expired.exists()
    later = time.time() + 2 * 86400
    with monkeypatch.context() as patch:
        patch.setattr(revocation, "epoch_seconds", lambda: later)
        assert follower.run() == 1
        assert expired.exists() == (policy == "refuse")
        assert "expired" in follower.state["problem"]
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert not expired.exists()


@pytest.mark.parametrize("revocation", ["crl", "serials"])
@pytest.mark.parametrize("call", ["fchmod", "fsync", "rename", "unlink"])
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(
    follower: Follower, publisher: Publisher, revocation: str, call: str
) -> None:
    """Killed at each of these calls in turn, until a run has so few of them that it ends by itself."""
    follower.write(revocation=revocation)
    assert follower.run() == 0
    for when in range(1, 40):
        follower.authority.revoked = [100 + when, 200 + when]
        publisher.content = follower.authority.crl().encode()
        before = follower.crl
        done = follower.start(prefix=injecting(call, f"signal=KILL:when={when}"))
        assert follower.crl in (before, publisher.content.decode())
        # Nobody whom the CRL in place lists is missing from the folder, at any moment.
        if revocation == "serials":
            assert {str(serial) for serial in read_serials(der(follower.crl))} <= follower.files
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        assert follower.run() == 0
        state = follower.state
        assert (follower.crl, state["problem"]) == (publisher.content.decode(), "")
        assert state["enforced_sha256"] == state["sha256"] == fingerprint(publisher.content)
        assert revocation == "crl" or follower.files == {str(100 + when), str(200 + when)}
    assert 1 < when < 39


def injecting(call: str, what: str) -> tuple[str, ...]:
    """The command line that lets one call of the system go wrong."""
    return "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{what}", "--"


def test_a_disk_that_is_full_keeps_the_old_one(follower: Follower, publisher: Publisher) -> None:
    good = follower.crl
    publisher.content = follower.authority.crl().encode()
    done = follower.start(prefix=injecting("rename", "error=ENOSPC:when=1"))
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert (follower.crl, "No space left" in follower.state["problem"]) == (good, True)


def test_an_alarm_starts_the_units_that_were_named(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tools}/called\n')
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    follower.write(alarm_units=["alarm@vpn.service"])
    publisher.content = b""
    assert (follower.run(), follower.run()) == (1, 1)
    assert (tools / "called").read_text() == "start --no-block -- alarm@vpn.service\n"


def test_people_are_shown_the_state_and_can_ask_for_a_run(
    follower: Follower, publisher: Publisher, capfd: pytest.CaptureFixture[str]
) -> None:
    assert follower.run("--show") == 0
    assert "CRL number 1, signed" in capfd.readouterr().out
    publisher.content = b"<html>"
    assert follower.run("--once") == 1
    assert "PROBLEM since" in capfd.readouterr().out
    assert follower.run("--show") == 1
    assert "a page that is no CRL" in capfd.readouterr().out


def test_openvpn_is_not_kept_waiting_at_boot(follower: Follower, publisher: Publisher) -> None:
    """The attempt is over in time, is no reason not to start OpenVPN, and goes on while nobody answers."""
    follower.write(urls=["http://127.0.0.1:1/crl.pem"], boot_seconds=1)
    assert follower.run("--boot") == 0
    follower.write(urls=[publisher.url])
    follower.authority.revoked.append(9)
    publisher.content = follower.authority.crl().encode()
    assert follower.run("--boot") == 0
    assert follower.crl == publisher.content.decode()


@pytest.mark.parametrize("revocation_mode", ["crl", "serials"])
def test_whoever_only_a_crl_of_the_future_lists_is_kept_out_where_that_is_possible(
    follower: Follower, publisher: Publisher, revocation_mode: str
) -> None:
    """The clock here is behind. In place that CRL would shut out everybody; files of serial numbers have no date."""
    follower.write(revocation=revocation_mode, boot_seconds=1)
    assert follower.run() == 0
    good = follower.crl
    follower.authority.revoked = [6]
    publisher.content = follower.authority.crl(age=timedelta(hours=-2)).encode()
    for options in ((), ("--boot",), ()):
        follower.run(*options)
        assert follower.crl == good
        assert "in the future" in follower.state["problem"]
        assert ("is let in" in follower.state["problem"]) == (revocation_mode == "crl")
        assert revocation_mode == "crl" or follower.files == {"5", "6"}
    # The one in place counts again once that is over.
    follower.authority.revoked = [7]
    publisher.content = follower.authority.crl().encode()
    assert follower.run() == 0
    assert revocation_mode == "crl" or follower.files == {"7"}


def test_a_forged_or_older_crl_of_the_future_keeps_nobody_out(follower: Follower, publisher: Publisher) -> None:
    follower.write(revocation="serials")
    assert follower.run() == 0
    stranger = Authority("Test CA")
    stranger.revoked, stranger.number = [6], 50
    publisher.content = stranger.crl(age=timedelta(hours=-2)).encode()
    assert follower.run() == 1
    follower.authority.revoked, follower.authority.number = [6], -1
    publisher.content = follower.authority.crl(age=timedelta(hours=-2)).encode()
    assert follower.run() == 1
    assert "not newer" in follower.state["problem"]
    assert follower.files == {"5"}


def test_at_boot_it_goes_on_after_a_refusal_until_the_clock_is_right(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.write(boot_seconds=20)
    follower.authority.revoked.append(9)
    publisher.content = follower.authority.crl().encode()
    behind = time.time() - 7200
    monkeypatch.setattr(crl_place, "epoch_seconds", lambda: time.time() if len(publisher.asked) > 2 else behind)
    assert follower.run("--boot") == 0
    assert (follower.crl, len(publisher.asked)) == (publisher.content.decode(), 3)
    assert follower.state["problem"] == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"urls": []}', '{"urls": ["http://x/"], "revocation": "x"}'])
def test_a_configuration_that_cannot_be_used_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str
) -> None:
    broken = Follower(tmp_path)
    (tmp_path / "revocation.json").write_text(content)
    assert broken.run("--validate") == 1
    assert capfd.readouterr().err != ""
    broken.write(urls=["http://x/crl.pem"])
    assert broken.run("--validate") == 0


def test_the_crl_of_openssl_is_read_as_well(tmp_path: Path, publisher: Publisher) -> None:
    """A CA of the program itself: its files, its CRL with entries and reasons."""
    ca = OpensslCa(tmp_path)
    follower = Follower(tmp_path)
    (tmp_path / "ca.crt").write_bytes((tmp_path / "root.pem").read_bytes())
    follower.write(urls=[publisher.url], revocation="serials")
    publisher.content = ca.crl(revoked=[0x1234, 0x80, 0x7FFFFFFFFFFFFFFF])
    assert follower.run() == 0
    assert follower.files == {str(0x1234), "128", str(0x7FFFFFFFFFFFFFFF)}
    assert follower.state["number"] == 0x1000


class OpensslCa:
    """A CA as an administrator makes one by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index.txt\ncrlnumber={folder}/number\ndefault_md=sha256\n"
            f"certificate={folder}/root.pem\nprivate_key={folder}/root.key\ndefault_crl_days=3\ncrl_extensions=crl\n"
            "[crl]\nauthorityKeyIdentifier=keyid\n"
        )
        (folder / "number").write_text("1000\n")
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=By hand", "-days", "5",
                  "-keyout", f"{folder}/root.key", "-out", f"{folder}/root.pem")  # fmt: skip

    def crl(self, *, revoked: list[int]) -> bytes:
        rows = [f"R\t300101000000Z\t260101000000Z,keyCompromise\t{serial:X}\tunknown\t/CN=x\n" for serial in revoked]
        rows = [row.replace(f"\t{serial:X}\t", f"\t{serial:0{len(f'{serial:X}') + len(f'{serial:X}') % 2}X}\t")
                for row, serial in zip(rows, revoked, strict=True)]  # fmt: skip
        (self.folder / "index.txt").write_text("".join(rows))
        self._run("ca", "-config", f"{self.folder}/ca.cnf", "-gencrl", "-out", f"{self.folder}/hand.pem")
        return (self.folder / "hand.pem").read_bytes()

    @staticmethod
    def _run(*arguments: str) -> None:
        subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=30)
