# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether apt reaches its sources, and which versions it would install; nothing is fetched or installed."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command

_SECONDS = 30.0
_ANSWER_SECONDS = 8.0
_MOST_SOURCES = 20
_URI = re.compile(r"^'([^']+)'")
# A source that wants a password answers, and apt has it.
_KNOWS_US_NOT = (401, 407)


def look_at_packages(names: Sequence[str]) -> dict[str, Any]:
    """``sources`` with what is wrong with each, and versions by package."""
    policy = parse_policy(_output(("apt-cache", "policy", "--", *names))) if names else {}
    listed = parse_uris(_output(("apt-get", "update", "--print-uris")))
    proxies = _proxies()
    with ThreadPoolExecutor(max_workers=8) as pool:
        problems = list(pool.map(lambda one: ask_source(one, proxies=proxies), listed))
    return {
        "wanted": list(names),
        "installed": {name: versions[0] for name, versions in policy.items() if versions[0]},
        "candidates": {name: versions[1] for name, versions in policy.items() if versions[1]},
        "sources": [{"url": shown_url(one), "problem": problem} for one, problem in zip(listed, problems)],
    }


def parse_policy(output: str) -> dict[str, tuple[str, str]]:
    """The installed version and the candidate of each package, empty for none."""
    found: dict[str, tuple[str, str]] = {}
    name = ""
    for line in output.splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
            found[name] = ("", "")
        words = line.split()
        if len(words) == 2 and words[1] != "(none)" and words[0] in ("Installed:", "Candidate:"):
            installed, candidate = found.get(name, ("", ""))
            found[name] = (words[1], candidate) if words[0] == "Installed:" else (installed, words[1])
    return found


def parse_uris(output: str) -> list[str]:
    """The addresses of the release files, each once; sources on a disk are not asked over the network."""
    found = (match.group(1) for match in map(_URI.match, output.splitlines()) if match)
    wanted = (one for one in found if one.endswith(("/InRelease", "/Release")) and one.startswith("http"))
    return list(dict.fromkeys(wanted))[:_MOST_SOURCES]


def shown_url(url: str) -> str:
    """The address without a name and a password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def ask_source(url: str, *, proxies: Mapping[str, str]) -> str:
    """Empty if the release file is there, else what is wrong."""
    # Where apt.conf names no proxy, the one of the environment holds, as it does for apt.
    handler = urllib.request.ProxyHandler({**urllib.request.getproxies(), **proxies})
    request = urllib.request.Request(shown_url(url), method="HEAD")  # noqa: S310 - begins with http
    try:
        with urllib.request.build_opener(handler).open(request, timeout=_ANSWER_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in _KNOWS_US_NOT else f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)


def _proxies() -> dict[str, str]:
    found = {}
    for scheme in ("http", "https"):
        shown = _output(("apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy")).strip()
        value = shown.partition("=")[2].strip("'\"")
        if value and value != "DIRECT":
            found[scheme] = value
    return found


def _output(argv: Sequence[str]) -> str:
    """What a program of apt says; nothing where there is none."""
    try:
        return run_command(argv, timeout_seconds=_SECONDS, check=False, environment={"LC_ALL": "C.UTF-8"}).output
    except CollectionError:
        return ""
