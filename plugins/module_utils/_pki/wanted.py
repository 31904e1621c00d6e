# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users and devices that an administrator asks for, read and checked as a whole before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.devices import Suspended
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.names import common_name, parse_user_name

DEFAULT_DEVICE = "default"
MOST_PROBLEMS = 20
LONGEST_ACCESS_REASON = 255
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128
# Reasons of RFC 5280 that fit the certificate of a device. Left out are those of authorities, and certificateHold: what
# is revoked here stays revoked.
REASONS = (
    "unspecified",
    "keyCompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
)

CsrFingerprint = Callable[[str], str]


@dataclass(frozen=True)
class WantedDevice:
    """A device that is to have a certificate, or none any more.

    :param reissue: Replace the certificate it has, and revoke that one.
    :param csr: PEM of its own CSR; ``None`` where a key is to be made for it.
    :param csr_key_sha256: SHA-256 of the SubjectPublicKeyInfo in the CSR, in hexadecimal; empty without a CSR.
    :param reason: Why what it has is revoked, if it is; empty for the reason that goes without saying.
    :param invalidity_date: Since when its key must be taken to have been in wrong hands.
    :param pkcs12_password: For its PKCS#12: empty for one that is made, ``None`` where there is to be no PKCS#12.
    """

    user: str
    device: str
    common_name: str
    present: bool = True
    reissue: bool = False
    csr: str | None = None
    csr_key_sha256: str = ""
    reason: str = ""
    invalidity_date: datetime | None = None
    pkcs12_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AbsentUser:
    """A user who loses every device; ``reason`` and ``invalidity_date`` as for :class:`WantedDevice`."""

    name: str
    reason: str = ""
    invalidity_date: datetime | None = None


@dataclass(frozen=True)
class WantedAccess:
    """A user or a device that is to be disabled or enabled; ``reason`` is a line of the administrator's."""

    suspended: Suspended
    disabled: bool
    reason: str = ""


@dataclass(frozen=True)
class Wanted:
    """Everything that one run asks for.

    :param devices: In the order in which they were given.
    :param absent_users: Users who lose every device that they have.
    :param access: Who is to be disabled or enabled; all others stay as they are.
    """

    devices: tuple[WantedDevice, ...] = ()
    absent_users: tuple[AbsentUser, ...] = ()
    access: tuple[WantedAccess, ...] = ()

    @property
    def users(self) -> set[str]:
        """The names of all users that are named."""
        users = {device.user for device in self.devices} | {user.name for user in self.absent_users}
        return users | {wish.suspended.user for wish in self.access}


@dataclass(frozen=True)
class Reading:
    """What the entries of a list are read with.

    :param csr_fingerprint: The fingerprint of the key in a CSR (PEM); raises :class:`InputError` for a bad one.
    :param now: No invalidity date lies after this.
    :param pkcs12: Every device without a CSR gets a PKCS#12.
    :param pkcs12_password: The password of those that have none of their own; empty for one that is made.
    :param access_only: Nobody is to get or to lose a certificate.
    """

    csr_fingerprint: CsrFingerprint
    now: datetime
    pkcs12: bool = False
    pkcs12_password: str = field(default="", repr=False)
    access_only: bool = False


