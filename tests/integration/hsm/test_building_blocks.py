"""The page about the building blocks: its examples, as one playbook, run against real SoftHSM tokens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from integration.hsm.judges import run_program
from integration.run_module import CHECKOUT, collections_path
from integration.softhsm import SoftToken, make_token

PAGE = CHECKOUT / "docs/docsite/rst/building_blocks.rst"
FOLDERS = {"/etc/pki/example": "pki", "/srv/www/pki": "www", "/media/ceremony": "ceremony"}


def _playbook(folder: Path) -> list[dict[str, Any]]:
    """The play of the page's first example with the tasks of all others, its folders below another one."""
    examples = re.findall(r"\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", PAGE.read_text(encoding="utf-8"))
    text = [re.sub(r"^   ", "", example, flags=re.MULTILINE) for example in examples]
    for path, name in FOLDERS.items():
        text = [example.replace(path, str(folder / name)) for example in text]
    play, *tasks = (item for example in text for item in yaml.safe_load(example))
    here = {"hosts": "localhost", "connection": "local", "gather_facts": False, "become": False}
    return [{**play, **here, "tasks": tasks}]


def _prepare(folder: Path, token: SoftToken) -> None:
    """What the page takes for granted: folders, the PIN, CSRs, and a certificate that is revoked later."""
    for name in (*FOLDERS.values(), "pki/revoked"):
        (folder / name).mkdir(parents=True)
    pin = folder / "pki/pin"
    pin.write_text(token.pin, encoding="utf-8")
    pin.chmod(0o400)
    make_token(token.configuration.parent, label="safe")
    new = ("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("pki/www", "laptop", "ceremony/vpn-authority"):
        subject = f"/CN={Path(name).name}"
        run_program(*new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject, cwd=folder)


def _play(folder: Path, plays: list[dict[str, Any]]) -> dict[str, int]:
    path = folder / "play.json"
    path.write_text(json.dumps(plays), encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [ansible, "-i", "localhost,", str(path)],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    stats: dict[str, int] = json.loads(done.stdout[done.stdout.index("{") :])["stats"]["localhost"]
    return stats


def test_every_example_works_and_a_second_run_changes_nothing(soft_token: SoftToken, tmp_path: Path) -> None:
    """Root -> www and laptop with a CRL that lists www of last year; offline root -> intermediate."""
    _prepare(tmp_path, soft_token)
    plays = _playbook(tmp_path)
    tasks = plays[0]["tasks"]
    crl = next(index for index, task in enumerate(tasks) if task["name"] == "Have the CRL")
    _play(tmp_path, [{**plays[0], "tasks": tasks[:crl]}])
    (tmp_path / "pki/www.pem").replace(tmp_path / "pki/revoked/www-2025.pem")

    assert _play(tmp_path, plays)["changed"] == len(tasks) - crl + 1
    assert _play(tmp_path, plays)["changed"] == 0
    verify = ("openssl", "verify", "-x509_strict", "-CAfile")
    revoking = (*verify, "pki/ca.pem", "-CRLfile", "pki/crl.pem", "-crl_check_all")
    run_program(*revoking, "pki/www.pem", cwd=tmp_path)
    run_program(*revoking, "laptop.pem", cwd=tmp_path)
    assert "revoked" in run_program(*revoking, "pki/revoked/www-2025.pem", cwd=tmp_path, fails=True)
    run_program(*verify, "ceremony/root.pem", "ceremony/vpn-authority.pem", cwd=tmp_path)
