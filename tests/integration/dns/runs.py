"""The whole of a run without Ansible around it, as the program on the gateway has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_plan import parse_wanted
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.address_run import (
    Outcome,
    Verification,
    update_names,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import parse_provider
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.providers import open_provider


def have(options: Mapping[str, Any], name: str, *addresses: str, claim: bool = True, **record: Any) -> Outcome:
    """Have a name show addresses; without any, nothing."""
    state = "present" if addresses else "absent"
    return have_all(options, [{"name": name, "addresses": addresses, "state": state, **record}], claim=claim)


def have_all(options: Mapping[str, Any], records: list[dict[str, Any]], *, claim: bool = True) -> Outcome:
    settings = parse_provider(options)
    provider = open_provider(settings)
    shared = {"ttl": 60, "overwrite": False}
    wanted = parse_wanted(
        [{**shared, **one} for one in records], settings.zone or provider.zone, weights=provider.has_weights
    )
    verification = Verification.of(settings, options.get("verify_seconds", 0))
    return update_names(provider, wanted, check=False, claim=claim, verification=verification)
