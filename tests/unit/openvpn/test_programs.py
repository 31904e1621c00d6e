"""Every OpenVPN of a host: on which file, by which unit, and what it listens on."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.openvpn.test_processes import make_process

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.programs import (
    Bound,
    Program,
    bound_sockets,
    running_programs,
)

UNIFIED = "0::/system.slice/system-openvpn\\x2dserver.slice/{unit}\n"
LEGACY = "12:pids:/x\n1:name=systemd:/system.slice/{unit}\n0::/\n"


def make_program(tmp_path: Path, config: str, cgroup: str) -> Program:
    proc, cwd = tmp_path / "proc", tmp_path / "cwd"
    (proc / "self" / "ns").mkdir(parents=True)
    (proc / "self" / "ns" / "pid").symlink_to("pid:[1]")
    cwd.mkdir()
    make_process(proc, 10, ["/usr/sbin/openvpn", "--config", config], cwd)
    (proc / "10" / "cgroup").write_text(cgroup)
    (program,) = running_programs(proc)
    return program


@pytest.mark.parametrize("cgroup", [UNIFIED, LEGACY])
def test_a_unit_tells_the_folder_also_of_a_process_that_shut_itself_in(tmp_path: Path, cgroup: str) -> None:
    program = make_program(tmp_path, "gone.conf", cgroup.format(unit="openvpn-server@gone.service"))
    assert program.unit == "openvpn-server@gone.service"
    assert program.config == Path("/etc/openvpn/server/gone.conf")


@pytest.mark.parametrize("cgroup", ["0::/user.slice/session-3.scope\n", "", "0::/system.slice/ssh.service\n"])
def test_without_a_unit_of_openvpn_the_folder_is_that_of_the_process(tmp_path: Path, cgroup: str) -> None:
    program = make_program(tmp_path, "../cwd/./gone.conf", cgroup)
    assert program.config == (tmp_path / "cwd").resolve() / "gone.conf"
    assert program.unit in ("", "ssh.service")


def test_only_what_a_process_listens_on_itself_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "10"
    (folder / "fd").mkdir(parents=True)
    (folder / "net").mkdir()
    for number, target in enumerate(("socket:[1]", "socket:[2]", "socket:[3]", "socket:[4]", "/dev/null")):
        (folder / "fd" / str(number)).symlink_to(target)
    row = " 0: 00000000:{port} 00000000:0000 {state} 0:0 0:0 0 0 0 {inode} 1\n"
    rows = [("01BB", "0A", 1), ("D431", "01", 2), ("0050", "0A", 9)]
    (folder / "net" / "tcp").write_text("head\n" + "".join(row.format(port=p, state=s, inode=i) for p, s, i in rows))
    (folder / "net" / "udp6").write_text("head\n" + row.format(port="04AA", state="07", inode=3))
    (folder / "net" / "unix").write_text(
        "head\n0: 2 0 00010000 0001 01 4 /run/x.sock\n1: 2 0 00000000 0001 03 4 /run/no.sock\n"
        "2: 2 0 00010000 0001 01 4\n"
    )
    assert bound_sockets(10, tmp_path) == Bound(("tcp 443", "udp 1194"), (Path("/run/x.sock"),))
    assert bound_sockets(11, tmp_path) == Bound()
