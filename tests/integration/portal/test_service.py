"""One-time links under gunicorn: given away once, to one page, in time, and to nobody else."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.portal.service import CANARY, Page, Reply, Service, new_claim

from ansible_collections.privatespace.gateway.plugins.module_utils._portal.links import digest_claim
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.sealing import EXTRAS, SealError, unseal

UNKNOWN = (404, {"error": "unknown"})


def test_a_link_is_looked_at_claimed_fetched_and_erased(service: Service, page: Page) -> None:
    looked = page.ask("look")
    assert looked.status == 200
    assert (looked.body["user"], looked.body["device"], looked.body["claimed"]) == ("alice", "laptop", False)
    assert looked.body["expires"] - time.time() == pytest.approx(24 * 3600, abs=60)
    assert looked.headers["Cache-Control"] == "no-store"
    extras = json.loads(unseal(page.token, looked.body["extras"], purpose=EXTRAS))
    assert extras["qr_svg"].startswith("<svg ")

    claimed = page.ask("claim")
    found = page.open_sealed(claimed)
    assert (claimed.status, found["file_name"]) == (200, "alice@laptop.ovpn")
    assert CANARY in found["profile"]
    assert page.ask("look").body["claimed"] is True

    assert page.ask("done").body == {"erased": True}
    assert service.names == []


def test_nobody_else_gets_a_link_that_was_used(service: Service, page: Page) -> None:
    page.ask("claim")
    other = Page(service, page.url)
    for action in ("look", "claim", "done"):
        reply = other.ask(action)
        assert (reply.status, reply.body) == UNKNOWN
    assert service.post("look", {"id": page.id}).status == 404
    assert page.open_sealed(page.ask("claim")), "the page that has won fetches again"
    page.ask("done")
    for action in ("look", "claim", "done"):
        reply = page.ask(action)
        assert (reply.status, reply.body) == UNKNOWN


def test_a_link_that_has_expired_is_unknown_and_erased(service: Service, page: Page) -> None:
    expire(service, page)
    for action in ("look", "claim", "done"):
        reply = page.ask(action)
        assert (reply.status, reply.body) == UNKNOWN
    service.stop()
    service.start()
    assert service.names == []
    assert "alice@laptop was not fetched in time" in service.log.read_text()


def test_a_claim_that_is_never_confirmed_is_over_after_a_while(service: Service, page: Page) -> None:
    page.ask("claim")
    path = next(service.spool.iterdir())
    os.utime(path, (time.time() - 601, time.time() - 601))
    assert page.ask("claim").status == 404
    service.stop()
    service.start()
    assert service.names == []


def test_a_link_waits_over_a_restart_and_what_was_never_finished_goes(service: Service, page: Page) -> None:
    leftover = service.spool / ".new-abcdef"
    leftover.write_text("half of it")
    os.utime(leftover, (time.time() - 3600, time.time() - 3600))
    broken = service.spool / f"{'0' * 32}.waiting"
    broken.write_text("{")
    os.utime(broken, (time.time() - 31 * 86400,) * 2)
    service.stop()
    service.start()
    assert service.names == [f"{page.id}.waiting"]
    assert page.open_sealed(page.ask("claim"))


@pytest.mark.parametrize("path", ["/link", "/link/api/look", "/link/api/claim", "/link/api/done", "/", "/link/api/"])
def test_a_look_by_get_consumes_nothing(service: Service, page: Page, path: str) -> None:
    reply = service.get(f"{path}?id={page.id}&claim={page.claim}")
    assert reply.status in (404, 405)
    assert reply.headers["Cache-Control"] == "no-store"
    assert set(reply.body) == {"error"}
    assert service.names == [f"{page.id}.waiting"]
    assert page.open_sealed(page.ask("claim"))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"id": "0" * 32}, 404),
        ({"id": "0" * 31}, 400),
        ({"id": "../" + "0" * 29}, 400),
        ({"id": ["a"]}, 400),
        ({"id": None}, 400),
        ({"claim": None}, 400),
        ({"claim": ""}, 400),
        ({"claim": "x" * 42}, 400),
        ({"claim": "/" * 43}, 400),
        ({"claim": 7}, 400),
    ],
)
def test_what_is_altered_gets_nothing(service: Service, page: Page, change: dict[str, object], status: int) -> None:
    assert page.ask("claim", **change).status == status
    assert service.names == [f"{page.id}.waiting"]


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 900, b'"text"'])
def test_what_is_no_question_is_refused(service: Service, content: bytes) -> None:
    reply = service.post("claim", content)
    assert (reply.status, reply.body) == (400, {"error": "request"})


def test_a_question_is_json_and_short(service: Service, page: Page) -> None:
    body = json.dumps({"id": page.id, "claim": page.claim}).encode()
    assert service.post("claim", body, headers={"Content-Type": "text/plain"}).status == 415
    assert service.post("claim", body + b" " * 1024).status == 413
    assert service.names == [f"{page.id}.waiting"]
    assert service.post("claim", body, headers={"Content-Type": "application/json; charset=utf-8"}).status == 200


def test_what_is_sealed_opens_with_its_own_link_only(service: Service, page: Page) -> None:
    reply = page.ask("claim")
    other = Page(service, service.make_link("bob", "phone"))
    with pytest.raises(SealError):
        other.open_sealed(reply)
    with pytest.raises(SealError):
        unseal(page.token, reply.body["sealed"], purpose=EXTRAS)
    altered = bytearray(base64.b64decode(reply.body["sealed"]))
    altered[20] ^= 1
    with pytest.raises(SealError):
        unseal(page.token, base64.b64encode(altered).decode())


def claim_at_once(pages: list[Page]) -> list[Reply]:
    start = threading.Barrier(len(pages))

    def claim(page: Page) -> Reply:
        start.wait()
        return page.ask("claim")

    with ThreadPoolExecutor(len(pages)) as threads:
        return list(threads.map(claim, pages))


def test_of_many_pages_that_claim_at_once_one_wins(service: Service) -> None:
    for number in range(10):
        url = service.make_link()
        pages = [Page(service, url, visitor=f"192.0.2.{number}") for _time in range(16)]
        replies = claim_at_once(pages)
        assert sorted(reply.status for reply in replies) == [200] + [404] * 15
        winner = next(page for page, reply in zip(pages, replies, strict=True) if reply.status == 200)
        assert service.names == [f"{winner.id}.{digest_claim(winner.claim)}.claimed"]
        assert winner.ask("done").status == 200


def test_one_page_that_asks_several_times_at_once_gets_it_each_time(service: Service, page: Page) -> None:
    assert [reply.status for reply in claim_at_once([page] * 16)] == [200] * 16


def test_who_guesses_has_to_wait_and_nobody_else(service: Service, page: Page) -> None:
    replies = [service.post("look", {"id": f"{n:032x}"}, headers={"X-Real-IP": "203.0.113.9"}) for n in range(25)]
    assert [reply.status for reply in replies] == [404] * 20 + [429] * 5
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 30
    assert page.ask("look").status == 200


def test_who_shares_an_address_with_somebody_who_guesses_gets_a_right_link(service: Service, page: Page) -> None:
    page.visitor = "203.0.113.9"
    replies = [service.post("look", {"id": f"{n:032x}"}, headers={"X-Real-IP": page.visitor}) for n in range(25)]
    assert replies[-1].status == 429
    assert [page.ask(action).status for action in ("look", "claim", "done")] == [200, 200, 200]
    assert page.ask("look").status == 429


def test_where_visitors_are_not_known_whoever_has_a_link_gets_in(tmp_path: Path) -> None:
    service = Service(tmp_path, {"wrong_in_all": 30})
    service.start()
    try:
        page = Page(service, service.make_link(), visitor="127.0.0.1")
        replies = [service.post("look", {"id": f"{n:032x}"}, headers={"X-Real-IP": "127.0.0.1"}) for n in range(40)]
        assert [reply.status for reply in replies] == [404] * 30 + [429] * 10
        assert page.ask("look").status == 200
        assert page.open_sealed(page.ask("claim"))
        assert page.ask("done").status == 200
    finally:
        service.kill()


def test_behind_port_sharing_the_journal_tells_who_guesses(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.mkdir()
    (journal / "[AF_INET]127.0.0.1:40001").write_text("[AF_INET]203.0.113.9:50000")
    (journal / "[AF_INET]127.0.0.1:40002").write_text("[AF_INET]203.0.113.10:50000")
    service = Service(tmp_path, {"journal_folder": str(journal), "wrong_per_visitor": 3})
    service.start()
    try:
        first, second = ({"X-Real-IP": "127.0.0.1", "X-Real-Port": port} for port in ("40001", "40002"))
        statuses = [service.post("look", {"id": f"{n:032x}"}, headers=first).status for n in range(5)]
        assert statuses == [404, 404, 404, 429, 429]
        assert service.post("look", {"id": "f" * 32}, headers=second).status == 404
    finally:
        service.kill()


def test_nothing_in_the_folder_or_the_log_opens_a_link(service: Service, page: Page) -> None:
    token, waiting = page.url.partition("#")[2], (service.spool / f"{page.id}.waiting")
    assert service.spool.stat().st_mode & 0o777 == 0o700
    assert waiting.stat().st_mode & 0o777 == 0o600
    page.ask("look")
    page.ask("claim", claim=new_claim())
    page.ask("claim")
    other = Page(service, service.make_link("bob", "phone"))
    other.ask("claim")
    kept = b"".join(path.name.encode() + path.read_bytes() for path in service.folder.rglob("*") if path.is_file())
    for secret in (token, page.token.hex(), CANARY, page.claim, other.claim, other.url.partition("#")[2]):
        assert secret.encode() not in kept
    other.ask("done")
    log = service.log.read_text()
    assert "bob@phone fetches the profile" in log
    assert "bob@phone has the profile; the link is erased" in log
    assert page.id not in log
    assert "Traceback" not in log
    assert "192.0.2.7" not in log


def expire(service: Service, page: Page) -> None:
    path = service.spool / f"{page.id}.waiting"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "expires": int(time.time()) - 1}))
