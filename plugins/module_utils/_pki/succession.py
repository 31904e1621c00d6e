# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several authorities at once: which certificates everybody has to trust while one takes over from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.privatespace.gateway.plugins.module_utils._pki.pem import encode_pem, split_certificates

_HAS_CERTIFICATE = ("standby", "active", "retiring", "retired")


class Trusted(Protocol):
    """An authority that has to be trusted: its certificate (DER), and the PEM of those above it."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> str: ...


def trust_chain(authorities: Iterable[Trusted]) -> str:
    """The PEM of the certificates of authorities, then of those above them, each once."""
    listed = tuple(authorities)
    own = [encode_pem(authority.certificate) for authority in listed if authority.certificate]
    above = [block for authority in listed for block in split_certificates(authority.chain)]
    return "".join(dict.fromkeys([*own, *above]))


def describe_succession(authorities: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a person wants to know while one authority takes over from another: who is who, and what is left to do.

    :param authorities: As the module ``pki_info`` returns them.
    """
    lines: list[str] = []
    for authority in authorities:
        lines.append(_described(authority))
        lines.extend(f"  {advice}" for advice in _advice(authority))
    return lines


def _described(authority: Mapping[str, Any]) -> str:
    head = f"{authority['key_label']} '{authority['common_name']}': {authority['state']}"
    if authority["state"] not in _HAS_CERTIFICATE:
        return head
    return f"{head}, {_usable(authority)} in use, expires {str(authority['not_after'])[:10]}"


def _usable(authority: Mapping[str, Any]) -> str:
    clients, servers = (int(authority["usable"][profile]) for profile in ("client", "server"))
    return f"{clients} device {_plural(clients)} and {servers} gateway {_plural(servers)}"


def _plural(count: int) -> str:
    return "certificate" if count == 1 else "certificates"


def _advice(authority: Mapping[str, Any]) -> Iterator[str]:
    if authority["state"] == "requested":
        yield "Waits for the offline root: let it sign the request, and bring its answer with the next run."
    if authority["state"] == "standby":
        yield "Issues nothing until every gateway trusts it: run ca_rollover with its label again."
    if authority["state"] != "retiring":
        return
    if authority["usable"]["client"]:
        yield "Renew the devices: run users with -e vpn_users_renew_retiring=true, and have the new profiles installed."
        yield "Their old certificates go on working until they expire, or until reissue or removal revokes them."
    elif authority["usable"]["server"]:
        yield "No device needs it any more: run site, and the gateways move to the new authority."
        yield "Their old certificates count until they expire."
    else:
        yield "Its last certificate is gone: run ca_rollover once more, and it retires."
