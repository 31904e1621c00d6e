"""What the roles make of the answers of gateways and of the authority when something fails on the way."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.run_playbook import local, run_playbook

EVERYBODY: dict[str, Any] = {"lockdown": "everybody", "groups": []}
GROUPS: dict[str, Any] = {"lockdown": "groups", "groups": []}
# No gateway has such a lockdown, so that the module fails.
BROKEN: dict[str, Any] = {"lockdown": "everybody", "groups": ["staff"]}


def play(hosts: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}


def role(name: str, tasks_from: str, **variables: Any) -> dict[str, Any]:
    included = {"name": f"privatespace.gateway.{name}", "tasks_from": tasks_from}
    return {"ansible.builtin.include_role": included, "vars": variables}


def note(folder: Path, expression: str) -> dict[str, Any]:
    """A task that writes the value of an expression for :func:`noted`."""
    content = f"{{{{ {expression} | to_json }}}}"
    return {"ansible.builtin.copy": {"content": content, "dest": str(folder / "noted.json")}, "check_mode": False}


def noted(folder: Path) -> Any:
    return json.loads((folder / "noted.json").read_text(encoding="utf-8"))


def entries(register: Path, *paths: str) -> None:
    for path in paths:
        (register / path).parent.mkdir(parents=True, exist_ok=True)
        (register / path).write_text("{}")


@pytest.mark.parametrize("second", [GROUPS, BROKEN])
def test_a_lockdown_whose_groups_are_not_lifted_is_not_over(tmp_path: Path, second: dict[str, Any]) -> None:
    entries(tmp_path / "denied", "lockdown/everybody", "lockdown/groups/staff")
    wishes = {"state": "absent", "steps": [EVERYBODY, second], "spared": None, "whom": "", "arguments": ""}
    plays = [
        play(
            "gateways",
            role("openvpn", "lockdown", openvpn_lockdown=wishes),
            role("openvpn", "lockdown_report", openvpn_lockdown=wishes, removal_started=time.time()),
        )
    ]
    inventory = {"gateways": {"hosts": {"gateway1": local()}}}
    done = run_playbook(tmp_path, plays, inventory, variables={"__openvpn_folder": str(tmp_path)})
    is_broken = second == BROKEN
    assert (done.returncode != 0) is is_broken, done.stdout
    assert ("NOT PROVED on gateway1: lockdown_groups are given" in done.stdout) is is_broken
    assert (tmp_path / "denied/lockdown/groups/staff").exists() is is_broken


@pytest.mark.parametrize(("spared", "left"), [(None, ["carol"]), ([], []), (["dave"], ["dave"])])
def test_who_says_that_nobody_is_spared_is_heard(tmp_path: Path, spared: Any, left: list[str]) -> None:
    entries(tmp_path / "denied", "lockdown/everybody", "lockdown/except/carol")
    wishes = {"state": "present", "steps": [EVERYBODY], "spared": spared, "whom": "everybody", "arguments": "-e x=y"}
    tell = note(tmp_path, "openvpn_lockdown_answer.denials | map(attribute='entry')")
    plays = [play("gateways", role("openvpn", "lockdown", openvpn_lockdown=wishes), tell)]
    inventory = {"gateways": {"hosts": {"gateway1": local()}}}
    variables = {"__openvpn_folder": str(tmp_path)}
    # In check mode, for who runs this may be on a gateway.
    done = run_playbook(tmp_path, plays, inventory, "--check", variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert noted(tmp_path) == [f"lockdown/{name}" for name in ("everybody", *(f"except/{one}" for one in left))]


def test_a_removal_that_fails_leaves_nothing_of_an_earlier_playbook(tmp_path: Path) -> None:
    """As in ``ansible-playbook crl_refresh.yml user_remove.yml``, while the store of the authority cannot be opened."""
    earlier = [
        {"ansible.builtin.debug": {"msg": "signed"}, "register": name}
        for name in ("pki_users_result", "pki_crl_result")
    ]
    tell = note(tmp_path, "{'crl': pki_crl_result, 'failed': pki_users_result.failed}")
    plays = [play("authority", *earlier), play("authority", role("pki", "remove", pki_users=[]), tell)]
    variables = {"__pki_python": sys.executable, "pki_store": str(tmp_path / "none" / "store.db"), "pki_hsm_pin": ""}
    run_playbook(tmp_path, plays, {"authority": {"hosts": {"ca": local()}}}, variables=variables)
    assert noted(tmp_path) == {"crl": {}, "failed": True}


@pytest.fixture
def reached() -> Iterator[Path]:
    """The folder of a gateway's keys, with all that OpenVPN reads once it has dropped its privileges."""
    base = Path(tempfile.mkdtemp(prefix="psgreach", dir="/tmp"))
    base.chmod(0o755)
    folder = base / "openvpn" / "server" / "privatespace"
    for name in ("denied", "revoked"):
        (folder / name).mkdir(parents=True)
    (folder / "crl.pem").write_text("CRL")
    yield folder
    shutil.rmtree(base)


@pytest.mark.parametrize(
    ("barrier", "mode", "revocation", "remedy"),
    [
        ("", 0o755, "serials", ""),
        ("../..", 0o750, "crl", "a+x"),
        ("..", 0o700, "crl", "a+x"),
        ("denied", 0o700, "crl", "a+x"),
        ("revoked", 0o700, "serials", "a+x"),
        ("revoked", 0o700, "crl", ""),
        ("crl.pem", 0o600, "serials", "a+r"),
    ],
)
def test_what_openvpn_cannot_read_is_named(
    tmp_path: Path, reached: Path, barrier: str, mode: int, revocation: str, remedy: str
) -> None:
    path = (reached / barrier).resolve()
    path.chmod(mode)
    settings = {"openvpn_service_user": "nobody", "openvpn_revocation": revocation}
    plays = [play("gateways", role("openvpn", "reach.yml", **settings))]
    inventory = {"authority": {"hosts": {"ca": local()}}, "gateways": {"hosts": {"gateway1": local()}}}
    done = run_playbook(tmp_path, plays, inventory, variables={"__openvpn_folder": str(reached)})
    assert (done.returncode == 0) is (remedy == ""), done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert (f"Run chmod {remedy} {path} on this host" in said) is (remedy != "")
    assert (f"nobody cannot get at {path}, so OpenVPN would let in" in said) is (remedy != "")
