# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way by which CRLs come into place on a gateway, for whoever brings them.

Two may bring some at once: a playbook and the gateway's own program. Therefore a lock is held from the moment at which
what is in place is read until the new file has its name. In what order is written matters to OpenVPN, which lets people
in where it finds nothing: files of serial numbers come first, then the CRLs, and files that nobody needs go last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.openvpn_files import (
    install_crl,
    is_installed,
    run_openssl,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.serial_folder import (
    add_serial_files,
    has_serial_file,
    read_serial_folder,
    remove_serial_files,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl import (
    accept_crl,
    accept_pushed_crl,
    inspect_crl,
    listed_serials,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_reading import CrlFile, Trust
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_serials import (
    SerialFiles,
    all_serials,
    plan_serial_files,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_plan import Placing

LOCK = Path("/run/lock/privatespace-crl.lock")
# The longest that another one needs: a million new files.
LOCK_SECONDS = 300.0


@dataclass(frozen=True)
class Placement:
    """What is to be in place, judged.

    :param wanted: The CRLs, or ``None`` where none were brought.
    :param old: Those in place, or ``None`` where none of them can be verified.
    :param found: The content of the file as it was when this was judged.
    :param is_written: Whether the file is as it should be.
    :param files: Which files of serial numbers to make and to take away.
    """

    wanted: CrlFile | None
    old: CrlFile | None
    found: bytes | None
    is_written: bool = True
    files: SerialFiles = field(default_factory=SerialFiles)

    @property
    def needed(self) -> bool:
        """Whether something has to be written."""
        return not self.is_written or bool(self.files)

    def placing(self) -> Placing:
        """The same for whoever decides what a removal has to do."""
        files = self.files
        facts = {"missing": len(files.missing), "surplus": len(files.surplus)} if files else {}
        return Placing(self.wanted, self.old, self.needed, facts)


@dataclass(frozen=True)
class CrlPlace:
    """Where a gateway has its CRLs.

    :param serial_folder: Where OpenVPN looks for files of serial numbers, if it does.
    :param has_folder: Whether it has to be there. One that is there is kept right in any case: a process may still look
        there while another way is being introduced.
    """

    crl_path: Path
    ca_path: Path
    serial_folder: Path
    has_folder: bool = False
    lock_path: Path = LOCK

    def trust(self) -> Trust:
        """The certificates of the CAs."""
        return Trust(self.ca_path, read_optional(self.ca_path) or b"")

    def inspect(self) -> tuple[CrlFile | None, str]:
        """The CRLs in place, or ``None`` and what is wrong with them."""
        return inspect_crl(read_optional(self.crl_path), trust=self.trust(), run=run_openssl)

    def judge(self, content: str | None, serials: Sequence[str] = (), *, pushed: bool = True) -> Placement:
        """Judge CRLs, and find out what there is to do; nothing is written.

        :param serials: Decimal serial numbers that they must list.
        :param pushed: Whether an administrator sends them, rather than that they were found somewhere.
        :raises CollectionError: they may not come into place.
        """
        found = read_optional(self.crl_path)
        accept = accept_pushed_crl if pushed else accept_crl
        wanted, old = accept(
            content, in_place=found, serials=serials, trust=self.trust(), now=epoch_seconds(), run=run_openssl
        )
        if wanted is None:
            return Placement(None, None, found)
        return Placement(wanted, old, found, is_installed(self.crl_path, wanted.content), self._plan_files(wanted))

    def put(self, placement: Placement, judge: Callable[[], Placement]) -> Placement:
        """Bring what was judged into place.

        :param judge: Judges anew, in case that somebody else has been faster meanwhile.
        :returns: What was found and done in the end.
        :raises CollectionError: what had been in place still is.
        """
        with exclusive_lock(self.lock_path, wait_seconds=LOCK_SECONDS, what="The CRL of this gateway"):
            if read_optional(self.crl_path) != placement.found:
                placement = judge()
            if placement.wanted is not None and placement.needed:
                self._write(placement, placement.wanted)
            return placement

    def bring(self, content: str) -> Placement:
        """Judge CRLs that were found somewhere, and bring them into place.

        :raises CollectionError: they may not come into place, or could not be written; what had been there still is.
        """

        def judge() -> Placement:
            return self.judge(content, pushed=False)

        return self.put(judge(), judge)

    def keep_out(self, crls: CrlFile) -> frozenset[int]:
        """Have those refused whom CRLs list that may not come into place yet, as far as files of serial numbers do it.

        :returns: Who that is; nobody where OpenVPN reads the CRL itself.
        """
        if not self.has_folder:
            return frozenset()
        serials = all_serials(crl.der() for crl in crls.crls)
        with exclusive_lock(self.lock_path, wait_seconds=LOCK_SECONDS, what="The CRL of this gateway"):
            add_serial_files(self.serial_folder, self._plan_files(crls).missing)
        return serials

    def sync_folder(self, *, besides: frozenset[int] = frozenset()) -> None:
        """Have the files of serial numbers agree with the CRLs in place, where they do not.

        :param besides: From :meth:`keep_out`.
        """

        def judge() -> Placement:
            found = read_optional(self.crl_path)
            present, _problem = inspect_crl(found, trust=self.trust(), run=run_openssl)
            files = SerialFiles() if present is None else self._plan_files(present, besides)
            return Placement(present, present, found, files=files)

        self.put(judge(), judge)

    def refused_now(self, serials: Sequence[str], brought: CrlFile | None = None) -> dict[str, bool]:
        """Which certificates OpenVPN refuses, by what is in place, or because it does not know their CA.

        :param brought: What an administrator has sent, if it was: it may list certificates of such a CA.
        """
        listed = listed_serials(self.inspect()[0] if serials else None, serials)
        if self.has_folder:
            listed = {one: found and has_serial_file(self.serial_folder, one) for one, found in listed.items()}
        if brought is None or not brought.beside:
            return listed
        strange = listed_serials(CrlFile((), b"", brought.beside), serials)
        return {one: found or strange[one] for one, found in listed.items()}

    def _plan_files(self, crls: CrlFile, besides: frozenset[int] = frozenset()) -> SerialFiles:
        present = read_serial_folder(self.serial_folder)
        if present is None and not self.has_folder:
            return SerialFiles()
        return plan_serial_files(all_serials(crl.der() for crl in crls.crls) | besides, present)

    def _write(self, placement: Placement, wanted: CrlFile) -> None:
        if placement.files:
            add_serial_files(self.serial_folder, placement.files.missing)
        if not placement.is_written:
            install_crl(self.crl_path, wanted.content)
        if placement.files.surplus:
            remove_serial_files(self.serial_folder, placement.files.surplus)
