# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TSIG keys (RFC 8945) in the syntax of BIND, as ``tsig-keygen`` prints them; the text of a key is never shown."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.hostnames import parse_name

# A key as long as what the hash gives (RFC 8945, section 5.3.2.1, and RFC 2104).
SECRET_BYTES = {"hmac-sha256": 32, "hmac-sha512": 64}
FILE_MODE = "0600"
# What is quoted is no comment: a secret in base64 may well hold "//".
_COMMENT = re.compile(r'("[^"\n]*")|//[^\n]*|#[^\n]*|/\*.*?\*/', re.DOTALL)
_KEY = re.compile(r'\s*key\s+"?([^"\s{;]+)"?\s*\{([^{}]*)\}\s*;')
_FIELD = re.compile(r'(algorithm|secret)\s+"?([^"\s;]+)"?\s*;')


@dataclass(frozen=True)
class TsigKey:
    """A key as a name server and its client share it.

    :param secret: In base64.
    """

    name: str
    algorithm: str
    secret: str = field(repr=False)


def make_key(name: str, algorithm: str, random_bytes: bytes) -> TsigKey:
    """A key from random bytes, of which there are :data:`SECRET_BYTES`."""
    return TsigKey(name, algorithm, base64.b64encode(random_bytes).decode("ascii"))


def require_key(name: object, algorithm: object, secret: object, *, what: str) -> TsigKey:
    """A key from its three parts.

    :raises InputError: naming the part that is wrong, never the secret.
    """
    if algorithm not in SECRET_BYTES:
        raise InputError(f"{what}: the algorithm is '{shown(str(algorithm))}'; {' or '.join(SECRET_BYTES)} is needed.")
    text = secret if isinstance(secret, str) else ""
    try:
        is_right = bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        is_right = False
    if not is_right:
        raise InputError(f"{what}: the secret is no base64.", remedy="Take the one that tsig-keygen prints.")
    return TsigKey(parse_name(name, what=f"{what}: the name of the key"), str(algorithm), text)


def parse_keys(text: str, *, what: str) -> tuple[TsigKey, ...]:
    """The keys of a file.

    :param what: The file, for error messages.
    :raises InputError: the file holds something else than keys, or a name twice.
    """
    rest, keys = _COMMENT.sub(lambda found: found[1] or "", text), []
    while match := _KEY.match(rest):
        parts = dict(_FIELD.findall(match[2]))
        keys.append(require_key(match[1], parts.get("algorithm"), parts.get("secret"), what=what))
        rest = rest[match.end() :]
    if rest.strip():
        raise InputError(f"{what} holds something else than TSIG keys.", remedy="Look at it and remove it.")
    if len({key.name for key in keys}) != len(keys):
        raise InputError(f"{what} names a key twice.", remedy="Look at it and remove it.")
    return tuple(keys)


def render_key(key: TsigKey) -> str:
    """One key, as ``tsig-keygen`` prints it."""
    return f'key "{key.name}" {{\n\talgorithm {key.algorithm};\n\tsecret "{key.secret}";\n}};\n'


def merge_keys(kept: Iterable[TsigKey], news: Iterable[TsigKey], names: Iterable[str]) -> tuple[TsigKey, ...]:
    """The keys that a name server has to know: of a key in both, the new one; nothing of names that nobody has.

    >>> merge_keys([TsigKey("a.x", "hmac-sha256", "")], [], ["b.x"])
    ()
    """
    found = {key.name: key for key in (*kept, *news)}
    wanted = set(names)
    return tuple(found[name] for name in sorted(found) if name in wanted)


@dataclass(frozen=True)
class KeyFile:
    """A file as it is.

    :param text: What it holds; ``None`` where there is none.
    :param mode: Its permission bits.
    """

    path: str
    text: str | None = field(repr=False)
    mode: int | None


def plan_key(found: KeyFile, wanted: Mapping[str, Any]) -> Change[TsigKey]:
    """Decide what becomes of a key file; the step is the key to write, without a secret where one has to be made.

    :param wanted: With ``state``, ``name`` and ``algorithm``.
    :raises InputError: the file holds something else than one key, or the name is none.
    """
    if wanted["state"] == "absent":
        nothing = TsigKey("", "", "")
        return Change({"key": found.text is not None}, {"key": False}, () if found.text is None else (nothing,))
    name = parse_name(wanted["name"], what="The name of the key")
    keys = () if found.text is None else parse_keys(found.text, what=found.path)
    if len(keys) > 1:
        raise InputError(f"{found.path} holds {len(keys)} keys, not one.", remedy="Look at it and remove it.")
    present = keys[0] if keys else None
    fits = present is not None and (present.name, present.algorithm) == (name, wanted["algorithm"])
    key = present if fits and present is not None else TsigKey(name, wanted["algorithm"], "")
    mode = None if found.mode is None else f"{found.mode:04o}"
    before = {"name": present.name, "algorithm": present.algorithm, "mode": mode} if present else {}
    after = {"name": key.name, "algorithm": key.algorithm, "mode": FILE_MODE}
    return Change(before, after, () if before == after else (key,), {**vars(key)})
