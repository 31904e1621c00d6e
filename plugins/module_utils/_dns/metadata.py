# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two services that tell a host its public address: the metadata of Amazon EC2, and an echo service of one's choice.

The metadata are asked as IMDSv2 wants it: a token first, by PUT, which a request that was forwarded cannot get.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_sources import (
    LONGEST_ANSWER,
    Answer,
    parse_answer,
)

# The service is at most a hop away, and where it is missing every start would wait for it.
METADATA_SECONDS = 1.5
ECHO_SECONDS = 5.0
TOKEN_SECONDS = 60
_LONGEST_TOKEN = 1024
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - the name of a header
_PATHS = {4: "public-ipv4", 6: "ipv6"}
_NOT_FOUND = 404
_OK = 200
_URL = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][!-~]*)?")
_REDIRECT = 3


class Ask(Protocol):
    """One request by HTTP: what comes back is the status and the body; nothing is followed.

    ``family`` is the one to ask over, or ``None``; ``longest`` is how many bytes of the body may come at most.
    """

    def __call__(
        self, method: str, url: str, *, seconds: float, headers: Mapping[str, str], longest: int, family: int | None
    ) -> tuple[int, str]: ...


def require_url(url: Any) -> str:
    """A URL that can be asked.

    :raises InputError: it is none, or one with a password in it, which would be read where it is not looked for.
    """
    text = url if isinstance(url, str) else ""
    if not _URL.fullmatch(text):
        raise InputError(
            f"'{shown(str(url))}' is no URL that begins with http:// or https://, without user and password."
        )
    return text


class MetadataSource:
    """The metadata service, with a token for one look; where it does not answer, it is not asked again."""

    def __init__(self, url: str, *, ask: Ask, private_addresses: bool) -> None:
        self._url = url.rstrip("/")
        self._ask = ask
        self._private_addresses = private_addresses
        self._token = ""
        self._problem = ""

    def __call__(self, family: int) -> Answer:
        if not self._token and not self._problem:
            self._fetch_token()
        if self._problem:
            return Answer(problem=self._problem)
        try:
            status, body = self._ask_service("GET", f"meta-data/{_PATHS[family]}", {_TOKEN_HEADER: self._token})
        except CollectionError as error:
            return Answer(problem=str(error))
        if status == _NOT_FOUND:
            return Answer()
        if status != _OK:
            return Answer(problem=f"it answers with status {status}")
        return parse_answer(body, family, private_addresses=self._private_addresses)

    def _ask_service(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        return self._ask(
            method,
            f"{self._url}/latest/{path}",
            seconds=METADATA_SECONDS,
            headers=headers,
            longest=_LONGEST_TOKEN,
            family=None,
        )

    def _fetch_token(self) -> None:
        try:
            status, body = self._ask_service("PUT", "api/token", {_TTL_HEADER: str(TOKEN_SECONDS)})
        except CollectionError as error:
            self._problem = str(error)
            return
        token = body.strip()
        if status != _OK or not token or not token.isprintable() or not token.isascii():
            self._problem = f"it gives no token (status {status})"
        else:
            self._token = token


class EchoSource:
    """Services that answer with the address that a request came from; the first that answers well decides."""

    def __init__(self, urls: Sequence[str], *, ask: Ask, private_addresses: bool) -> None:
        self._urls = urls
        self._ask = ask
        self._private_addresses = private_addresses

    def __call__(self, family: int) -> Answer:
        problems = []
        for url in self._urls:
            answer = self._ask_one(url, family)
            if answer.addresses:
                return answer
            problems.append(f"{url}: {answer.problem}")
        return Answer(problem="; ".join(problems))

    def _ask_one(self, url: str, family: int) -> Answer:
        try:
            status, body = self._ask(
                "GET",
                url,
                seconds=ECHO_SECONDS,
                headers={"Accept": "text/plain"},
                longest=LONGEST_ANSWER,
                family=family,
            )
        except CollectionError as error:
            return Answer(problem=str(error))
        if status != _OK:
            told = ", a redirect, which is not followed" if status // 100 == _REDIRECT else ""
            return Answer(problem=f"it answers with status {status}{told}")
        return parse_answer(body, family, private_addresses=self._private_addresses)