def parse_wanted(users: Sequence[Mapping[str, Any]], reading: Reading) -> Wanted:
    """Read a list of users as Ansible gives it.

    :param users: Each with ``name``, ``state`` (``present`` or ``absent``), ``reason``, ``invalidity_date``, ``access``
        (``enabled`` or ``disabled``), ``access_reason`` and ``devices``, each of these with ``name``, ``reissue``,
        ``reason``, ``invalidity_date``, ``access``, ``access_reason``, ``csr_content`` and ``pkcs12_password``. What is
        left out has its default.
    :raises InputError: naming every entry that cannot be accepted.
    """
    reader = _Reader(reading)
    if reading.pkcs12_password:
        reader.check_password(reading.pkcs12_password, "The option 'pkcs12_password'")
    for user in users:
        reader.read_user(user)
    if reader.problems:
        raise InputError(_joined(reader.problems), remedy="Nothing was changed.")
    return Wanted(tuple(reader.devices), tuple(reader.absent_users), tuple(reader.access))


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.devices: list[WantedDevice] = []
        self.absent_users: list[AbsentUser] = []
        self.access: list[WantedAccess] = []
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
        reason, since = self._why(user, f"The user '{name}'", allowed=not present)
        self._read_access(user, f"The user '{name}'", Suspended(name))
        if self.reading.access_only:
            self._read_access_only(name, user)
            return
        devices = user.get("devices") or ([{"name": DEFAULT_DEVICE}] if present else [])
        if not devices:
            self.absent_users.append(AbsentUser(name, reason, since))
        for device in devices:
            if present:
                self._read_present(name, device)
            else:
                self._read_absent(name, device, (reason, since))

    def _read_present(self, user: str, device: Mapping[str, Any]) -> None:
        name, full = self._name_of(user, device)
        if not full:
            return
        csr, reissue = device.get("csr_content"), bool(device.get("reissue"))
        key = self._key_of(full, csr) if csr else ""
        reason, since = self._why(device, f"The device '{full}'", allowed=reissue)
        self._read_access(device, f"The device '{full}'", Suspended(user, name))
        password = self._password_of(full, device, csr)
        self.devices.append(
            WantedDevice(
                user,
                name,
                full,
                reissue=reissue,
                csr=csr,
                csr_key_sha256=key,
                reason=reason,
                invalidity_date=since,
                pkcs12_password=password,
            )
        )

    def _read_absent(self, user: str, device: Mapping[str, Any], users: tuple[str, datetime | None]) -> None:
        name, full = self._name_of(user, device)
        if full:
            reason, since = self._why(device, f"The device '{full}'", allowed=True)
            self._read_access({**device, "state": "absent"}, f"The device '{full}'", Suspended(user, name))
            why = {"reason": reason or users[0], "invalidity_date": since or users[1]}
            self.devices.append(WantedDevice(user, name, full, present=False, **why))  # type: ignore[arg-type]

    def _read_access_only(self, name: str, user: Mapping[str, Any]) -> None:
        if user.get("state") == "absent":
            self._refuse(f"The user '{name}' is to be removed, and nobody is with 'access_only'.")
        before = len(self.access) - bool(user.get("access"))
        for device in user.get("devices") or []:
            short, full = self._name_of(name, device)
            if device.get("reissue") or device.get("csr_content"):
                self._refuse(f"The device '{full}' is to get a certificate, and nobody does with 'access_only'.")
            if full:
                self._read_access(device, f"The device '{full}'", Suspended(name, short))
        if len(self.access) == before:
            self._refuse(f"The user '{name}' is to be neither disabled nor enabled.")

    def _read_access(self, entry: Mapping[str, Any], what: str, suspended: Suspended) -> None:
        """Note that a user or a device is to be disabled or enabled."""
        access, reason = entry.get("access"), str(entry.get("access_reason") or "")
        if access and entry.get("state") == "absent":
            self._refuse(f"{what} is to be removed, and cannot be {access}.")
        if reason and access != "disabled":
            self._refuse(f"{what} has a reason to be disabled, and is not to be.")
        if len(reason) > LONGEST_ACCESS_REASON:
            self._refuse(f"{what} has a reason of {len(reason)} characters; at most {LONGEST_ACCESS_REASON} are kept.")
        if access and self._accepts(lambda: require_single_line(reason, what=f"{what}: the reason")):
            self.access.append(WantedAccess(suspended, access == "disabled", reason))

    def _name_of(self, user: str, device: Mapping[str, Any]) -> tuple[str, str]:
        """The name of a device and its common name; both empty where they were refused."""
        name = str(device.get("name") if device.get("name") is not None else DEFAULT_DEVICE)
        try:
            full = common_name(user, name)
        except InputError as error:
            self._refuse(str(error))
            return "", ""
        if full in self._common_names:
            self._refuse(f"The device '{name}' of the user '{user}' is in the list twice.")
        self._common_names.add(full)
        return name, full

    def _why(self, entry: Mapping[str, Any], what: str, *, allowed: bool) -> tuple[str, datetime | None]:
        """Why and since when something is revoked."""
        reason, since = entry.get("reason") or "", entry.get("invalidity_date") or ""
        if (reason or since) and not allowed:
            self._refuse(f"{what} has a reason or an invalidity date, and nothing of it is asked to be revoked.")
        if reason and reason not in REASONS:
            self._refuse(f"{what}: there is no reason '{shown(str(reason))}' (there are {', '.join(REASONS)}).")
        return str(reason), self._moment(str(since), what) if since else None

    def _moment(self, text: str, what: str) -> datetime | None:
        try:
            moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
        except ValueError:
            self._refuse(f"{what}: '{shown(text)}' is no date in ISO 8601, for example 2026-11-22T09:30:00Z.")
            return None
        moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        if moment > self.reading.now:
            self._refuse(f"{what}: the invalidity date {moment.isoformat()} lies in the future.")
        return moment

    def _password_of(self, full: str, device: Mapping[str, Any], csr: str | None) -> str | None:
        own = device.get("pkcs12_password") or ""
        if not (own or self.reading.pkcs12 or self.reading.pkcs12_password):
            return None
        if csr:
            self._refuse(f"The device '{full}' brings a CSR: its key is not here, and no PKCS#12 can hold it.")
        if own:
            self.check_password(own, f"The PKCS#12 password of the device '{full}'")
        return own or self.reading.pkcs12_password

    def check_password(self, password: str, what: str) -> None:
        """Refuse what one program or another would not take for a password."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            self._refuse(f"{what} must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
        if not (password.isascii() and password.isprintable()):
            self._refuse(f"{what} holds a character that is not printable ASCII.")

    def _key_of(self, full: str, csr: str) -> str:
        try:
            return self.reading.csr_fingerprint(csr)
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
