# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A crowd of browsers comes to the web server through OpenVPN's port, and it is known where each comes from."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.vpn import ADDRESS, ADDRESS6, LISTENERS, Vpn, command, running, wait_for
from integration.web.web_site import NAME, Site, running_site

BROWSERS = 200
SHARED_PORT = 8443
# All of them connect, all are answered, and only then does the first of them go away.
CROWD = """
import asyncio, json, ssl, sys
address, name, root, folder, number = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
here = asyncio.Event()
waiting = int(number)

async def browse():
    global waiting
    reader, writer = await asyncio.open_connection(address, 443, ssl=context, server_hostname=name)
    own = writer.get_extra_info("sockname")
    ports = []
    for _ in range(2):
        writer.write(f"GET /port HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        assert b" 200 OK" in head, head
        size = int(head.lower().partition(b"content-length: ")[2].split()[0])
        ports.append((await reader.readexactly(size)).decode())
        if len(ports) == 1:
            waiting -= 1
            if not waiting:
                here.set()
            await here.wait()
    with open(f"{folder}/[AF_INET]127.0.0.1:{ports[0].strip()}") as noted:
        origin = noted.read()
    writer.close()
    return [own[:2], ports, origin]

async def everybody():
    return await asyncio.wait_for(asyncio.gather(*(browse() for _ in range(int(number)))), 60)

print(json.dumps(asyncio.run(everybody())))
"""


@dataclass(frozen=True)
class Gateway:
    """OpenVPN on 443, and the web server behind it."""

    vpn: Vpn
    site: Site
    noted: Path

    def visit(self, number: int, *, address: str = ADDRESS) -> list[Any]:
        """Each browser's own address, what it was told, and what was noted of it."""
        namespace = self.vpn.client().namespace
        argv = (sys.executable, "-c", CROWD, address, NAME, str(self.site.root), str(self.noted), str(number))
        visits: list[Any] = json.loads(command("ip", "netns", "exec", namespace, *argv))
        return visits


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    noted = tmp_path_factory.mktemp("visitors")
    for parent in noted.parents[:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    shutil.chown(noted, "nobody")
    share = f"127.0.0.1:{SHARED_PORT}"
    listener = {**LISTENERS[1], "network": "10.91.16.0/20", "max_clients": None, "port_share": share}
    with running(listeners=[listener], ipv6_outside=True, port_share_journal=str(noted)) as vpn:
        inside = ("ip", "netns", "exec", vpn.server_namespace)
        settings = {"listeners": [listener], "shared_port": SHARED_PORT}
        with running_site(
            tmp_path_factory.mktemp("site"), inside=inside, http_port=80, https_port=443, settings=settings
        ) as site:
            (site.config / "server443.d/port.conf").write_text("location /port { return 200 $remote_port; }\n")
            site.certify()
            assert site.reload()
            yield Gateway(vpn, site, noted)


def test_a_crowd_is_served_at_once(gateway: Gateway) -> None:
    visits = gateway.visit(BROWSERS)
    assert len(visits) == BROWSERS
    assert all(origin == f"[AF_INET6]::ffff:{own[0]}:{own[1]}" for own, _ports, origin in visits)
    assert all(first == second for _own, (first, second), _origin in visits)
    assert len({ports[0] for _own, ports, _origin in visits}) == BROWSERS
    assert "PORT SHARE: sendmsg failed" not in gateway.vpn.server_log("tcp")


def test_where_a_browser_comes_from_is_noted_for_ipv6_too(gateway: Gateway) -> None:
    ((own, _ports, origin),) = gateway.visit(1, address=ADDRESS6)
    assert origin == f"[AF_INET6]{own[0]}:{own[1]}"


def test_what_was_noted_goes_with_the_visitor(gateway: Gateway) -> None:
    gateway.visit(3)
    wait_for("empty folder", 10, lambda: not list(gateway.noted.iterdir()))


def test_the_tunnel_is_reached_beside_the_crowd(gateway: Gateway) -> None:
    client = gateway.vpn.connect("user@laptop", "tcp")
    gateway.visit(BROWSERS)
    assert client.lost_packets(0.5, "10.91.16.1") == 0
    client.stop()
