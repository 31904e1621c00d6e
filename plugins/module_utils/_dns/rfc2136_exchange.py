# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One signed question or update, and its answer: over UDP, over TCP, from whichever address of the server answers."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.authoritative import find_addresses
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    BadKeyError,
    NameServerTimeoutError,
    ServerFailedError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import (
    ProviderSettings,
    Server,
)

try:
    import dns.exception
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.tsig
except ImportError:
    dns = missing_library("dnspython", remedy="Install python3-dnspython, or dnspython by pip, where this runs.")

# UDP gets this share of the time, and no more than so many seconds; the rest is for TCP.
UDP_SHARE = 0.3
LONGEST_UDP_SECONDS = 2.0
# Longer messages go over TCP at once.
LONGEST_UDP_BYTES = 1232


class Exchange:
    """Speaks with the primary server of a zone."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.calls = 0
        self._settings = settings
        self._lock = Lock()
        self._places: list[tuple[str, int]] | None = None
        self.key = dns.tsig.Key(
            dns.name.from_text(settings.key_name), settings.key_secret, dns.name.from_text(settings.key_algorithm)
        )

    def ask(self, make: Callable[[], Any]) -> Any:
        """The answer to a question, of the first server that gives one.

        :param make: Makes the message, signed with ``key``, anew for each time that it is sent.
        :raises BadKeyError: the key, its secret or a clock is wrong.
        :raises NameServerTimeoutError: no server answers.
        """
        troubles: list[CollectionError] = []
        for place in self._open_places():
            answer = self._try_at(place, make, troubles)
            if answer is not None:
                return answer
        raise _all_failed(troubles, self._settings.servers)

    def send(self, make: Callable[[], Any]) -> Any:
        """The answer to an update, of the server that answered last. It is not sent to another one.

        :raises NameServerTimeoutError: no answer; the update may have been carried out.
        """
        place = self._open_places()[0]
        try:
            return self._ask_at(place, make)
        except (NameServerTimeoutError, ServerFailedError):
            self._put_last(place)
            raise

    def _try_at(self, place: tuple[str, int], make: Callable[[], Any], troubles: list[CollectionError]) -> Any:
        try:
            return self._ask_at(place, make)
        except (NameServerTimeoutError, ServerFailedError) as error:
            troubles.append(error)
            self._put_last(place)
            return None

    def _open_places(self) -> list[tuple[str, int]]:
        with self._lock:
            if self._places is None:
                found = [(address, one.port) for one in self._settings.servers for address in find_addresses(one.host)]
                if not found:
                    raise NameServerTimeoutError(
                        f"No address is known for the name server {_listed(self._settings.servers)}.",
                        remedy="Correct 'servers', or give addresses.",
                    )
                self._places = list(dict.fromkeys(found))
            return list(self._places)

    def _put_last(self, place: tuple[str, int]) -> None:
        with self._lock:
            if self._places is not None and place in self._places:
                self._places.remove(place)
                self._places.append(place)

    def _ask_at(self, place: tuple[str, int], make: Callable[[], Any]) -> Any:
        with self._lock:
            self.calls += 1
        shown = str(Server(*place))
        try:
            answer = self._transport(place, make)
        except dns.tsig.PeerError as error:
            raise self._bad_key(shown, error) from error
        except (dns.tsig.BadTime, dns.tsig.BadSignature, dns.tsig.BadKey, dns.message.UnknownTSIGKey) as error:
            raise self._bad_key(shown, error) from error
        except dns.exception.Timeout as error:
            raise NameServerTimeoutError(
                f"The name server {shown} did not answer in {self._settings.timeout_seconds:g} s.",
                remedy="Look whether it runs, and whether UDP and TCP to its port come through.",
            ) from error
        except (OSError, EOFError) as error:
            raise NameServerTimeoutError(
                f"The name server {shown} cannot be reached ({str(error) or 'it closed the connection'}).",
                remedy="Look whether it runs, and whether UDP and TCP to its port come through.",
            ) from error
        except dns.exception.DNSException as error:
            if "TSIG" in str(error):
                # What newer versions of dnspython make of an answer without a signature.
                raise self._unsigned(shown) from error
            raise ServerFailedError(f"The answer of the name server {shown} cannot be read ({error}).") from error
        return self._judged(answer, shown)

    def _transport(self, place: tuple[str, int], make: Callable[[], Any]) -> Any:
        address, port = place
        seconds = self._settings.timeout_seconds
        message = make()
        for_udp = min(seconds * UDP_SHARE, LONGEST_UDP_SECONDS)
        if len(message.to_wire()) <= LONGEST_UDP_BYTES:
            try:
                return dns.query.udp(
                    message, address, timeout=for_udp, port=port, ignore_unexpected=True, raise_on_truncation=True
                )
            except (dns.exception.Timeout, dns.message.Truncated, OSError):
                seconds -= for_udp
        return dns.query.tcp(make(), address, timeout=seconds, port=port)

    def _judged(self, answer: Any, shown: str) -> Any:
        code = answer.rcode()
        if code in (dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.FORMERR):
            raise ServerFailedError(
                f"The name server {shown} answered {dns.rcode.to_text(code)}.",
                remedy="Look into its log: the zone may be frozen, not loaded, or in a folder where it may not write.",
            )
        if not answer.had_tsig:
            raise self._unsigned(shown)
        return answer

    def _unsigned(self, shown: str) -> BadKeyError:
        return BadKeyError(
            f"The name server {shown} did not sign its answer, so that nobody knows whose it is.",
            remedy=f"Make the key '{self._settings.key_name}' known there.",
        )

    def _bad_key(self, shown: str, error: Exception) -> BadKeyError:
        name = self._settings.key_name
        if isinstance(error, (dns.tsig.PeerBadKey, dns.tsig.BadKey, dns.message.UnknownTSIGKey)):
            return BadKeyError(
                f"The name server {shown} does not know the key '{name}' with {self._settings.key_algorithm}.",
                remedy="Correct 'key_name' or 'key_algorithm', or make the key known there.",
            )
        if isinstance(error, (dns.tsig.PeerBadTime, dns.tsig.BadTime)):
            return BadKeyError(
                f"The clocks of this host and of the name server {shown} differ by more than five minutes.",
                remedy="Set the clocks, best by NTP.",
            )
        return BadKeyError(
            f"The secret of the key '{name}' is not the one that the name server {shown} has.",
            remedy="Correct 'key_secret'.",
        )


def _listed(servers: Sequence[Server]) -> str:
    return ", ".join(str(one) for one in servers)


def _all_failed(troubles: Sequence[CollectionError], servers: Sequence[Server]) -> CollectionError:
    if len(troubles) == 1:
        return troubles[0]
    silent = any(isinstance(one, NameServerTimeoutError) for one in troubles)
    kind = NameServerTimeoutError if silent else ServerFailedError
    return kind(
        f"No name server of {_listed(servers)} does: {' '.join(one.message for one in troubles)}",
        remedy=troubles[-1].remedy,
    )
