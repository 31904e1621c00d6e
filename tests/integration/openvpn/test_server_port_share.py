"""One port for two: what is OpenVPN is answered by OpenVPN, and everything else by the web server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.openvpn.vpn import ADDRESS, ADDRESS6, LISTENERS, Vpn, command, running, wait_for

WEB_PORT = 4443
SECRET = "the portal's page"
WEB_SERVER = """
import http.server, ssl, sys
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = sys.argv[3].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{sys.argv[2]}/server.crt", f"{sys.argv[2]}/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""
WEB_CLIENT = """
import http.client, ssl, sys
context = ssl.create_default_context(cafile=f"{sys.argv[2]}/ca.crt")
context.check_hostname = False
connection = http.client.HTTPSConnection(sys.argv[1], 443, context=context, timeout=10)
for _ in range(2):
    connection.request("GET", "/")
    print(connection.getresponse().read().decode())
"""


@pytest.fixture(scope="module")
def vpn() -> Iterator[Vpn]:
    listener = {**LISTENERS[1], "port_share": f"127.0.0.1:{WEB_PORT}"}
    with running(listeners=[listener], ipv6_outside=True) as vpn:
        inside = ("ip", "netns", "exec", vpn.server_namespace)
        command("ip", "-n", vpn.server_namespace, "link", "set", "lo", "up")
        log = vpn.folder / "web.log"
        with log.open("wb") as stream:
            argv = (*inside, "timeout", "120", sys.executable, "-c", WEB_SERVER, str(WEB_PORT), str(vpn.folder), SECRET)
            web = subprocess.Popen(argv, stdout=stream, stderr=stream)
        try:
            wait_for("web server", 10, lambda: "ready" in log.read_text())
            yield vpn
        finally:
            web.terminate()
            web.wait(10)


def page(vpn: Vpn, namespace: str, address: str) -> list[str]:
    argv = ("ip", "netns", "exec", namespace, sys.executable, "-c", WEB_CLIENT, address, str(vpn.folder))
    return command(*argv).splitlines()


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS6])
def test_a_browser_and_a_vpn_client_meet_on_one_port(vpn: Vpn, address: str) -> None:
    client = vpn.connect(f"user@{'six' if ':' in address else 'four'}", "tcp", address=address)
    assert client.lost_packets(0.3, "10.91.1.1") == 0
    assert page(vpn, client.namespace, address) == [SECRET, SECRET]
    assert client.lost_packets(0.3, "10.91.1.1") == 0
    client.stop()


def test_who_has_not_the_key_of_the_tunnel_sees_the_web_server_only(vpn: Vpn) -> None:
    stranger = vpn.client()
    assert page(vpn, stranger.namespace, ADDRESS) == [SECRET, SECRET]
    assert Path(vpn.folder / "tcp.log").read_text().count("PORT SHARE") < 2
