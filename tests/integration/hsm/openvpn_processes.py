"""Real OpenVPN processes that shake hands and nothing else: no tunnel device and no privileges are needed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

UP = "Initialization Sequence Completed"
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Process:
    """A running openvpn and the file that it logs to."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, *texts: str) -> str:
        """The first of these texts to appear in the log."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = [text for text in texts if text in self.text()]
            if found:
                return found[0]
            time.sleep(0.05)
        pytest.fail(f"none of {texts} within {TIMEOUT_SECONDS} s:\n{self.text()}")


def openvpn() -> str:
    return shutil.which("openvpn", path=f"{os.environ['PATH']}:/usr/sbin") or pytest.fail("openvpn is not installed")


@contextmanager
def running(folder: Path, name: str, *options: str) -> Iterator[Process]:
    common = ("--dev", "null", "--proto", "udp", "--verb", "3", "--ca", "ca.crt", "--tls-version-min", "1.2")
    log = folder / f"{name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([openvpn(), *common, *options], cwd=folder, stdout=stream, stderr=stream)
    try:
        yield Process(process, log)
    finally:
        process.kill()
        process.wait(timeout=10)


def free_port() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
