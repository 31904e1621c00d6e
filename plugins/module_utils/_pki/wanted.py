# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users and devices that an administrator asks for, read and checked as a whole before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import common_name, parse_user_name

DEFAULT_DEVICE = "default"
MOST_PROBLEMS = 20

CsrFingerprint = Callable[[str], str]


@dataclass(frozen=True)
class WantedDevice:
    """A device that is to have a certificate, or none any more.

    :param reissue: Replace the certificate it has, and revoke that one.
    :param csr: PEM of its own CSR; ``None`` where a key is to be made for it.
    :param csr_key_sha256: SHA-256 of the SubjectPublicKeyInfo in the CSR, in hexadecimal; empty without a CSR.
    """

    user: str
    device: str
    common_name: str
    present: bool = True
    reissue: bool = False
    csr: str | None = None
    csr_key_sha256: str = ""


@dataclass(frozen=True)
class Wanted:
    """Everything that one run asks for.

    :param devices: In the order in which they were given.
    :param absent_users: Users who lose every device that they have.
    """

    devices: tuple[WantedDevice, ...] = ()
    absent_users: tuple[str, ...] = ()

    @property
    def users(self) -> set[str]:
        """The names of all users that are named."""
        return {device.user for device in self.devices} | set(self.absent_users)


def parse_wanted(users: Sequence[Mapping[str, Any]], *, csr_fingerprint: CsrFingerprint) -> Wanted:
    """Read a list of users as Ansible gives it.

    :param users: Each with ``name``, ``state`` (``present`` or ``absent``) and ``devices``, each of these with
        ``name``, ``reissue`` and ``csr_content``. What is left out has its default.
    :param csr_fingerprint: The fingerprint of the key in a CSR (PEM); raises :class:`InputError` for a bad one.
    :raises InputError: naming every entry that cannot be accepted.
    """
    reader = _Reader(csr_fingerprint)
    for user in users:
        reader.read_user(user)
    if reader.problems:
        raise InputError(_joined(reader.problems), remedy="Nothing was changed.")
    return Wanted(tuple(reader.devices), tuple(reader.absent_users))


class _Reader:
    def __init__(self, csr_fingerprint: CsrFingerprint) -> None:
        self.csr_fingerprint = csr_fingerprint
        self.devices: list[WantedDevice] = []
        self.absent_users: list[str] = []
        self.problems: dict[str, None] = {}
        self._users: set[str] = set()
        self._common_names: set[str] = set()

    def read_user(self, user: Mapping[str, Any]) -> None:
        name = str(user.get("name") if user.get("name") is not None else "")
        if not self._accepts(lambda: parse_user_name(name)):
            return
        if name in self._users:
            self._refuse(f"The user '{name}' is in the list twice.")
        self._users.add(name)
        present = user.get("state") != "absent"
        devices = user.get("devices") or ([{"name": DEFAULT_DEVICE}] if present else [])
        if not devices:
            self.absent_users.append(name)
        for device in devices:
            self._read_device(name, device, present=present)

    def _read_device(self, user: str, device: Mapping[str, Any], *, present: bool) -> None:
        name = str(device.get("name") if device.get("name") is not None else DEFAULT_DEVICE)
        csr = device.get("csr_content")
        if not self._accepts(lambda: common_name(user, name)):
            return
        full = common_name(user, name)
        if full in self._common_names:
            self._refuse(f"The device '{name}' of the user '{user}' is in the list twice.")
        self._common_names.add(full)
        key = self._key_of(full, csr) if csr and present else ""
        reissue = bool(device.get("reissue")) and present
        self.devices.append(WantedDevice(user, name, full, present, reissue, csr if present else None, key))

    def _key_of(self, full: str, csr: str) -> str:
        try:
            return self.csr_fingerprint(csr)
        except InputError as error:
            self._refuse(f"The CSR of '{full}': {error.message}")
            return ""

    def _accepts(self, parse: Callable[[], object]) -> bool:
        try:
            parse()
        except InputError as error:
            self._refuse(str(error))
            return False
        return True

    def _refuse(self, problem: str) -> None:
        self.problems[problem] = None


def _joined(problems: Mapping[str, None]) -> str:
    shown = list(problems)[:MOST_PROBLEMS]
    more = len(problems) - len(shown)
    return " ".join(shown + ([f"And {more} more."] if more else []))
