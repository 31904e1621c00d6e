"""The fleet of the benchmark ``fleet-pull``: what an agent takes for the CRL, when each looks, and what is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from benchmarks._publisher import configuration, file_limit
from benchmarks._pull_fleet import Fleet
from benchmarks.fleet_pull import Round, rows_of, spread_offsets

CRL = b"-----BEGIN X509 CRL-----\nMII=\n-----END X509 CRL-----\n"


class Answering(BaseHTTPRequestHandler):
    """Gives a file away, with a mark."""

    content = CRL
    mark = '"1"'

    def do_GET(self) -> None:
        is_known = self.headers.get("If-None-Match") == self.mark
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", self.mark)
        self.send_header("Content-Length", "0" if is_known else str(len(self.content)))
        self.end_headers()
        if not is_known:
            self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/crl.pem"
        server.shutdown()
        thread.join()


def test_an_agent_asks_only_for_what_it_has_not(address: str, tmp_path: Path) -> None:
    (tmp_path / "crl.pem").write_bytes(CRL)
    fleet = Fleet(address, 2, tmp_path / "crl.pem", tmp_path)

    first = fleet.look(time.time(), [0.0, 0.0], is_conditional=True)
    again = fleet.look(time.time(), [0.0, 0.0], is_conditional=True)
    naive = fleet.look(time.time(), [0.0, 0.0], is_conditional=False)

    assert [one["unchanged"] for one in first + again + naive] == [False, False, True, True, False, False]
    assert [one["bytes"] for one in first + again + naive] == [len(CRL)] * 2 + [0] * 2 + [len(CRL)] * 2
    assert all(one["has_it"] and not one["problem"] for one in first + again + naive)


def test_an_agent_with_another_crl_does_not_have_it(address: str, tmp_path: Path) -> None:
    (tmp_path / "crl.pem").write_bytes(CRL + b"\n")
    (found,) = Fleet(address, 1, tmp_path / "crl.pem", tmp_path).look(time.time(), [0.0], is_conditional=True)
    assert not found["has_it"]


def test_an_agent_that_gets_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "crl.pem").write_bytes(CRL)
    fleet = Fleet("http://127.0.0.1:1/crl.pem", 1, tmp_path / "crl.pem", tmp_path)
    (found,) = fleet.look(time.time(), [0.0], is_conditional=True)

    assert not found["has_it"]
    assert "Connection refused" in found["problem"]


def test_agents_are_spread_over_the_time_alike_in_every_round() -> None:
    parts = spread_offsets(100, 4, 60.0)

    assert [len(part) for part in parts] == [25] * 4
    assert all(0 <= offset <= 60 for part in parts for offset in part)
    assert max(map(max, parts)) > 50
    assert parts == spread_offsets(100, 4, 60.0)
    assert {offset for part in spread_offsets(8, 4, 0.0) for offset in part} == {0.0}


def test_rows_stand_beside_the_fleet_that_always_fetches() -> None:
    def one(last: float, carried: int, cpu: float, *, unchanged: int = 0, failed: tuple[str, ...] = ()) -> Round:
        return Round([0.5, last], 1.0, carried, cpu, unchanged, failed)

    new, same, peer = one(2.0, 10_000_000, 0.5), one(1.5, 500_000, 0.25, unchanged=2), one(4.0, 10_000_000, 1.0)
    rows = [row.as_dict() for row in rows_of("at once", {"new": new, "nothing new": same, "peer": peer}, 2)]

    assert [(row["ours"], row["ratio_to_peer"]) for row in rows] == [(2.0, 2), (0.5, 20), (0.25, 4)]
    assert (rows[0]["ratio_to_floor"], rows[0]["seconds_at_1_gbit"], rows[0]["peer_nginx_cpu_s"]) == (2, 0.08, 1.0)
    assert (rows[1]["unchanged"], rows[1]["without_the_crl"]) == (2, 0)


def test_the_web_server_is_set_up_as_the_role_does(tmp_path: Path) -> None:
    text = configuration(tmp_path / "public", tmp_path)

    assert f"root {tmp_path}/public;" in text
    assert "listen 80 default_server;" in text or "listen 0.0.0.0:80 default_server;" in text
    assert f"proxy_temp_path {tmp_path}/proxy;" in text
    assert file_limit() > 1024
