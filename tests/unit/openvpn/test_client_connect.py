"""The program that OpenVPN asks at the end of each handshake, run by the shells that a gateway may have as /bin/sh."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.denial_register import (
    add_entries,
    read_denials,
    read_group,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.denials import Entry

PROGRAM = Path(__file__).parents[3] / "roles" / "openvpn" / "files" / "client_connect"
SHELLS = [argv for argv in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(argv[0])]
SERIAL = "730750818665451459101842416358141509827966271487"


@dataclass
class Gateway:
    """The folders that the program looks into, and a way to ask it."""

    folder: Path
    shell: list[str]

    @property
    def sessions(self) -> Path:
        return self.folder / "sessions"

    def deny(self, *paths: str) -> None:
        add_entries(self.folder / "denied", dict.fromkeys(paths, Entry(1, "removal")))

    def client_file(self, process: str, name: str, text: str) -> None:
        path = self.folder / "ccd" / process / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ask(
        self, name: str | None, more: Mapping[str, str] | None = None, *, user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Ask about a common name, in an environment that has nothing else but what is given."""
        environment = {**({} if name is None else {"common_name": name, "tls_serial_0": SERIAL}), **(more or {})}
        arguments = ("udp", str(self.folder), str(self.sessions), "/tmp/openvpn_cc_x.tmp")
        return self.run(arguments, environment, user=user)

    def run(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], *, user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        # No program can be found there: only what the shell has built in works.
        shell = (shutil.which(self.shell[0]) or "", *self.shell[1:])
        return subprocess.run(
            (*shell, "-c", PROGRAM.read_text(), "client_connect", *arguments),
            env={"PATH": "/nonexistent", **environment}, capture_output=True, text=True, check=False, timeout=30,
            cwd=self.folder, user=user,
        )  # fmt: skip

    def noted(self) -> dict[str, str]:
        return {one.name: one.read_text() for one in (self.sessions / "udp").iterdir()}


@pytest.fixture(params=SHELLS, ids=lambda argv: argv[0])
def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> Gateway:
    (tmp_path / "sessions" / "udp").mkdir(parents=True)
    (tmp_path / "ccd" / "udp").mkdir(parents=True)
    return Gateway(tmp_path, request.param)


def test_who_is_not_denied_comes_in_and_the_certificate_is_noted(gateway: Gateway) -> None:
    gateway.deny("users/al", "devices/bob@x")
    for name in ("alice@laptop", "bob@y", "bob", "A.b_c-d@E", "x" * 64):
        answer = gateway.ask(name)
        assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", ""), name
        assert gateway.noted()[name] == f"{SERIAL}\n"
        assert (gateway.sessions / "udp" / name).stat().st_mode & 0o777 == 0o640


def test_a_new_certificate_takes_the_place_of_the_one_before(gateway: Gateway) -> None:
    gateway.ask("al@x", {"tls_serial_0": "1" * 48})
    gateway.ask("al@x", {"tls_serial_0": "7"})
    assert gateway.noted() == {"al@x": "7\n"}


@pytest.mark.parametrize("entry", ["users/al", "devices/al@x", "lockdown/everybody", "expired"])
def test_who_is_denied_is_told_why_in_one_line_and_not_noted(gateway: Gateway, entry: str) -> None:
    gateway.deny(entry)
    answer = gateway.ask("al@x")
    assert answer.returncode == 1
    assert answer.stderr == f"client_connect: al@x is refused: {gateway.folder}/denied/{entry}\n"
    assert gateway.noted() == {}


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        " ",
        ".",
        "..",
        ".hidden@x",
        "../al",
        "al/x",
        "al x",
        "al\nx",
        "al@x\n",
        "*",
        "a?",
        "[a]",
        "$(touch pwned)",
        "`touch pwned`",
        "a;touch pwned",
        "a'b",
        'a"b',
        "a\\b",
        "ä@x",
        "a\x01b",
        "x" * 65,
    ],
)
def test_names_that_nobody_has_are_refused_and_never_shown(gateway: Gateway, name: str | None) -> None:
    answer = gateway.ask(name)
    assert answer.returncode == 1
    assert answer.stderr.startswith("client_connect: a device is refused: its common name is ")
    assert answer.stderr.count("\n") == 1
    assert name is None or len(name) < 5 or name not in answer.stderr
    assert gateway.noted() == {}
    assert sorted(one.name for one in gateway.folder.iterdir()) == ["ccd", "sessions"]


@pytest.mark.parametrize("serial", ["", "0x1f", "-1", "1 2", "1\n2", "$(touch pwned)", "ä", "../x"])
def test_a_serial_number_that_is_none_is_not_noted(gateway: Gateway, serial: str) -> None:
    assert gateway.ask("al@x", {"tls_serial_0": serial}).returncode == 0
    assert gateway.noted() == {}
    assert not (gateway.folder / "pwned").exists()


