# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small request by HTTP: over a given family, without proxies, redirects and surprises, and with an end."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import urlsplit

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
_PRINTABLE = range(32, 127)


class WebError(CollectionError):
    """A service did not answer, or with something that is no answer."""


class _Plain(http.client.HTTPConnection):
    """A connection over the family that is wanted."""

    family = socket.AF_UNSPEC

    def connect(self) -> None:
        self.sock = _dial(self.host, self.port, self.family, self.timeout)


class _Secure(http.client.HTTPSConnection):
    """The same with TLS, and a certificate that the host trusts."""

    family = socket.AF_UNSPEC

    def connect(self) -> None:
        plain = _dial(self.host, self.port, self.family, self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


@dataclass(frozen=True)
class Download:
    """An answer of any size.

    :param etag: The mark that the server gave it; empty for none.
    :param body: Only of an answer with status 200.
    """

    status: int
    etag: str
    body: bytes


def ask_http(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    longest: int = 64,
    family: int | None = None,
) -> tuple[int, str]:
    """The status and the body of an answer.

    :param seconds: When it is over for all of it, names and drops that come one by one included.
    :param longest: How many bytes the body of an answer may have.
    :param family: 4, 6, or whichever works.
    :raises WebError: no answer, one that is too long, or one that is no text.
    """
    found = _within(seconds, lambda: _exchange(_connection(url, family, seconds), method, url, headers, longest))
    if any(byte not in _PRINTABLE for byte in found.body.strip()):
        raise WebError("its answer is no line of text")
    return found.status, found.body.decode("ascii")


def download(
    url: str, *, seconds: float, stall_seconds: float, longest: int, headers: Mapping[str, str] | None = None
) -> Download:
    """A file as a server has it; options as for :func:`ask_http`.

    :param stall_seconds: How long nothing at all may come; a large file over a slow link takes its time.
    :raises WebError: no answer, one that is too long, or one that breaks off.
    """
    longest_wait = min(seconds, stall_seconds)
    return _within(seconds, lambda: _exchange(_connection(url, None, longest_wait), "GET", url, headers, longest))


def _within(seconds: float, exchange: Callable[[], Download]) -> Download:
    """What an exchange gives in time.

    :raises WebError: it gives nothing, or not in time.
    """
    answers: list[Download] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            answers.append(exchange())
        except (OSError, http.client.HTTPException, ValueError, WebError) as error:
            errors.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)
    if errors and isinstance(errors[0], WebError):
        raise errors[0]
    if errors:
        raise WebError(f"no answer ({_reason(errors[0])})") from errors[0]
    if not answers:
        raise WebError(f"no answer within {seconds:g} s")
    return answers[0]


def _connection(url: str, family: int | None, seconds: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = _Secure if parts.scheme == "https" else _Plain
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    connection.family = _FAMILIES[family]
    return connection


def _exchange(
    connection: http.client.HTTPConnection, method: str, url: str, headers: Mapping[str, str] | None, longest: int
) -> Download:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Connection": "close", "User-Agent": "privatespace", **(headers or {})}
    try:
        connection.request(method, target, headers=sent)
        with connection.getresponse() as answer:
            # A page that says why there is nothing is of any length; only what is an answer has to be short.
            body = _read(answer, longest) if answer.status == http.client.OK else b""
            return Download(answer.status, answer.getheader("ETag", ""), body)
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, longest: int) -> bytes:
    if (answer.length or 0) > longest:
        raise WebError(f"its answer is longer than {longest} bytes")
    body = answer.read(longest + 1)
    if len(body) > longest:
        raise WebError(f"its answer is longer than {longest} bytes")
    # The library tells of what is missing only where it was asked for everything.
    if answer.length:
        raise WebError(f"its answer breaks off after {len(body)} bytes")
    return body


def _dial(host: str, port: int, family: int, seconds: Any) -> socket.socket:
    """The first address of a host that can be connected to."""
    last: OSError = OSError(f"there is no address of {host}")
    for kind, flavour, protocol, _name, place in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM):
        made = socket.socket(kind, flavour, protocol)
        try:
            made.settimeout(seconds)
            made.connect(place)
        except OSError as error:
            made.close()
            last = error
        else:
            return made
    raise last


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shown(str(text))
