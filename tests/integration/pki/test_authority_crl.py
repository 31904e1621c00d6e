# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the authority with a real token: it signs when that is due, and whatever fails leaves the last CRL."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from integration.pki.keeping import Program

GONE = {"name": "alice", "state": "absent"}
MOMENTS = 12


def require_verified(public: Path) -> None:
    done = subprocess.run(
        ["openssl", "crl", "-noout", "-in", str(public / "crl.pem"), "-CAfile", str(public / "ca.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "verify OK" in done.stderr, done.stderr


def test_it_signs_when_due_and_not_otherwise(program: Program) -> None:
    assert "ca: CRL 1, 0 revoked, good until" in program()
    assert (program.number, program.state["problem"], program.state["issuers"][0]["number"]) == (1, "", 1)
    signed_at = program.state["signed_at"]
    assert program() == "", "nothing is new"
    assert (program.number, program.state["signed_at"]) == (1, signed_at)
    program.make_due()
    assert "ca: CRL 2" in program()
    assert program.number == 2
    require_verified(program.public)
    assert "privatespace_authority_crl_run_success 1\n" in program.metrics
    assert 'crl_number{key_label="ca"} 2\n' in program.metrics


def test_it_signs_what_was_revoked_and_the_modules_take_its_crl_for_theirs(program: Program) -> None:
    program()
    program.host.users("alice")
    program.host.users(GONE)
    assert "ca: CRL 2, 1 revoked" in program()
    result = program.host("pki_crl", {"public_folder": str(program.public), "hsm_pin": "wrong"})
    assert (result.changed, result["number"]) == (False, 2)
    assert program.host("pki_info")["audit"]["valid"]


def test_without_anything_due_it_needs_neither_pin_nor_token(program: Program) -> None:
    program()
    program.settings |= {"hsm_module": "/nowhere.so"}
    (program.public / "crl.pem").write_bytes(b"junk")
    assert program(pin=False) == ""
    require_verified(program.public)


def test_a_wrong_pin_is_tried_once(program: Program) -> None:
    """A token locks itself after a few wrong ones, and the timer comes several times a day."""
    program()
    program.make_due()
    program.give_pin("not-the-pin-4711")
    first = program(status=1)
    assert "is wrong" in first
    assert "4711" not in first + (program.host.folder / "crl-state.json").read_text(encoding="utf-8")
    assert "has refused the PIN before, so it was not tried again" in program(status=1)
    since = program.state["problem_since"]
    assert f"touch {program.pin_source}" in program(status=1)
    assert (program.number, program.state["problem_since"]) == (1, since)
    require_verified(program.public)
    assert "privatespace_authority_crl_run_success 0\n" in program.metrics
    program.give_pin(program.host.token.pin)
    assert "as it should be again" in program()
    assert (program.number, program.state["problem"], program.state["problem_since"]) == (2, "", 0)


def test_a_pin_that_was_refused_is_tried_again_once_the_token_was_put_right(program: Program) -> None:
    pin = program.host.token.pin
    program.give_pin("not-the-pin-4711")
    program(status=1)
    (program.folder / "credentials" / "privatespace-hsm-pin").write_text(pin, encoding="utf-8")
    assert "not tried again" in program(status=1), "systemd takes it from a file that is still the same"
    later = time.time_ns() + 10**9
    os.utime(program.pin_source, ns=(later, later))
    program()


def test_a_new_pin_is_proven_though_nothing_is_due(program: Program) -> None:
    """Whoever mistypes it hears of it at once, and not in the week in which the CRL is due."""
    program()
    program.give_pin("not-the-pin-4711")
    assert "is wrong" in program(status=1)
    assert "not tried again" in program(status=1)
    program.give_pin(program.host.token.pin)
    assert program() == "The CRL is as it should be again.\n"
    program.settings |= {"hsm_module": "/nowhere.so"}
    assert program() == "", "once is enough"
    assert program.number == 1


def test_a_token_that_is_down_leaves_the_last_crl(program: Program) -> None:
    program()
    before = (program.public / "crl.pem").read_bytes()
    program.make_due()
    program.settings |= {"hsm_module": str(program.folder / "gone.so")}
    assert "There is no PKCS#11 library" in program(status=1)
    assert (program.public / "crl.pem").read_bytes() == before
    assert "no PKCS#11 library" in program.state["problem"]
    assert program.state["issuers"][0]["number"] == 1, "what there is is told all the same"
    shown = program.show()
    assert "no PKCS#11 library" in shown["last_run"]["problem"]


def test_without_a_pin_it_says_who_has_it(program: Program) -> None:
    assert "systemctl start privatespace-crl.service" in program(status=1, pin=False)


def test_a_crl_that_is_not_signed_again_is_warned_of(program: Program) -> None:
    program()
    program.settings |= {"warning_days": 40}
    program.settings.pop("renewal_days", None)
    assert "expires in 29 days" in program(status=1)
    assert "expires in 29 days" in program.show()["problem"]


def test_two_at_once_wait_for_each_other(program: Program) -> None:
    program()
    program.make_due()
    running = [program.start() for _one in range(3)]
    ends = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], ends
    assert program.number == 2, "the first one signed for all"
    assert program.host("pki_info")["audit"]["valid"]


def test_it_gives_up_waiting_for_a_run_that_does_not_end(program: Program) -> None:
    program()
    program.settings |= {"lock_wait": 0}
    with program.host.store.with_name("authority.db.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is in use by another run" in program(status=1)
    assert program() == "The CRL is as it should be again.\n"


def test_killed_at_any_moment_it_leaves_a_crl_that_verifies(program: Program) -> None:
    """From the first signature on there is always one, and the next run completes what was begun."""
    began = time.monotonic()
    program()
    lasts = time.monotonic() - began
    chance, number, killed = random.Random(20261123), program.number, 0  # noqa: S311 - moments, not keys
    for _moment in range(MOMENTS):
        program.make_due()
        process = program.start()
        time.sleep(chance.uniform(lasts / 3, lasts * 1.1))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        killed += process.returncode == -signal.SIGKILL
        require_verified(program.public)
        assert program.number >= number
        number = program.number
    assert killed, "no kill hit"
    program()
    assert program.host("pki_info")["audit"]["valid"]
    assert program.show()["problem"] == ""


def test_it_shows_every_link(program: Program) -> None:
    program()
    shown = program.show()
    (issuer,) = shown["issuers"]
    assert (shown["problem"], shown["warnings"]) == ("", [])
    assert (issuer["number"], issuer["published"]["number"], issuer["unpublished"]) == (1, 1, 0)
    assert 29 < issuer["days_left"] <= 30
    assert shown["first_end"]["issuer"] == issuer["issuer"]
    assert issuer["issuer"].startswith("CN=")
    assert shown["timer"] == {"wanted": False, "active": False, "next": ""}
    assert shown["last_run"]["signed_at"] == program.state["signed_at"]

    program.host.users("alice")
    program.host.users(GONE)
    assert "Revocations of 'ca' that no CRL lists yet: 1" in program.show()["problem"]
    program.host("pki_crl")
    assert "holds the CRL 1 of 'ca', and 2 was signed" in program.show()["problem"]
    for content in (b"", (program.public / "crl.pem").read_bytes()[:200], b"junk"):
        (program.public / "crl.pem").write_bytes(content)
        assert "holds no CRL of 'ca' that verifies" in program.show()["problem"]
    program.settings |= {"endpoint": "http://127.0.0.1:9/crl.pem"}
    assert "http://127.0.0.1:9/crl.pem does not give the CRL away" in program.show()["problem"]


def test_it_refuses_what_it_cannot_read(program: Program) -> None:
    program.settings |= {"warning_days": 0}
    assert "warning_days" in subprocess_errors(program, "--validate")
    program.settings |= {"warning_days": 10, "store": str(program.folder / "none.db")}
    assert "no authority yet" in subprocess_errors(program, "--show")
    assert program("--validate") == ""


def subprocess_errors(program: Program, argument: str) -> str:
    process = program.start(argument)
    _output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    return errors


def test_the_files_that_were_brought_along_are_all_that_there_are(program: Program) -> None:
    folder = str(program.folder / "python")
    assert not program.host("authority_program", {"path": folder}).changed
    assert not program.host("authority_program", {"path": folder}, check=True).changed
    stale = program.folder / "python/ansible_collections/privatespace/gateway/plugins/module_utils/_pki/gone.py"
    stale.write_text("", encoding="utf-8")
    files = program.host("authority_program", {"path": folder})
    assert (files.changed, stale.exists()) == (True, False)
    assert not any("/_module/" in name or "/_openvpn/" in name for name in files["files"])
    assert program.host("authority_program", {"path": folder, "state": "absent"}).changed
    assert not Path(folder, "ansible_collections/privatespace/gateway").exists()
