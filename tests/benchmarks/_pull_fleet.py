"""Many gateways' agents in one process, told when to look; run in a namespace.

Each agent is a thread with a state of its own, which asks by the code of the real one (``Revocation``) and reads the
answer by it, too. What it got is compared with what was published. To verify a signature, put the CRL in place and cut
sessions is each gateway's own work, for which one machine is too few: ``run_agent`` does all of it, for one agent.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import conftest
from benchmarks._orders import listen, obey

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.revocation_run import Revocation
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import (
    State,
    clean_etag,
    known_etag,
    parse_state,
    read_answer,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull_settings import parse_settings

# It was needed for the import of the collection only.
del conftest
# Threads that only wait need little.
STACK_BYTES = 256 << 10


@dataclass
class Agent:
    """What one gateway has.

    :param state: Of the real agent: where its CRL came from, and the mark that it had there.
    """

    state: State = field(default_factory=State)

    def look(self, work: Revocation, url: str, *, published: Published, is_conditional: bool) -> dict[str, Any]:
        """Ask, and take what is offered.

        :param is_conditional: Whether it names what it has.
        """
        known = {"in_place_sha256": self.state.sha256, "trust_sha256": self.state.trust_sha256}
        etag = known_etag(self.state, url, now=time.time(), **known) if is_conditional else ""
        answer = work._ask(url, etag, seconds=float(work.settings.download_seconds))
        offer = read_answer(answer, is_known=bool(etag))
        if offer.content is not None and answer.body == published.content:
            self.state = replace(
                self.state, url=url, etag=clean_etag(answer.etag), sha256=published.sha256, fetched_at=time.time()
            )
        return {
            "finished": time.time(),
            "bytes": len(answer.body),
            "unchanged": offer.unchanged,
            "problem": offer.problem,
            "has_it": not offer.problem and self.state.sha256 == published.sha256,
        }


@dataclass(frozen=True)
class Published:
    """What the authority offers now."""

    content: bytes
    sha256: str


class Fleet:
    """The agents of this process."""

    def __init__(self, url: str, count: int, published: Path, folder: Path) -> None:
        self._url = url
        self._path = published
        self._agents = [Agent() for _number in range(count)]
        self._settings = {"urls": [url], "management_sockets": []}
        self._folder = folder

    def answers(self) -> Mapping[str, Callable[..., Any]]:
        """What this program can be told."""
        return {"look": self.look, "run": self.run_agent}

    def look(self, begin: float, offsets: Sequence[float], *, is_conditional: bool) -> list[dict[str, Any]]:
        """Have every agent look once, each so many seconds after a moment, and tell what each found."""
        content = self._path.read_bytes()
        published = Published(content, fingerprint(content))
        work = Revocation(parse_settings(self._settings), State(), memory=self._folder / "enforced", now=begin)
        found: list[dict[str, Any]] = [{} for _agent in self._agents]

        def one(number: int) -> None:
            time.sleep(max(0.0, begin + offsets[number] - time.time()))
            agent = self._agents[number]
            found[number] = agent.look(work, self._url, published=published, is_conditional=is_conditional)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(len(self._agents))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def run_agent(self, name: str) -> dict[str, Any]:
        """All that the real agent does, with a folder of its own that has the CA's certificate."""
        folder = self._folder / name
        settings = {**self._settings, "folder": str(folder), "lock_path": str(folder / "lock"),
                    "sessions_folder": str(folder / "sessions")}  # fmt: skip
        before, began = _cpu_seconds(), time.perf_counter()
        work = Revocation(parse_settings(settings), self._last(folder), memory=folder / "enforced", now=time.time())
        state = work.run()
        seconds, cpu = time.perf_counter() - began, _cpu_seconds() - before
        (folder / "state.json").write_text(json.dumps(state.as_dict()))
        return {"seconds": seconds, "cpu": cpu, "problem": state.problem, "number": state.number}

    def _last(self, folder: Path) -> State:
        path = folder / "state.json"
        return parse_state(json.loads(path.read_text()) if path.exists() else {})


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """The socket for orders; as JSON the ``url``, the ``count``, what is ``published`` (a file) and a ``folder``."""
    control, demand = Path(sys.argv[1]), json.loads(sys.argv[2])
    threading.stack_size(STACK_BYTES)
    fleet = Fleet(demand["url"], demand["count"], Path(demand["published"]), Path(demand["folder"]))
    listening = listen(control)
    while True:
        obey(listening, fleet.answers())


if __name__ == "__main__":
    main()
