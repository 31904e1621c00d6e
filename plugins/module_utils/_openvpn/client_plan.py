# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step from the clients' files in place to those that are wanted."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn import client_files
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.clients import (
    Client,
    parse_devices,
    plan_clients,
    unknown_users,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.policy import Policy, parse_policy
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import parse_process


@dataclass(frozen=True)
class Folder:
    """A process' folder as it was found.

    :param texts: By name of the file.
    :param astray: Names of files with another owner or mode than OpenVPN needs.
    :param fit: Whether the folder itself has the right owner and mode.
    """

    texts: Mapping[str, str]
    astray: frozenset[str] = frozenset()
    fit: bool = True


@dataclass(frozen=True)
class FolderStep:
    """What has to be done in one folder.

    :param write: Contents by name.
    :param remove: Names of files.
    """

    process: str
    write: Mapping[str, bytes]
    remove: tuple[str, ...]


def plan_client_files(raw: Mapping[str, Any], found: Mapping[str, Folder], *, root_fit: bool) -> Change[FolderStep]:
    """Decide which files to write and to remove.

    :param raw: The parameters of the module ``openvpn_clients``.
    :param found: The folders in place, by name.
    :param root_fit: Whether the folder around them has the right owner and mode.
    :raises InputError: for anything that could not be written as it should be; nothing is to be done then.
    """
    policy = parse_policy(raw, processes=[parse_process(one) for one in raw["processes"]])
    texts = {name: folder.texts for name, folder in found.items()}
    given = client_files.devices_in_place(texts) if raw.get("devices") is None else raw["devices"]
    devices = parse_devices(given)
    clients = plan_clients(policy, devices, kept=_kept(texts))
    wanted = client_files.render_files(policy, clients, known_only=bool(raw.get("known_clients_only")))
    # The folder of another process stays as it is: while that process runs, whoever connects would be told nothing.
    judged = [_step(name, wanted[name], found.get(name)) for name in sorted(wanted)]
    steps = [step for step in judged if step is not None]
    if not root_fit and not steps:
        steps = [FolderStep(name, {}, ()) for name in sorted(wanted)]
    before, after = _facts(steps, found)
    return Change(
        before=before,
        after=after,
        steps=tuple(steps),
        result={
            "changed_clients": _changed(steps, texts, wanted),
            "clients": [_describe(client) for client in clients if client.special],
            "disabled": [client.common_name for client in clients if client.device.disabled],
            "groups": describe_groups(policy, clients),
            "unknown_users": unknown_users(policy, devices),
        },
    )


def describe_groups(policy: Policy, clients: Sequence[Client]) -> list[dict[str, Any]]:
    """The groups in plain types, with the addresses that their members have and the networks behind them."""
    prefix = {process.name: process for process in policy.processes}
    members: dict[str, list[Client]] = {}
    for client in clients:
        if client.group is not None:
            members.setdefault(client.group.name, []).append(client)
    described = []
    for group in policy.groups:
        addresses: list[Any] = []
        for client in members.get(group.name, ()):
            for name, address in {} if group.default else client.addresses.items():
                addresses += [address, prefix[name].address6_of(address)]
            for networks in {} if group.default else client.behind.values():
                addresses += networks
        described.append({
            "name": group.name,
            "default": group.default,
            "networks": None if group.networks is None else [str(one) for one in group.networks],
            "reach_members": group.reach_members,
            "addresses": [str(one) for one in addresses if one is not None and one.version == 4],
            "addresses6": [str(one) for one in addresses if one is not None and one.version == 6],
        })  # fmt: skip
    return described


def _kept(texts: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, ipaddress.IPv4Address]]:
    return {
        process: {
            name: address
            for name, text in sorted(folder.items())
            if (address := client_files.parse_address(text)) is not None
        }
        for process, folder in texts.items()
    }


def _step(process: str, wanted: Mapping[str, str], found: Folder | None) -> FolderStep | None:
    here = found.texts if found is not None else {}
    astray = found.astray if found is not None else frozenset()
    write = {name: text.encode("utf-8") for name, text in wanted.items() if here.get(name) != text or name in astray}
    remove = tuple(sorted(set(here) - set(wanted)))
    settled = found is not None and found.fit
    return None if settled and not write and not remove else FolderStep(process, write, remove)


def _facts(steps: Sequence[FolderStep], found: Mapping[str, Folder]) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for step in steps:
        folder = found.get(step.process, Folder({}, fit=False))
        before[step.process], after[step.process] = {"readable": folder.fit}, {"readable": True}
        for name in sorted((*step.write, *step.remove)):
            path = f"{step.process}/{name}"
            before[path] = after[path] = None
            if name in folder.texts:
                before[path] = {**client_files.parse_file(folder.texts[name]), "readable": name not in folder.astray}
            if name in step.write:
                after[path] = {**client_files.parse_file(step.write[name].decode()), "readable": True}
    return before, after


def _changed(
    steps: Sequence[FolderStep], texts: Mapping[str, Mapping[str, str]], wanted: client_files.Files
) -> list[dict[str, Any]]:
    """The devices whose files change, and what that means for them."""
    names = {name for step in steps for name in (*step.write, *step.remove) if "@" in name and name[0] != "."}
    everybody = {process: files[client_files.DEFAULT] for process, files in wanted.items()}
    changed = []
    for name in sorted(names):
        changes = client_files.describe_changes(
            {one: texts.get(one, {}).get(name, texts.get(one, {}).get(client_files.DEFAULT)) for one in wanted},
            {one: files.get(name, everybody[one]) for one, files in wanted.items()},
        )
        changed.append({"common_name": name, "changes": changes, "summary": f"{name} {', '.join(changes)}"})
    return changed


def _describe(client: Client) -> dict[str, Any]:
    return {
        "common_name": client.common_name,
        "group": None if client.group is None else client.group.name,
        "addresses": {process: str(address) for process, address in client.addresses.items()},
    }
