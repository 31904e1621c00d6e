"""OpenVPN processes are found by what /proc says, and by the sockets in their configurations."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.processes import (
    find_sockets,
    running_processes,
    serial_folders,
)


def make_process(proc: Path, pid: int, argv: list[str], cwd: Path, *, namespace: str = "pid:[1]") -> None:
    folder = proc / str(pid)
    (folder / "ns").mkdir(parents=True)
    (folder / "ns" / "pid").symlink_to(namespace)
    (folder / "cwd").symlink_to(cwd)
    (folder / "cmdline").write_bytes("\0".join([*argv, ""]).encode())
    ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) - 100) * os.sysconf("SC_CLK_TCK"))
    (folder / "stat").write_text(f"{pid} (open) vpn) S " + " ".join(["0"] * 18) + f" {ticks} 0 0\n")


def make_host(tmp_path: Path) -> tuple[Path, Path]:
    """A host with one listener, an OpenVPN without a socket, another program, and a process in a container."""
    proc, etc = tmp_path / "proc", tmp_path / "etc"
    (proc / "self" / "ns").mkdir(parents=True)
    (proc / "self" / "ns" / "pid").symlink_to("pid:[1]")
    etc.mkdir()
    for name in ("udp", "contained"):
        (etc / f"{name}.conf").write_text(f"port 1\n# management /x unix\nmanagement /run/ov/{name}.sock unix\n")
    (etc / "plain.conf").write_text("port 2\n")
    make_process(proc, 10, ["/usr/sbin/openvpn", "--status", "x", "--config", "udp.conf"], etc)
    make_process(proc, 11, ["openvpn", str(etc / "plain.conf")], etc)
    make_process(proc, 12, ["vim", "--config", "udp.conf"], etc)
    make_process(proc, 13, ["openvpn", "--config", "contained.conf"], etc, namespace="pid:[2]")
    make_process(proc, 14, ["openvpn", "--config", "deleted.conf"], etc)
    return proc, etc


def test_only_listeners_of_this_host_are_found(tmp_path: Path) -> None:
    proc, etc = make_host(tmp_path)
    (process,) = running_processes(proc).values()
    assert (process.pid, process.socket, process.config) == (10, Path("/run/ov/udp.sock"), etc / "udp.conf")
    assert abs(time.time() - 100 - process.started_at) < 1


def test_a_configuration_written_after_the_start_is_stale(tmp_path: Path) -> None:
    proc, etc = make_host(tmp_path)
    config = etc / "udp.conf"
    for age, stale in ((50, True), (200, False)):
        os.utime(config, (time.time() - age, time.time() - age))
        assert [process.stale for process in running_processes(proc).values()] == [stale]


def test_a_socket_that_was_deleted_does_not_hide_its_process(tmp_path: Path) -> None:
    proc, _etc = make_host(tmp_path)
    processes = running_processes(proc)
    assert find_sockets(None, processes, folder=Path("/run/ov")) == (Path("/run/ov/udp.sock"),)
    assert find_sockets(None, processes, folder=tmp_path) == ()
    (tmp_path / "left.sock").touch()
    assert find_sockets(None, {}, folder=tmp_path) == (tmp_path / "left.sock",)


def test_a_folder_of_serial_numbers_is_found_where_the_host_has_it() -> None:
    assert serial_folders("crl-verify /etc/x/crl.pem\n") == ()
    assert serial_folders("port 1\n  crl-verify /etc/x/revoked dir\n# crl-verify /y dir\n") == ("/etc/x/revoked",)
    assert serial_folders("crl-verify /revoked dir\nchroot /etc/x\n") == ("/etc/x/revoked",)


def test_sockets_that_are_named_are_taken_as_they_are() -> None:
    assert find_sockets(["/b.sock", "/a.sock", "/b.sock"], {}) == (Path("/b.sock"), Path("/a.sock"))
