"""The module profile_link, run as a playbook runs it: foretold, made, replaced, erased, and nothing secret shown."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.portal.service import CANARY, HOST, Page, Service, open_front
from integration.run_module import RunModule

PROFILE = f"client\n<key>\n{CANARY}\n</key>\n"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def front() -> Iterator[dict[str, str]]:
    with open_front() as found:
        yield found


def wanted(spool: Path, front: dict[str, str], *devices: str, **more: Any) -> dict[str, Any]:
    links = [{"user": "alice", "device": device} for device in devices]
    profiles = {f"alice@{device}": PROFILE for device in devices}
    return {"folder": str(spool), "host": HOST, "links": links, "profiles": profiles, **front, **more}


def test_a_link_is_foretold_made_replaced_and_erased(
    tmp_path: Path, spool: Path, front: dict[str, str], run_module: RunModule
) -> None:
    foretold = run_module("profile_link", wanted(spool, front, "laptop", "phone"), check=True, diff=True)
    assert foretold.changed
    assert [link["url"] for link in foretold["links"]] == ["", ""]
    assert list(spool.iterdir()) == []

    made = run_module("profile_link", wanted(spool, front, "laptop", "phone"), diff=True)
    urls = [link["url"] for link in made["links"]]
    assert len(set(urls)) == 2
    assert all(url.startswith(f"https://{HOST}/link#") for url in urls)
    assert {path.stat().st_mode & 0o777 for path in spool.iterdir()} == {0o600}
    assert CANARY not in made.output + foretold.output

    again = run_module("profile_link", wanted(spool, front, "laptop"))
    assert (again["erased"], len(list(spool.iterdir()))) == (["alice@laptop"], 2)
    service = Service(tmp_path)
    service.start()
    try:
        assert Page(service, urls[0]).ask("look").status == 404
        page = Page(service, again["links"][0]["url"])
        assert page.open_sealed(page.ask("claim")) == {"file_name": "alice@laptop.ovpn", "profile": PROFILE}
    finally:
        service.kill()

    gone = {"folder": str(spool), "state": "absent", "links": [{"user": "alice"}]}
    assert run_module("profile_link", gone, check=True).changed
    assert len(list(spool.iterdir())) == 2
    assert run_module("profile_link", gone)["erased"] == ["alice@laptop", "alice@phone"]
    assert list(spool.iterdir()) == []
    assert not run_module("profile_link", gone).changed


def test_nothing_planted_in_the_folder_misleads_root(
    tmp_path: Path, spool: Path, front: dict[str, str], run_module: RunModule
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (spool / f"{'a' * 32}.waiting").symlink_to(target)
    (spool / f"{'b' * 32}.waiting").mkdir()
    run_module("profile_link", wanted(spool, front, "laptop"))
    run_module("profile_link", {"folder": str(spool), "state": "absent", "links": [{"user": "alice"}]})
    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "https://x"}, "no name of a host"),
        ({"hours": 0}, "cannot wait 0 hours"),
        ({"port": 0}, "0 is no port"),
        ({"links": [{"user": "Alice", "device": "x"}]}, "user name 'Alice'"),
        ({"links": [{"user": "alice", "device": "a b"}]}, "device name 'a b'"),
        ({"links": [{"user": "alice"}]}, "names no device"),
        ({"profiles": {"alice@phone": PROFILE}}, "no profile for alice@laptop"),
        ({"profiles": {"alice@laptop": [PROFILE]}}, "no profile for alice@laptop"),
        ({"links": [{"user": "alice", "device": "laptop", "file_name": "../x.ovpn"}]}, "no name for"),
        ({"folder": "/nonexistent/links"}, "gives out no links"),
    ],
)
def test_what_cannot_be_is_refused(
    spool: Path, front: dict[str, str], run_module: RunModule, change: dict[str, Any], words: str
) -> None:
    result = run_module("profile_link", {**wanted(spool, front, "laptop"), **change}, fails=True)
    assert words in result.message
    assert CANARY not in result.output
    assert list(spool.iterdir()) == []


def test_a_folder_that_others_may_read_is_refused(spool: Path, front: dict[str, str], run_module: RunModule) -> None:
    spool.chmod(0o755)
    result = run_module("profile_link", wanted(spool, front, "laptop"), fails=True)
    assert "not a folder for its owner alone" in result.message


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("missing", "words"),
    [("web_part", "its web server has no certificate yet"), ("socket", "takes no connections at")],
)
def test_no_link_is_made_that_nobody_could_open(
    spool: Path, front: dict[str, str], run_module: RunModule, missing: str, words: str, check: bool
) -> None:
    Path(front[missing]).unlink()
    result = run_module("profile_link", wanted(spool, front, "laptop"), check=check, fails=True)
    assert words in result.message
    assert front[missing] in result.message
    assert CANARY not in result.output
    assert list(spool.iterdir()) == []
    # What waits can be erased all the same.
    assert not run_module("profile_link", {"folder": str(spool), "state": "absent", "links": [{"user": "bob"}]}).changed


def test_a_socket_at_which_nobody_listens_is_refused(spool: Path, front: dict[str, str], run_module: RunModule) -> None:
    Path(front["socket"]).unlink()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(front["socket"])
        result = run_module("profile_link", wanted(spool, front, "laptop"), fails=True)
    assert "Connection refused" in result.message
    assert list(spool.iterdir()) == []
