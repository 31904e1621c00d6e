# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What devices are handed once and never again, and what a result tells of a batch."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, PartialError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.decisions import FAILED, count_outcomes
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import Batch, Issued
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import encode_pem
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pkcs12 import make_password, make_pkcs12
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.tls_crypt_v2 import (
    CLIENT_KEY_BYTES,
    make_client_key,
)


@dataclass
class Deliveries:
    """Everything that leaves this process with a batch; holds secrets.

    :param ca_chain: PEM of the certificates that have to be trusted.
    :param server_key: PEM of the tls-crypt-v2 server key; ``None`` where devices get no key of that kind.
    :param random_bytes: That many bytes from a CSPRNG.
    """

    ca_chain: str
    server_key: str | None
    random_bytes: Callable[[int], bytes]
    ready: list[dict[str, Any]] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)

    def keep(self, part: Sequence[Issued]) -> None:
        """Take certificates that were signed."""
        self.issued += part
        self.ready += [self._delivery(issued) for issued in part]

    def _delivery(self, issued: Issued) -> dict[str, Any]:
        info, wrapped = issued.private_key_info, None
        if self.server_key is not None:
            chance = self.random_bytes(CLIENT_KEY_BYTES)
            wrapped = make_client_key(self.server_key, random_bytes=chance, metadata=issued.common_name)
        return {
            "name": issued.name,
            "device": issued.device,
            "common_name": issued.common_name,
            "certificate": encode_pem(issued.certificate),
            "ca_chain": self.ca_chain,
            "private_key": encode_pem(info, label="PRIVATE KEY") if info else None,
            "tls_crypt_v2": wrapped,
            **self._pkcs12(issued),
        }

    def _pkcs12(self, issued: Issued) -> dict[str, str | None]:
        password = issued.step.pkcs12_password
        if password is None:
            return {"pkcs12": None, "pkcs12_password": None}
        password = password or make_password(self.random_bytes)
        content = make_pkcs12(
            name=issued.common_name,
            private_key=issued.private_key,
            certificate=issued.certificate,
            chain=self.ca_chain,
            password=password,
        )
        return {"pkcs12": base64.b64encode(content).decode("ascii"), "pkcs12_password": password}

    def results(self, planned: Sequence[Mapping[str, Any]], batch: Batch) -> dict[str, Any]:
        """The return values of a run: those of the plan, with what was signed and what was not.

        :param planned: The ``users`` of the plan's result.
        """
        signed = {issued.common_name: issued for issued in self.issued}
        failed = {draft.common_name for draft in batch.drafts} - signed.keys()
        users: list[dict[str, Any]] = []
        for user in planned:
            issued = signed.get(user["common_name"])
            if issued is not None:
                users.append({**user, "serial": str(issued.serial), "not_after": issued.not_after.isoformat()})
            else:
                users.append({**user, "outcome": FAILED} if user["common_name"] in failed else dict(user))
        counts = count_outcomes(user["outcome"] for user in users)
        return {"users": users, "counts": counts, "deliveries": self.ready}


def partial_error(cause: CollectionError, *, done: int, total: int, results: Mapping[str, Any]) -> PartialError:
    """The error of a batch that the token did not sign to its end."""
    return PartialError(
        f"{cause.message} Of {total} certificates {done} were signed and stored; they are in this result. "
        f"{total - done} are left, and nothing was handed out for them.",
        remedy=f"{cause.remedy} Running again completes what is left.".strip(),
        results=results,
    )
