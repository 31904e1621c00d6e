"""A way to a name server on which questions or answers get lost, or are late."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
from integration.dns.name_server import ZONE, free_port

Judge = Callable[[dns.message.Message], str]
PASS, LOSE_QUESTION, LOSE_ANSWER, TRUNCATE, FORGE = "pass", "lose question", "lose answer", "truncate", "forge"


class LossyProxy:
    """Forwards UDP and TCP of one port to another one of the loopback.

    :param judge: Tells what becomes of a message; called with it, in order.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.judge: Judge = lambda _message: PASS
        self.tcp_judge: Judge = lambda _message: PASS
        self.delay_seconds = 0.0
        self.seen: list[str] = []
        self._target = ("127.0.0.1", target)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        self._wake, self._awake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self._workers: list[threading.Thread] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._awake.send(b"x")
        for thread in (self._thread, *self._workers):
            thread.join(15)
        for one in (self._udp, self._tcp, self._wake, self._awake):
            one.close()

    def updates(self) -> int:
        """How many updates came by."""
        return sum("UPDATE" in one for one in self.seen)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (self._udp, self._tcp, self._wake):
                selector.register(one, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _events in selector.select()]
                if self._wake in ready:
                    return
                if self._udp in ready:
                    question, client = self._udp.recvfrom(65535)
                    self._work(partial(self._one_datagram, question, client))
                if self._tcp in ready:
                    connection, _client = self._tcp.accept()
                    self._work(partial(self._one_connection, connection))

    def _work(self, job: Callable[[], None]) -> None:
        thread = threading.Thread(target=job)
        self._workers.append(thread)
        thread.start()

    def _verdict(self, question: bytes, how: str) -> str:
        message = dns.message.from_wire(question, keyring=False, continue_on_error=True)
        self.seen.append(f"{how} {dns.opcode.to_text(message.opcode())}")
        verdict = (self.judge if how == "UDP" else self.tcp_judge)(message)
        time.sleep(self.delay_seconds)
        return verdict

    def _one_datagram(self, question: bytes, client: tuple[str, int]) -> None:
        verdict = self._verdict(question, "UDP")
        if verdict == LOSE_QUESTION:
            return
        if verdict == FORGE:
            self._udp.sendto(_forged_answer(question), client)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.settimeout(5)
            way.sendto(question, self._target)
            answer = bytearray(way.recv(65535))
        if verdict == TRUNCATE:
            # The header with its TC bit, the question, and nothing more.
            answer[2] |= 0x02
            answer[6:12] = bytes(6)
            end = answer.index(b"\0", 12) + 5
            answer = answer[:end]
        if verdict != LOSE_ANSWER:
            self._udp.sendto(answer, client)

    def _one_connection(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            connection.settimeout(5)
            size = stream.read(2)
            if len(size) < 2:
                return
            question = size + stream.read(int.from_bytes(size, "big"))
            verdict = self._verdict(question[2:], "TCP")
            if verdict == LOSE_QUESTION:
                return
            with socket.create_connection(self._target, 5) as way, way.makefile("rb") as answers:
                way.sendall(question)
                size = answers.read(2)
                answer = size + answers.read(int.from_bytes(size, "big"))
            if verdict != LOSE_ANSWER:
                connection.sendall(answer)


def _forged_answer(question: bytes) -> bytes:
    """An answer of the zone that nobody signed: there is no such name."""
    asked = dns.message.from_wire(question, keyring=False, continue_on_error=True)
    answer = dns.message.Message(asked.id)
    answer.flags = dns.flags.QR | dns.flags.AA
    answer.set_rcode(dns.rcode.NXDOMAIN)
    answer.question = asked.question
    answer.authority.append(dns.rrset.from_text(f"{ZONE}.", 60, "IN", "SOA", "ns. hostmaster. 1 2 3 4 5"))
    return answer.to_wire()


@contextmanager
def lossy_way_to(target: int) -> Iterator[LossyProxy]:
    proxy = LossyProxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
