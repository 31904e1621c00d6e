"""Delivery by link, by the role: the first gateway that takes the links has them, and what nobody took is told."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from integration.openvpn.run_playbook import local, run_playbook
from integration.portal.service import Page, Service, open_front

# Fit for PEM.
CANARY = "CanaryOfAPrivateKey0"
ROLE = "privatespace.gateway.portal"
BLOCK = "-----BEGIN SAMPLE-----\n{}\n-----END SAMPLE-----"
DELIVERY = {
    "name": "alice", "device": "laptop", "common_name": "alice@laptop",
    **{name: BLOCK.format(CANARY) for name in ("certificate", "ca_chain", "private_key", "tls_crypt_v2")},
}  # fmt: skip
NOWHERE = "/nonexistent/front"
# Nobody listens there.
DEAD = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_python_interpreter": sys.executable}


def deliver(
    folder: Path,
    gateways: dict[str, Any],
    *flags: str,
    entry: str = "links",
    outcome: str = "",
    only: bool = False,
    front: dict[str, str] | None = None,
) -> CompletedProcess[str]:
    include = {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry}}
    variables = {
        "__portal_folder": f"{folder}/{{{{ __portal_candidate }}}}",
        "pki_users_result": {"deliveries": [DELIVERY], "users": [{"outcome": outcome}]},
        "portal_links_only": only,
        "__portal_web_part": (front or {}).get("web_part", NOWHERE),
        "__portal_socket": (front or {}).get("socket", NOWHERE),
        "__portal_given_names": dict.fromkeys(gateways, "cambridge2.example.net"),
    }
    ends = {"name": "End", "ansible.builtin.debug": {"msg": "owed: {{ portal_links_failure | default('') }}"}}
    play = {"name": "Deliver", "hosts": "authority", "gather_facts": False}
    ready = {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": "links_ready"}}
    before = [{"name": "Look", **ready, "vars": variables}] if entry == "links_needed" else []
    plays = [{**play, "tasks": [*before, {"name": "Give", **include, "vars": variables}, ends]}]
    gateways = {name: {"web_server_names": ["cambridge2.example.net"], **host} for name, host in gateways.items()}
    inventory = {"authority": {"hosts": {"ca": local()}}, "gateways": {"hosts": gateways}}
    return run_playbook(folder, plays, inventory, *flags)


def test_a_dead_gateway_and_one_without_portal_do_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir(mode=0o700)
    (tmp_path / "blind").mkdir(mode=0o700)
    with open_front() as front:
        # What is said of one gateway alone.
        part = f"{{{{ '{NOWHERE}' if __portal_candidate == 'blind' else '{front['web_part']}' }}}}"
        gateways = {"dead": DEAD, "none": local(), "blind": local(), "second": local()}
        done = deliver(tmp_path, gateways, "-vvv", "--diff", front={**front, "web_part": part})
    assert list((tmp_path / "blind").iterdir()) == [], "nobody could open a link there"
    assert done.returncode == 0, done.stdout
    url = re.findall(r"https://cambridge2\.example\.net/link#[\w-]{43}", done.stdout)
    assert len(url) == 1, "the link is printed once"
    assert CANARY not in done.stdout + done.stderr
    assert "Device: alice@laptop" in done.stdout
    assert "Expires: 20" in done.stdout
    service = Service(tmp_path, links="second")
    service.start()
    try:
        page = Page(service, url[0])
        assert CANARY in page.open_sealed(page.ask("claim"))["profile"]
    finally:
        service.kill()


def test_what_nobody_took_is_told_with_what_makes_it_good(tmp_path: Path) -> None:
    done = deliver(tmp_path, {"dead": DEAD, "none": local()})
    told = " ".join(done.stdout.split())
    assert done.returncode == 0, "removals go on, and the playbook fails at its end"
    assert "owed: No gateway took the one-time links. alice@laptop: the certificate is issued" in told
    assert "privatespace.gateway.profile_link -e user_name=USER" in told
    assert "none: This gateway gives out no links" in told
    assert CANARY not in done.stdout + done.stderr


def test_where_no_gateway_would_take_it_nothing_is_issued(tmp_path: Path) -> None:
    done = deliver(tmp_path, {"none": local()}, entry="links_ready")
    assert done.returncode == 0, "removals do not wait for links"
    for outcome, only, refused in (
        ("issued", False, True), ("kept", False, False), ("revoked", False, False),
        ("reissued", False, False), ("reissued", True, True),
    ):  # fmt: skip
        done = deliver(tmp_path, {"none": local()}, entry="links_needed", outcome=outcome, only=only)
        assert (done.returncode != 0) is refused, (outcome, done.stdout)
        assert ("nothing was changed. none: This gateway gives out no links" in done.stdout) is refused
    (tmp_path / "none").mkdir(mode=0o700)
    with open_front() as front:
        done = deliver(tmp_path, {"none": local()}, entry="links_needed", outcome="issued", front=front)
    assert done.returncode == 0, done.stdout
    assert list((tmp_path / "none").iterdir()) == []
    done = deliver(tmp_path, {"none": local()}, entry="links_needed", outcome="issued")
    assert done.returncode != 0
    assert "none: This gateway shows no pages" in " ".join(done.stdout.split())
