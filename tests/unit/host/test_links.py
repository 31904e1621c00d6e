"""Network devices and kernel modules of a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.links import kernel_modules, link_kinds


def put_ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    program = tmp_path / "ip"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_devices_have_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = '[{"ifname": "lo"}, {"ifname": "tun-udp", "linkinfo": {"info_kind": "ovpn-dco"}}]'
    put_ip(tmp_path, monkeypatch, f"echo '{links}'")
    assert link_kinds() == {"tun-udp": "ovpn-dco"}


@pytest.mark.parametrize("text", ["exit 1", "echo no JSON"])
def test_who_cannot_tell_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    put_ip(tmp_path, monkeypatch, text)
    assert link_kinds() == {}


def test_modules_that_are_loaded_and_that_could_be(tmp_path: Path) -> None:
    installed = tmp_path / "lib" / os.uname().release
    installed.mkdir(parents=True)
    (tmp_path / "modules").write_text("ovpn_dco_v2 1 0 - Live 0x0\nudp_tunnel 1 0 - Live 0x0\n")
    (installed / "modules.dep").write_text("kernel/drivers/net/ovpn/ovpn.ko.xz: kernel/net/ovpn-not.ko.xz\n")
    assert kernel_modules("ovpn", proc=tmp_path, modules=tmp_path / "lib") == {"ovpn-dco-v2", "ovpn"}
    assert kernel_modules("ovpn", proc=tmp_path / "none", modules=tmp_path / "none") == set()
