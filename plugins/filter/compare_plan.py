# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``compare_plan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.compare_plan import (
    FOLDER,
    SIDES,
    Wish,
    describe_plan,
    differences,
    parse_overrides,
    pick_listener,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.process_plan import Process, parse_process
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.server_config import render_server_config
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.settings import parse_settings

MEASURING_PORT = 5201
# What a server for one comparison has no use for; its clients reach nothing but the measuring port.
_WITHOUT: dict[str, Any] = {
    "folder": FOLDER, "runtime_folder": FOLDER, "chroot": False, "connection_hook": "", "port_share_journal": "",
    "second_factor": "none", "second_factor_command": "", "second_factor_plugin": "", "known_clients_only": False,
    "client_to_client": False,
}  # fmt: skip


def compare_plan(
    present: Mapping[str, Any],
    *,
    a: Any,
    b: Any,
    ports: Sequence[int],
    networks: Sequence[str],
    listener: str = "",
    realtime: bool = False,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Two servers and how to reach them; see the documentation of the filter."""
    try:
        wishes = dict(zip(SIDES, (parse_overrides(a, what="compare_a"), parse_overrides(b, what="compare_b"))))
        if len(ports) != len(SIDES) or len(networks) != len(SIDES):
            raise InputError("A comparison has two ports and two networks.")
        choices = [pick_listener(present["processes"], name=listener)] if listener else list(present["processes"])
        plans = [_plan(one, present, wishes, ports=ports, networks=networks, realtime=realtime) for one in choices]
        found = next((one for one in plans if one["differences"] or _differ(wishes)), None)
        plan = _same(plans, wishes) if found is None else found
        return {**plan, "lines": describe_plan(plan["configs"], protocol=plan["protocol"], **about) if about else []}
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"compare_plan: what the gateway is set to is not complete: {error!r}") from error
    except CollectionError as error:
        raise AnsibleFilterError(f"compare_plan: {error}") from error


def _differ(wishes: Mapping[str, Wish]) -> bool:
    """Whether the units differ."""
    first, second = (wishes[side].realtime for side in SIDES)
    return first != second


def _same(plans: Sequence[dict[str, Any]], wishes: Mapping[str, Wish]) -> dict[str, Any]:
    """A against A is a fair question, and two names for one configuration are not."""
    if not plans:
        raise InputError("The gateway has no listener.")
    if wishes["a"] != wishes["b"]:
        raise InputError(
            f"On the listener '{plans[0]['listener']}' of this gateway A and B have the same configuration.",
            remedy="Some settings are of TCP alone: choose another listener with compare_listener.",
        )
    return plans[0]


def _plan(
    template: Mapping[str, Any],
    present: Mapping[str, Any],
    wishes: Mapping[str, Wish],
    *,
    ports: Sequence[int],
    networks: Sequence[str],
    realtime: bool,
) -> dict[str, Any]:
    servers, tunnels, configs = [], {}, {}
    for side, port, network in zip(SIDES, ports, networks):
        wish = wishes[side]
        process = _process(template, side=side, port=port, network=network)
        settings = {**present["settings"], **wish.settings, **_WITHOUT, "version": present["version"]}
        configs[side] = render_server_config(process, parse_settings(settings))
        address = str(process.server_address)
        is_first = realtime if wish.realtime is None else wish.realtime
        servers.append(
            {
                "side": side, "config": configs[side], "device": process.device, "address": address,
                "port": MEASURING_PORT, "realtime": is_first,
            }
        )  # fmt: skip
        tunnels[side] = {
            "listener": process.name, "transport": process.protocol, "port": process.port, "tunnel_address": address,
            "iperf_port": MEASURING_PORT,
        }  # fmt: skip
    return {
        "listener": str(template["name"]),
        "protocol": str(template["protocol"]),
        "servers": servers,
        "tunnels": tunnels,
        "configs": configs,
        "differences": differences(configs),
    }


def _process(template: Mapping[str, Any], *, side: str, port: int, network: str) -> Process:
    name = f"compare-{side}"
    return parse_process(
        {
            "name": name, "listener": name, "protocol": template["protocol"], "port": port, "network": network,
            "address": template.get("address"), "max_clients": 2, "reserved": 0,
        }
    )  # fmt: skip


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"compare_plan": compare_plan}
