# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that the CA has to revoke: they are out of use at once, and are kept without their keys until it has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import AcmeSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_certbot import Certbot, CertbotError
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_certificate import Facts, read_facts
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic

FOLDER_MODE, FILE_MODE = 0o700, 0o600


class Revocations:
    """What is owed lies in a folder beside certbot's own, so that neither a crash nor a CA that is away undoes it."""

    def __init__(self, settings: AcmeSettings, certbot: Certbot, *, now: float) -> None:
        self._certbot = certbot
        self._now = now
        self._folder = Path(settings.places.config_folder)
        self._owed = self._folder / "revoke"

    def revoke_all(self, *, reason: str, served: str) -> None:
        """Forget every certificate with its key, and have the CA revoke those that are still good.

        :param served: The fingerprint of the one in service, which is revoked first.
        :raises CollectionError: one of them stays valid; all the others were tried.
        """
        for path in sorted((self._folder / "renewal").glob("*.conf")):
            self._give_up(path, reason=reason)
        self.settle(first=served)

    def settle(self, *, first: str = "") -> None:
        """Have the CA revoke what it has not revoked yet.

        :raises CertbotError: one of them stays valid; all the others were tried.
        """
        problems = []
        for path in sorted(self._owed.glob("*.json"), key=lambda one: (one.stem != first, one.stem)):
            problem = self._settle_one(path)
            if problem:
                problems.append(problem)
                continue
            for one in (path.with_suffix(".pem"), path):
                one.unlink(missing_ok=True)
        if problems:
            raise CertbotError(" ".join(problems), asked=False)

    def _settle_one(self, path: Path) -> str:
        """Why a certificate stays valid; empty where it does not."""
        certificate = path.with_suffix(".pem")
        facts = _facts(read_optional(certificate))
        if facts is None or facts.not_after <= self._now:
            return ""
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            self._certbot.revoke(certificate, directory=told["directory"], reason=told["reason"])
        except (CollectionError, OSError, ValueError, KeyError) as error:
            return f"{facts.issuer}'s certificate {facts.serial}: {error}"
        return ""

    def _give_up(self, path: Path, *, reason: str) -> None:
        """Note what is owed before the lineage and its keys go."""
        chain = read_optional(self._folder / "live" / path.stem / "cert.pem")
        facts = _facts(chain)
        if chain is not None and facts is not None:
            self._owed.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            rows = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
            directory = next((value.strip() for name, _equals, value in rows if name.strip() == "server"), "")
            told = json.dumps({"directory": directory, "reason": reason})
            write_atomic(self._owed / f"{facts.fingerprint}.pem", chain, mode=FILE_MODE)
            write_atomic(self._owed / f"{facts.fingerprint}.json", told.encode(), mode=FILE_MODE)
        for name in ("archive", "live"):
            folder = self._folder / name / path.stem
            if folder.exists():
                shutil.rmtree(folder)
        path.unlink()


def _facts(chain: bytes | None) -> Facts | None:
    try:
        return None if chain is None else read_facts(chain)
    except CollectionError:
        return None
