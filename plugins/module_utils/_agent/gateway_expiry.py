# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a gateway ends at a known moment: its certificate, that of its CA, the CRL, and the one for browsers."""

from __future__ import annotations

import calendar
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.state import parse_state
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.listener_processes import ListenerProcess
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Expiry
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.openvpn_files import run_openssl

GATEWAY, AUTHORITY, CRL, WEB = "gateway certificate", "CA certificate", "CRL", "web certificate"
MOST_BLOCKS = 16
_BLOCK = re.compile(rb"-----BEGIN (X509 CRL|CERTIFICATE|TRUSTED CERTIFICATE)-----.+?-----END \1-----\n?", re.DOTALL)
_DATE = re.compile(r"^(notBefore|notAfter|lastUpdate|nextUpdate)=(\w{3} [ \d]\d [\d:]{8} \d{4}) GMT$", re.MULTILINE)
_HASH = re.compile(r"^[0-9a-f]{8}$", re.MULTILINE)


@dataclass(frozen=True)
class _Validity:
    """One certificate or CRL.

    :param subject: A fingerprint of the name, ``issuer`` likewise; empty for a CRL.
    """

    begin: float | None
    end: float
    subject: str = ""
    issuer: str = ""


def look_at_expiries(
    listeners: Sequence[ListenerProcess], *, acme_state: Path
) -> tuple[tuple[Expiry, ...], tuple[str, ...]]:
    """Everything that ends, each file once, and what is not known, a sentence each."""
    found: dict[tuple[str, str], Expiry] = {}
    unknown: list[str] = []
    for listener in listeners:
        ends, problem = _all_of(listener)
        unknown += [problem] if problem else []
        for one in ends:
            found.setdefault((one.what, one.path), one)
    for one in _web(acme_state):
        found.setdefault((one.what, one.path), one)
    return tuple(found.values()), tuple(dict.fromkeys(unknown))


def _all_of(listener: ListenerProcess) -> tuple[list[Expiry], str]:
    try:
        return list(_of_listener(listener)), ""
    except CollectionError as error:
        return [], f"When something of the listener '{listener.name}' expires: {error}"


def _of_listener(listener: ListenerProcess) -> Iterator[Expiry]:
    own = list(_validities(listener, "cert", "x509"))[:1]
    for one in own:
        yield Expiry(GATEWAY, _shown_path(listener, "cert"), one.end, one.begin)
    authorities = list(_validities(listener, "ca", "x509"))
    # While one CA takes over from another, the file holds both: the one that counts has signed what is shown.
    signing = [one for one in authorities if own and one.subject == own[0].issuer] or authorities
    if signing:
        last = max(signing, key=lambda one: one.end)
        yield Expiry(AUTHORITY, _shown_path(listener, "ca"), last.end, last.begin)
    if not listener.options.get("crl-verify", "").endswith(" dir"):
        crls = list(_validities(listener, "crl-verify", "crl"))
        if crls:
            first = min(crls, key=lambda one: one.end)
            yield Expiry(CRL, _shown_path(listener, "crl-verify"), first.end, first.begin)


def _web(path: Path) -> Iterator[Expiry]:
    try:
        state = parse_state(json.loads(read_optional(path) or b"null"))
    except (CollectionError, ValueError):
        return
    if state.not_after:
        yield Expiry(WEB, str(path), state.not_after, state.not_before or None)


def _validities(listener: ListenerProcess, option: str, kind: str) -> Iterator[_Validity]:
    content = _content(listener, option)
    blocks = [found.group(0) for found in _BLOCK.finditer(content)][:MOST_BLOCKS]
    for block in blocks:
        asked = ("-startdate", "-enddate", "-subject_hash", "-issuer_hash") if kind == "x509" else _CRL_DATES
        done = run_openssl(("openssl", kind, "-noout", *asked), block)
        dates = {name: _seconds(text) for name, text in _DATE.findall(done.output)}
        end = dates.get("notAfter", dates.get("nextUpdate"))
        if done.status == 0 and end is not None:
            names = (*_HASH.findall(done.output), "", "")
            yield _Validity(dates.get("notBefore", dates.get("lastUpdate")), end, names[0], names[1])


_CRL_DATES = ("-lastupdate", "-nextupdate")


def _content(listener: ListenerProcess, option: str) -> bytes:
    """Of the file that an option names, or of the block inside the configuration."""
    inline = re.search(rf"<{option}>\n(.*?)</{option}>", listener.text, re.DOTALL)
    if inline is not None:
        return inline.group(1).encode()
    path = _path(listener, option)
    return (read_optional(path) or b"") if path is not None and not path.is_dir() else b""


def _path(listener: ListenerProcess, option: str) -> Path | None:
    words = listener.options.get(option, "").split()
    if not words or words[0] == "[inline]":
        return None
    home = Path(listener.options.get("cd") or listener.program.config.parent)
    inside = listener.options.get("chroot", "")
    plain = home / words[0].strip("\"'")
    # The CRL is read again later, from inside the folder that OpenVPN shuts itself into.
    return Path(f"{inside}/{words[0]}") if inside and option == "crl-verify" else plain


def _shown_path(listener: ListenerProcess, option: str) -> str:
    return str(_path(listener, option) or listener.program.config)


def _seconds(text: str) -> float:
    return float(calendar.timegm(time.strptime(text, "%b %d %H:%M:%S %Y")))
