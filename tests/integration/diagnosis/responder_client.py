"""Asks the responder of a window once: ``responder_client.py tcp|udp ADDRESS PORT QUESTION``."""

from __future__ import annotations

import contextlib
import socket
import sys


def main() -> None:
    protocol, address, port, question = sys.argv[1:]
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    answer = b""
    with socket.socket(socket.AF_INET, kind) as asking, contextlib.suppress(OSError):
        asking.settimeout(0.5)
        asking.connect((address, int(port)))
        asking.sendall(f"{question}\n".encode())
        answer = asking.recv(4096)
    print(answer.decode().strip() or "no answer")


if __name__ == "__main__":
    main()
