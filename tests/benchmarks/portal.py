"""Users who fetch their profiles by one-time links, all at once, while the service is killed in the middle.

Each link is opened in two browsers that both press the button. A user looks, claims, decrypts and confirms, over HTTP
through nginx, and tries again when an answer does not come. ``lost`` counts links whose profile nobody got whole, and
``delivered_twice`` those that both browsers got; with any of them it ends with 1. ``killed`` counts kills of a
process that was alive while browsers were not done. The seconds are those from opening a link to the confirmation. The
peer is one GET of a plain file of the same size from the same nginx for each user, which promises none of this.

Run it with ``./lab bench portal [--json] [--quick]``.
"""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._dns_load import percentile
from benchmarks._portal_servers import Servers
from benchmarks._rows import Row, Table, parse_options
from integration.portal.service import new_claim, open_front

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_links import LinkRun
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.sealing import (
    EXTRAS,
    decode_token,
    derive_id,
    unseal,
)

USERS, QUICK_USERS = 200, 200
ROUNDS, QUICK_ROUNDS = 5, 1
# An ordinary profile is of about this size.
PROFILE_BYTES = 6_000
# A browser that gets no answer tries again for as long as a user might.
GIVE_UP_SECONDS = 60.0
ANSWER_SECONDS = 10.0
# When so many have their profile, the service is killed.
KILL_AFTER = 0.3
OK, UNKNOWN = 200, 404


@dataclass
class Browser:
    """One page of one link.

    :param wanted: The profile that belongs to the link.
    """

    port: int
    url: str
    wanted: str
    claim: str = field(default_factory=new_claim)
    got: bool = False
    over: bool = False
    seconds: float = 0.0
    repeated: int = 0

    def fetch(self) -> None:
        """Open the link, press the button, and confirm."""
        try:
            self._fetch()
        finally:
            self.over = True

    def _fetch(self) -> None:
        began = time.perf_counter()
        token = decode_token(self.url.partition("#")[2])
        link_id = derive_id(token)
        found = self._ask("look", link_id)
        if found is None:
            return
        json.loads(unseal(token, found["extras"], purpose=EXTRAS))
        found = self._ask("claim", link_id)
        if found is None:
            return
        profile = json.loads(unseal(token, found["sealed"]))["profile"]
        # After an answer that was lost on its way, it is erased already.
        self._ask("done", link_id)
        self.got = profile == self.wanted
        self.seconds = time.perf_counter() - began

    def _ask(self, action: str, link_id: str) -> dict[str, Any] | None:
        """An answer, asked for until it comes; nothing where the link is unknown."""
        body = json.dumps({"id": link_id, "claim": self.claim})
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            try:
                status, text = request(self.port, "POST", f"/link/api/{action}", body)
            except (OSError, http.client.HTTPException):
                status, text = 0, ""
            if status == OK:
                answer: dict[str, Any] = json.loads(text)
                return answer
            if status == UNKNOWN:
                return None
            self.repeated += 1
            time.sleep(0.1 + secrets.randbelow(300) / 1000)
        return None


@dataclass(frozen=True)
class Found:
    """What became of all links of a round."""

    lost: int
    twice: int
    left: int
    repeated: int
    seconds: tuple[float, ...]


