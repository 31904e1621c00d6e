"""The PIN from each of its sources, through ansible-playbook as talkative as it gets; and that it is shown nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from integration import run_module
from integration.softhsm import SoftToken, make_token

TIMEOUT_SECONDS = 120
PIN = "canary:pin-58231-xyzzy"
Source = Callable[[Path, str], tuple[dict[str, str], dict[str, str]]]


def _option(_folder: Path, pin: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"hsm_pin": pin}, {}


def _file(folder: Path, pin: str) -> tuple[dict[str, str], dict[str, str]]:
    path = folder / "pin-file"
    path.write_text(f"{pin}\n", encoding="ascii")
    path.chmod(0o400)
    return {"hsm_pin_file": str(path)}, {}


def _environment(_folder: Path, pin: str) -> tuple[dict[str, str], dict[str, str]]:
    return {}, {"PRIVATESPACE_HSM_PIN": pin}


def _credential(folder: Path, pin: str) -> tuple[dict[str, str], dict[str, str]]:
    """As systemd passes it to a service with LoadCredential=privatespace-hsm-pin:PATH."""
    path = folder / "credentials" / "privatespace-hsm-pin"
    path.parent.mkdir()
    path.write_text(pin, encoding="ascii")
    path.chmod(0o440)
    return {}, {"CREDENTIALS_DIRECTORY": str(path.parent)}


SOURCES: dict[str, Source] = {
    "option": _option,
    "file": _file,
    "environment": _environment,
    "credential": _credential,
}


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """A token whose PIN has the form that AWS CloudHSM wants, and that nothing else in an output can look like."""
    made = make_token(tmp_path / "softhsm", pin=PIN)
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    return made


def _talkative(folder: Path, arguments: Mapping[str, str], environment: Mapping[str, str], *, status: int) -> str:
    """Everything that ansible-playbook prints at -vvvv with a diff, without pipelining so that files are copied."""
    playbook = folder / "play.json"
    playbook.write_text(run_module._playbook("hsm_key", arguments), encoding="utf-8")
    settings = run_module._environment(environment, folder / "ansible")
    settings |= {"ANSIBLE_STDOUT_CALLBACK": "default", "ANSIBLE_PIPELINING": "false"}
    settings |= {"ANSIBLE_DISPLAY_TRACEBACK": "always", "ANSIBLE_KEEP_REMOTE_FILES": "false"}
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [program, "-vvvv", "--diff", "-i", "localhost,", str(playbook)],
        env=settings, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == status, output
    return output


@pytest.mark.parametrize("source", list(SOURCES))
def test_each_source_opens_the_token_and_shows_nothing(token: SoftToken, tmp_path: Path, source: str) -> None:
    options, environment = SOURCES[source](tmp_path, PIN)
    arguments = {"hsm_module": token.module, "hsm_token": token.label, **options}
    output = _talkative(tmp_path, arguments, environment, status=0)
    assert "changed=1" in output
    assert "EXEC" in output, "commands are shown, and the PIN is in none of them"
    assert PIN not in output
    assert json.dumps(PIN) not in output


@pytest.mark.parametrize("source", list(SOURCES))
def test_a_wrong_pin_is_shown_no_more_than_a_right_one(token: SoftToken, tmp_path: Path, source: str) -> None:
    """With tracebacks asked for, too."""
    wrong = "canary:wrong-91552-plugh"
    options, environment = SOURCES[source](tmp_path, wrong)
    arguments = {"hsm_module": token.module, "hsm_token": token.label, **options}
    output = _talkative(tmp_path, arguments, environment, status=2)
    assert "The PIN of the token 'privatespace' is wrong. It was tried once" in output
    for part in (wrong, "91552", "plugh"):
        assert part not in output


def test_a_pin_that_cannot_be_one_is_not_shown_either(token: SoftToken, tmp_path: Path) -> None:
    arguments = {"hsm_module": token.module, "hsm_token": token.label, "hsm_pin": "canary-91552\x07plugh"}
    output = _talkative(tmp_path, arguments, {}, status=2)
    assert "The PIN holds a control character." in output
    for part in ("91552", "plugh"):
        assert part not in output


def test_no_process_ever_had_the_pin_on_its_command_line(token: SoftToken, tmp_path: Path) -> None:
    """The kernel's list of processes is read by a shell that Ansible starts beside the module, while it runs."""
    options, environment = _file(tmp_path, PIN)
    watcher = (
        "import glob, sys, time\n"
        "seen = set()\n"
        "while True:\n"
        "    for path in glob.glob('/proc/[0-9]*/cmdline'):\n"
        "        try:\n"
        "            seen.add(open(path, 'rb').read())\n"
        "        except OSError:\n"
        "            continue\n"
        "    found = sum(sys.argv[1].encode()[::-1] in line for line in seen)\n"
        "    print(len(seen), found, flush=True)\n"
        "    time.sleep(0.005)\n"
    )
    with subprocess.Popen([sys.executable, "-c", watcher, PIN[::-1]], stdout=subprocess.PIPE, text=True) as watching:
        arguments = {"hsm_module": token.module, "hsm_token": token.label, **options}
        _talkative(tmp_path, arguments, environment, status=0)
        watching.terminate()
        assert watching.stdout is not None
        last = watching.stdout.read().split("\n")[-2].split()
    assert int(last[0]) > 1
    assert int(last[1]) == 0
