"""The program that writes the state of a gateway, installed by its module and run beside a removal."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import Vpn, running
from integration.run_module import CHECKOUT, RunModule
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.privatespace.gateway.plugins.module_utils._agent import metrics
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.gateway_state import Question

RUN_PROGRAM = CHECKOUT / "roles/openvpn/files/run_program.py"
PROGRAM = "ansible_collections/privatespace/gateway/plugins/module_utils/_agent/metrics.py"


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    with running() as vpn:
        yield vpn


def samples(path: Path) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(path.read_text())
    return {
        (sample.name.removeprefix("privatespace_openvpn_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def question(vpn: Vpn, **options: Any) -> Question:
    given: dict[str, Any] = {"timeout_seconds": metrics.PATIENCE_SECONDS, "answers_required": False, **options}
    return Question(
        vpn.sockets, crl_path=vpn.crl_path, ca_path=vpn.folder / "ca.crt",
        certificate_path=vpn.folder / "server.crt", **given,
    )  # fmt: skip


def test_it_is_installed_whole_runs_alone_and_leaves_nothing_behind(tmp_path: Path, run_module: RunModule) -> None:
    folder = tmp_path / "lib" / "python"
    foretold = run_module("gateway_program", {"path": str(folder)}, check=True, diff=True)
    assert (foretold.changed, folder.exists()) == (True, False)
    assert run_module("gateway_program", {"path": str(folder)}).changed
    assert (folder / PROGRAM).read_bytes() == (CHECKOUT / "plugins/module_utils/_agent/metrics.py").read_bytes()
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.py")} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_dir()} == {0o755}
    assert not list(folder.rglob("_module"))
    assert not run_module("gateway_program", {"path": str(folder)}).changed

    program, written = folder.parent / "run_program.py", tmp_path / "privatespace.prom"
    program.write_bytes(RUN_PROGRAM.read_bytes())
    argv = ("/usr/bin/python3", "-I", str(program), "metrics", str(written))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert written.stat().st_mode & 0o777 == 0o644
    assert samples(written)["scrape_success",] == 1

    old = folder / Path(PROGRAM).parent / "old" / "gone.py"
    old.parent.mkdir()
    old.write_text("")
    (folder / PROGRAM).write_text("")
    assert run_module("gateway_program", {"path": str(folder)}).changed
    assert not old.parent.exists()
    assert (folder / PROGRAM).read_text() != ""
    assert run_module("gateway_program", {"path": str(folder), "state": "absent"}).changed
    assert not list(folder.rglob("*.py*"))
    assert not run_module("gateway_program", {"path": str(folder), "state": "absent"}).changed


def test_a_folder_that_is_missing_is_an_error_that_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert metrics.main([str(tmp_path / "none" / "x.prom")], question=Question([])) == 1
    assert "x.prom" in capsys.readouterr().err
    assert metrics.main([]) == 2


def test_a_removal_beside_a_reader_that_never_stops_asking_cuts_and_proves(
    vpn: Vpn, run_module: RunModule, tmp_path: Path
) -> None:
    """The management socket takes one client at a time; whoever only reads is brief, and gives way."""
    written, stop, statuses = tmp_path / "privatespace.prom", threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            statuses.append(metrics.main([str(written)], question=question(vpn)))

    clients = [vpn.connect(f"cut@{number}", protocol) for number, protocol in enumerate(("udp", "tcp"))]
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for client, number in zip(clients, range(2), strict=True):
            name = f"cut@{number}"
            given = {"management_sockets": vpn.sockets, "common_names": [name]}
            result = run_module("openvpn_session", given)
            assert [one["common_name"] for one in result["sessions_cut"]] == [name]
            client.stop()
    finally:
        stop.set()
        reader.join(30)
    assert len(statuses) > 5
    assert set(statuses) == {0}


def test_what_it_writes_is_what_is(vpn: Vpn, tmp_path: Path) -> None:
    client = vpn.connect("seen@laptop")
    written = tmp_path / "privatespace.prom"
    assert metrics.main([str(written)], question=question(vpn)) == 0
    found = samples(written)
    assert (found["listener_up", "udp"], found["sessions", "udp"], found["sessions", "tcp"]) == (1, 1, 0)
    assert found["user_received_bytes_total", "udp", "seen@laptop"] > 0
    assert found["crl_valid",] == 1
    assert found["crl_number", "CN = Test CA"] == vpn.authority.number
    assert found["certificate_expiry_timestamp_seconds",] > found["scrape_timestamp_seconds",]
    client.stop()


def test_a_reader_gives_up_in_time_when_somebody_holds_the_socket(vpn: Vpn, tmp_path: Path) -> None:
    written = tmp_path / "privatespace.prom"
    holder = subprocess.Popen(
        ("/usr/bin/python3", "-c", HOLD, vpn.sockets[0]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert os.read(holder.stdout.fileno(), 64)
        assert metrics.main([str(written)], question=question(vpn, timeout_seconds=0.5)) == 0
    finally:
        holder.communicate()
    found = samples(written)
    assert (found["scrape_success",], found["listener_up", "udp"], found["listener_up", "tcp"]) == (0, 0, 1)
    assert metrics.main([str(written)], question=question(vpn)) == 0
    assert samples(written)["scrape_success",] == 1


HOLD = """
import socket, sys
held = socket.socket(socket.AF_UNIX)
held.connect(sys.argv[1])
sys.stdout.buffer.write(held.recv(64))
sys.stdout.flush()
sys.stdin.read()
"""


def test_what_everybody_may_know_is_written_where_web_pages_show_it(vpn: Vpn, tmp_path: Path) -> None:
    public = tmp_path / "web"
    status, crl = public / "status.json", public / "crl.pem"
    arguments = [str(tmp_path / "privatespace.prom"), str(public)]
    assert metrics.main(arguments, question=question(vpn)) == 0
    assert not public.exists()
    public.mkdir()
    assert metrics.main(arguments, question=question(vpn)) == 0
    assert json.loads(status.read_text())["status"] == "ok"
    assert crl.read_bytes() == vpn.crl_path.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in (status, crl)} == {0o644}
    before = crl.stat().st_ino
    assert metrics.main(arguments, question=question(vpn)) == 0
    assert crl.stat().st_ino == before, "what has not changed is not written again"