def request(port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """One request over a connection of its own, as browsers that come at once make it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def judge(pairs: Sequence[Sequence[Browser]], *, left: int) -> Found:
    """Count what went wrong.

    :param pairs: The browsers of each link.
    :param left: How many links are still on the disk.
    """
    winners = [[browser for browser in pair if browser.got] for pair in pairs]
    return Found(
        lost=sum(not won for won in winners),
        twice=sum(len(won) > 1 for won in winners),
        left=left,
        repeated=sum(browser.repeated for pair in pairs for browser in pair),
        seconds=tuple(browser.seconds for won in winners for browser in won),
    )


def at_once(work: Sequence[Callable[[], None]]) -> None:
    """Run all of it, each in a thread, begun together."""
    gate = threading.Barrier(len(work))

    def begin(one: Callable[[], None]) -> None:
        gate.wait()
        one()

    threads = [threading.Thread(target=begin, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def make_links(spool: Path, users: int) -> list[tuple[str, str]]:
    """Links as the module makes them, each with its profile."""
    profiles = [f"client\n# {number} {secrets.token_hex(PROFILE_BYTES // 2)}\n" for number in range(users)]
    options = {
        "links": [{"user": f"user{number}", "device": "laptop"} for number in range(users)],
        "profiles": {f"user{number}@laptop": profile for number, profile in enumerate(profiles)},
        "host": "cambridge2.example.net", "port": 443, "hours": 1, "qr_code": True,
        "folder": str(spool), "state": "present",
    }  # fmt: skip
    with open_front() as front:
        run = LinkRun({**options, **front})
        made = run.apply(run.decide())["links"]
    return [(link["url"], profile) for link, profile in zip(made, profiles, strict=True)]


def fetch_all(servers: Servers, users: int, *, kill: bool) -> Found:
    """One round of ours."""
    links = make_links(servers.spool, users)
    pairs = [[Browser(servers.port, url, profile) for _time in range(2)] for url, profile in links]
    browsers = [browser for pair in pairs for browser in pair]
    over = threading.Event()

    def kill_in_the_middle() -> None:
        while not over.is_set() and sum(browser.got for browser in browsers) < KILL_AFTER * users:
            time.sleep(0.002)
        # A kill once all are done would show nothing. Where no process is alive, the next one is waited for.
        while not over.is_set() and not all(browser.over for browser in browsers):
            if servers.kill():
                return
            time.sleep(0.002)

    killer = threading.Thread(target=kill_in_the_middle)
    if kill:
        killer.start()
    at_once([browser.fetch for browser in browsers])
    over.set()
    if kill:
        killer.join()
    return judge(pairs, left=len(list(servers.spool.iterdir())))


def fetch_static(servers: Servers, users: int) -> list[float]:
    """One round of the peer."""
    (servers.static / "profile.ovpn").write_text("x" * PROFILE_BYTES)
    seconds: list[float] = []

    def fetch() -> None:
        began = time.perf_counter()
        status, _text = request(servers.port, "GET", "/profile.ovpn")
        if status == OK:
            seconds.append(time.perf_counter() - began)

    at_once([fetch] * users)
    return seconds


def main() -> int:
    """Print a row without a kill, and one with; 1 where a link was lost or delivered twice."""
    options = parse_options("portal", __doc__ or "")
    table = Table(options)
    wrong = 0
    users, rounds = (QUICK_USERS, QUICK_ROUNDS) if options.quick else (USERS, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(Path(folder))
        with servers.running():
            # The service is up once it answers.
            Browser(servers.port, f"https://x/link#{'A' * 43}", "").fetch()
            peer = [second for _time in range(rounds) for second in fetch_static(servers, users)]
            for kill in (False, True):
                found = [fetch_all(servers, users, kill=kill) for _time in range(rounds)]
                wrong += sum(each.lost + each.twice for each in found)
                seconds = [second for each in found for second in each.seconds]
                more = {
                    "lost": sum(each.lost for each in found),
                    "delivered_twice": sum(each.twice for each in found),
                    "left_at_rest": sum(each.left for each in found),
                    "killed": servers.kills,
                    "asked_again": sum(each.repeated for each in found),
                    "p50": percentile(seconds, 0.5),
                    "p99": percentile(seconds, 0.99),
                    "peer_p99": percentile(peer, 0.99),
                }
                case = "kill -9 in the middle, beside a plain file" if kill else "at once, beside a plain file"
                ours, theirs = percentile(seconds, 0.5), percentile(peer, 0.5)
                table.add(Row("portal", case, users * rounds, "s (p50)", ours, theirs, more=more))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
