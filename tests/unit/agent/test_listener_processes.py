"""Which processes are servers, by what /proc says of them."""

from __future__ import annotations

from pathlib import Path

from unit.openvpn.test_processes import make_process

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import find_listeners


def test_what_passes_browsers_on_is_no_second_listener(tmp_path: Path) -> None:
    """A server with port-share has a child with the command line of its own."""
    proc, etc = tmp_path / "proc", tmp_path / "etc"
    (proc / "self" / "ns").mkdir(parents=True)
    (proc / "self" / "ns" / "pid").symlink_to("pid:[1]")
    etc.mkdir()
    (etc / "tcp.conf").write_text("mode server\ntls-server\nserver 10.8.0.0 255.255.255.0\nproto tcp\nport 443\n")
    for pid, parent in ((10, 1), (11, 10), (12, 1)):
        make_process(proc, pid, ["openvpn", "--config", "tcp.conf"], etc)
        stat = proc / str(pid) / "stat"
        stat.write_text(stat.read_text().replace(" S 0 ", f" S {parent} "))
    assert [one.pid for one in find_listeners(proc)] == [10, 12]
