# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a measuring window is told, and the files that it keeps while it is open."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional

FOLDER = Path("/run/privatespace/diagnosis")
MODE = 0o600
LONGEST_SECONDS = 600
OUTSIDE_PORTS, RESPONDER_PORT = (5201, 5203), 5202
# How long what one round trip takes can be said; the same token serves all probes of a window.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
MOST_PROBES = 64


@dataclass(frozen=True)
class WindowSettings:
    """A measuring window.

    :param token: What a probe has to say to the responder.
    :param probes: Addresses or networks from which probes come, outside of the tunnels.
    :param address: How probes reach the gateway, a name or an address.
    :param outside_ports: For iperf3 outside of the tunnels; inside it is the first of them.
    :param seconds: When the window closes by itself.
    :param who: Who asked for it, for those who are refused meanwhile.
    :param verbosity: Of OpenVPN while the window is open.
    """

    token: str
    probes: tuple[str, ...]
    address: str = ""
    outside_ports: tuple[int, ...] = OUTSIDE_PORTS
    responder_port: int = RESPONDER_PORT
    seconds: float = 120.0
    who: str = "root"
    verbosity: int = 4
    sample_seconds: float = 0.25

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports that are opened."""
        return (*self.outside_ports, self.responder_port)

    def as_json(self) -> bytes:
        """For the file from which the program reads it."""
        return json.dumps(asdict(self), indent=1).encode()


@dataclass(frozen=True)
class WindowFiles:
    """The files of a window, in a folder of its own on a file system in memory."""

    folder: Path = FOLDER

    @property
    def settings(self) -> Path:
        """What the program is told."""
        return self.folder / "settings.json"

    @property
    def state(self) -> Path:
        """What has to be undone; gone once it is."""
        return self.folder / "state.json"

    @property
    def ready(self) -> Path:
        """What probes are told, once everything is open."""
        return self.folder / "ready.json"

    @property
    def problem(self) -> Path:
        """Why it could not be opened."""
        return self.folder / "problem.txt"

    @property
    def result(self) -> Path:
        """What it saw."""
        return self.folder / "result.json"

    @property
    def lock(self) -> Path:
        """Held while it is open."""
        return self.folder / "lock"

    @property
    def programs(self) -> Path:
        """The Python packages that it runs from."""
        return self.folder / "python"


def read_json(path: Path) -> dict[str, Any] | None:
    """A file of the window; ``None`` where there is none, or none that is whole."""
    content = read_optional(path)
    try:
        found = json.loads(content or b"null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def parse_window_settings(raw: Mapping[str, Any]) -> WindowSettings:
    """Check what a window is told.

    :raises InputError: for a probe that is no address, a port that is none, and a time that is too long.
    """
    token = str(raw.get("token", ""))
    if not _TOKEN.fullmatch(token):
        raise InputError("The token of a window has 16 to 64 of A-Z, a-z, 0-9, - and _.")
    seconds = float(raw.get("seconds", WindowSettings.seconds))
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise InputError(
            f"A window is open for 1 to {LONGEST_SECONDS} seconds, not {seconds:g}.", remedy="Measure again after it."
        )
    outside = tuple(_port(one) for one in raw.get("outside_ports", OUTSIDE_PORTS))
    responder = _port(raw.get("responder_port", RESPONDER_PORT))
    if not outside or len({*outside, responder}) != len(outside) + 1:
        raise InputError("A window needs a port or more for iperf3 and one for the responder, each its own.")
    return WindowSettings(
        token=token,
        probes=_probes(raw.get("probes") or ()),
        address=str(raw.get("address", "")),
        outside_ports=outside,
        responder_port=responder,
        seconds=seconds,
        who=shown(str(raw.get("who", "root"))),
        verbosity=int(raw.get("verbosity", WindowSettings.verbosity)),
        sample_seconds=max(0.05, float(raw.get("sample_seconds", WindowSettings.sample_seconds))),
    )


def _probes(raw: Sequence[Any]) -> tuple[str, ...]:
    found = []
    for one in raw:
        try:
            network = ipaddress.ip_network(str(one), strict=False)
        except ValueError as error:
            raise InputError(
                f"'{shown(str(one))}' is not the address of a probe.",
                remedy="Give the address from which its packets arrive, such as 203.0.113.5.",
            ) from error
        single = network.prefixlen == network.max_prefixlen
        found.append(str(network.network_address) if single else str(network))
    if not found or len(found) > MOST_PROBES:
        raise InputError(f"A window is for 1 to {MOST_PROBES} probes, not {len(found)}.")
    return tuple(dict.fromkeys(found))


def _port(value: Any) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise InputError(f"'{shown(text)}' is not a port.")
    return int(text)
