"""The responder of a gateway's window, for tests of the probe alone: ``responder.py ADDRESS PORT TOKEN``."""

from __future__ import annotations

import socketserver
import sys
import threading
import time

TOKEN = sys.argv[3].encode()


def answer(line: bytes) -> bytes:
    token, _space, question = line.strip().partition(b" ")
    return TOKEN + f" {time.time():.6f}\n".encode() if token == TOKEN and question == b"time" else b""


class Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sender = self.request
        said = answer(data)
        if said:
            sender.sendto(said, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(answer(self.rfile.readline(512)))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


if __name__ == "__main__":
    where = (sys.argv[1], int(sys.argv[2]))
    threading.Thread(target=Server(where, Stream).serve_forever, daemon=True).start()
    socketserver.UDPServer(where, Datagram).serve_forever()
