# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules without a store are given: texts by path or content, names, addresses, dates; and their ports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import check_days
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files

PUBLIC_MODE = "0644"
ANYBODY_WRITES = 0o022
LONGEST_DNS_NAME = 253
FIRST_YEAR = 1950  # the first that the UTCTime of a certificate can tell
LONGEST_COMMON_NAME = 64
LONGEST_VALIDITY_DAYS = 36525
LARGEST_NUMBER = 2**159  # of a CRL: 20 bytes, says RFC 5280
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_WILDCARD = "*."
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")


@dataclass(frozen=True)
class StandalonePorts:
    """What a run without a store needs from the world.

    :param clock: The current time in UTC.
    :param random_bytes: That many bytes from a CSPRNG.
    :param open_key: Logs in to the token and gives the private key for a block, proven to belong to the public key that
        is given; ``None`` is given where the token alone knows it.
    :param public_half: The public half of the key, seen without a login; ``None`` where there is none to be seen.
    :param require_writable: Raises where a file could not be written.
    """

    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    open_key: Callable[[Any], AbstractContextManager[Any]]
    public_half: Callable[[], Any]
    files: Files
    require_writable: Callable[[Path], None]


@dataclass(frozen=True)
class Source:
    """A text that was given by path or by content.

    :param option: The option, and its path where it has one: for messages.
    :param text: ``None`` where it is not there yet, which check mode has to live with.
    """

    option: str
    text: str | None

    def load(self, loader: Callable[[str], Any]) -> Any:
        """What a loader makes of the text; ``None`` where there is no text.

        :raises InputError: the loader cannot read it; the message names the option.
        """
        with naming(self.option):
            return None if self.text is None else loader(self.text)


@contextmanager
def naming(option: str) -> Iterator[None]:
    """Put the name of an option before the message of an error that is about its value."""
    try:
        yield
    except CollectionError as error:
        raise type(error)(f"{option}: {error.message}", remedy=error.remedy) from error


def read_source(
    options: Mapping[str, Any],
    name: str,
    read: Callable[[Path], bytes | None],
    *,
    lenient: bool = False,
    where: str = "The option ",
) -> Source | None:
    """The text of ``NAME_path`` or ``NAME_content``; ``None`` where neither is given.

    :param lenient: In check mode an earlier task would have made what is missing.
    :raises InputError: the file is missing, the content is empty, or it is no text.
    """
    path, content = options[f"{name}_path"], options[f"{name}_content"]
    if path is None and content is None:
        return None
    option = f"{where}'{name}_content'" if path is None else f"{where}'{name}_path' ({path})"
    text = content if path is None else _as_text(read(Path(path)), option)
    if text:
        return Source(option, text)
    if not lenient:
        raise InputError(f"{option}: there is {'nothing in it' if text == '' else 'no such file'}.")
    return Source(option, None)


def _as_text(content: bytes | None, option: str) -> str | None:
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{option}: it is not a text; PEM was expected.") from error


def parse_mode(value: Any) -> int:
    """The permission bits of a public file, from a string of octal digits or from a number.

    :raises InputError: it is neither, or lets others than the owner write.
    """
    text = f"{value:04o}" if isinstance(value, int) else str(value)
    if not re.fullmatch(r"[0-7]{3,4}", text) or int(text, 8) > 0o777 or int(text, 8) & ANYBODY_WRITES:
        raise InputError(
            f"The option 'mode' is '{shown(text)}'.",
            remedy=f"Give octal digits in quotes that let nobody but the owner write, for example '{PUBLIC_MODE}'.",
        )
    return int(text, 8)


def parse_common_name(value: str) -> str:
    """A common name, unchanged, if a certificate can hold it.

    :raises InputError: it is empty, too long or more than a line.
    """
    require_single_line(value, what="The common name")
    if not 0 < len(value.strip()) <= len(value) <= LONGEST_COMMON_NAME:
        raise InputError(
            f"The common name '{shown(value)}' must have 1 to {LONGEST_COMMON_NAME} characters, not spaces only.",
            remedy="Give the option 'common_name'.",
        )
    return value


def parse_dns_names(values: Iterable[str] | None, *, option: str, wildcards: bool) -> tuple[str, ...]:
    """DNS names in lower case, each once, in alphabetical order, so that the order in a task does not matter.

    :param wildcards: Whether a name may begin with ``*.``.
    :raises InputError: one of them is no DNS name.
    """
    return tuple(sorted({_dns_name(value, option, wildcards=wildcards) for value in values or ()}))


def _dns_name(value: str, option: str, *, wildcards: bool) -> str:
    bare = value[len(_WILDCARD) :] if wildcards and value.startswith(_WILDCARD) else value
    if len(value) > LONGEST_DNS_NAME or not _DNS_NAME.fullmatch(bare):
        raise InputError(
            f"The option '{option}' holds '{shown(value)}', which is not a DNS name.",
            remedy="Give names such as vpn.example.net; those with letters beyond ASCII in their form xn--....",
        )
    return value.lower()


def is_within(name: str, subtree: str) -> bool:
    """Whether a DNS name, a wildcard too, lies in a DNS subtree of RFC 5280."""
    bare, tree = name.lower().replace(_WILDCARD, ""), subtree.lower().lstrip(".")
    return bare == tree or bare.endswith(f".{tree}")


def parse_urls(values: Iterable[str] | None, *, option: str) -> tuple[str, ...]:
    """URLs, in the order in which they were given: the first is tried first.

    :raises InputError: one of them is no URL.
    """
    for value in values or ():
        if not _URL.fullmatch(value):
            raise InputError(
                f"The option '{option}' holds '{shown(value)}', which is not a URL.",
                remedy="Give one such as http://pki.example.net/ca.crl.",
            )
    return tuple(values or ())


def parse_moment(value: str, *, what: str) -> datetime:
    """A date and time of ISO 8601 in UTC and whole seconds; without a zone it is taken for UTC.

    :raises InputError: it is none.
    """
    try:
        moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", value.strip()))
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        utc = zoned.astimezone(timezone.utc).replace(microsecond=0)
    except (ValueError, OverflowError):
        utc = None
    if utc is None or utc.year < FIRST_YEAR:
        raise InputError(f"{what} is '{shown(value)}', which is no usable date.", remedy="Give 2026-11-22T14:00:00Z.")
    return utc


def check_periods(*, validity_days: int, renewal_days: int, number: int | None = None) -> None:
    """Refuse periods in which everything would be due at once, and a CRL number that is none.

    :raises InputError: naming the option.
    """
    check_days(validity_days=validity_days, renewal_days=renewal_days)
    if validity_days > LONGEST_VALIDITY_DAYS:
        raise InputError(f"The option 'validity_days' must be {LONGEST_VALIDITY_DAYS} at most: a hundred years.")
    if number is not None and not 0 < number < LARGEST_NUMBER:
        raise InputError("The option 'number' must be 1 or more, and fit into 20 bytes.")