def test_of_a_client_environment_nothing_else_counts(gateway: Gateway) -> None:
    gateway.deny("users/al")
    hostile = {
        "process": "tcp", "folder": "/nonexistent", "denied": "/nonexistent", "name": "bob", "user": "bob",
        "group": "staff", "IFS": "l/", "ENV": "/nonexistent", "CDPATH": "/tmp", "LC_ALL": "tr_TR.UTF-8", "serial": "5",
        "entry": "x", "line": "# Group: x", "PS4": "$(touch pwned)", "OPTIND": "7", "POSIXLY_CORRECT": "1",
    }  # fmt: skip
    assert gateway.ask("al@x", hostile).returncode == 1
    assert gateway.ask("alice@x", hostile).returncode == 0
    assert gateway.noted() == {"alice@x": f"{SERIAL}\n"}


def break_nothing(gateway: Gateway) -> None:
    shutil.rmtree(gateway.sessions)


def break_register(gateway: Gateway) -> None:
    (gateway.folder / "denied").write_text("")


def break_folders(gateway: Gateway) -> None:
    (gateway.folder / "denied" / "lockdown" / "groups").mkdir(parents=True)
    for name in ("users/al", "devices/al@x", "expired", "lockdown/everybody"):
        (gateway.folder / "denied" / name).mkdir(parents=True)
    (gateway.folder / "denied" / "lockdown" / "groups" / "staff").symlink_to("nowhere")


def break_files(gateway: Gateway) -> None:
    gateway.deny("lockdown/groups/staff")
    for name in ("al@x", "DEFAULT"):
        gateway.client_file("udp", name, "")
    (gateway.sessions / "udp" / "al@x").mkdir()


@pytest.mark.parametrize("harm", [break_nothing, break_register, break_folders, break_files])
def test_nothing_that_is_broken_keeps_anybody_out(gateway: Gateway, harm: object) -> None:
    assert callable(harm)
    harm(gateway)
    answer = gateway.ask("al@x")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads and writes everywhere, and has to become somebody else")
def test_a_register_that_cannot_be_read_and_a_folder_that_cannot_be_written_keep_nobody_out(gateway: Gateway) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        gateway.folder = Path(place)
        gateway.folder.chmod(0o755)
        (gateway.sessions / "udp").mkdir(parents=True)
        gateway.deny("users/al")
        assert gateway.ask("al@x", user="nobody").returncode == 1
        (gateway.folder / "denied").chmod(0o700)
        answer = gateway.ask("al@x", user="nobody")
        assert (answer.returncode, answer.stderr, gateway.noted()) == (0, "", {})


@pytest.mark.parametrize("arguments", [(), ("udp",), ("udp", "/nonexistent"), ("", "", "")])
def test_too_few_arguments_keep_nobody_out(gateway: Gateway, arguments: tuple[str, ...]) -> None:
    answer = gateway.run(arguments, {"common_name": "al@x", "tls_serial_0": "7"})
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize(
    ("own", "default", "refused"),
    [
        ("# Managed\n# Group: sales\n", "# Managed\n# Group: staff\n", True),
        ("# Managed\n# Group: staff\n", "# Managed\n# Group: sales\n", False),
        (None, "# Managed\n# Group: sales\nping 5\n", True),
        ("# Managed\nping 5\n", "# Managed\n# Group: sales\n", True),
        ("# Managed\n", "# Managed\n# Group: sales\n", True),
        ("# Group: sales\n# Managed\n", "# Managed\n", False),
        ("# Managed\n# Group: ../groups/sales\n", None, False),
        ("# Managed\n# Group: sales  \n", None, False),
        ("# Managed\n# Group: \n", None, False),
        (None, None, False),
    ],
)
def test_a_lockdown_of_a_group_is_for_the_members_that_the_files_name(
    gateway: Gateway, own: str | None, default: str | None, refused: bool
) -> None:
    gateway.deny("lockdown/groups/sales")
    for name, text in (("al@x", own), ("DEFAULT", default)):
        if text is not None:
            gateway.client_file("udp", name, text)
    gateway.client_file("tcp", "al@x", "# Managed\n# Group: sales\n")
    assert gateway.ask("al@x").returncode == int(refused)
    gateway.deny("lockdown/except/al")
    assert gateway.ask("al@x").returncode == 0


ENTRIES = (
    "users/al", "devices/al@x", "lockdown/everybody", "lockdown/groups/sales", "lockdown/except/al",
    "lockdown/except/al@x", "expired",
)  # fmt: skip


def test_it_decides_as_python_does(tmp_path: Path) -> None:
    (tmp_path / "sessions" / "udp").mkdir(parents=True)
    wrong = []
    for number, chosen in enumerate(paths for size in (0, 1, 2, 3) for paths in itertools.combinations(ENTRIES, size)):
        gateway = Gateway(tmp_path / str(number), SHELLS[0])
        gateway.client_file("udp", "DEFAULT", "# Managed\n# Group: staff\n")
        gateway.client_file("udp", "al@y", "# Managed\n# Group: sales\n")
        gateway.client_file("udp", "bob@x", "# Managed\n# Group: sales\n")
        gateway.deny(*chosen)
        denials = read_denials(gateway.folder / "denied")
        for name in ("al@x", "al@y", "bob@x", "alice@x", "al@x@y"):
            expected = denials.denies(name, group=read_group(gateway.folder / "ccd", "udp", name))
            if gateway.ask(name).returncode != int(expected):
                wrong.append((chosen, name))
    assert not wrong
