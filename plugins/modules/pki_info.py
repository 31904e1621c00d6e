#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about the authority and everything that it has signed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_info
short_description: Show certificates, their expiry, the state of the CRL, and check the audit trail
description:
  - Reads the authority's store and returns what it keeps. Nothing is changed, and the token is not used.
  - Recomputes the hashes of the whole audit trail and compares it with the certificates and revocations in the store.
version_added: "0.1.0"
author:
  - Private Space Gateway contributors (@privatespace)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.facts
  - privatespace.gateway.store
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  facts:
    support: none
    details:
      - Returns its values and sets no facts.
  platform:
    platforms: posix
options:
  hsm_key_label:
    description:
      - The label of the key of the authority to show.
    type: str
    default: ca
  names:
    description:
      - Show only the certificates of these users and gateways. By default those of all.
    type: list
    elements: str
  include_expired:
    description:
      - Show certificates that have expired, too.
    type: bool
    default: false
  check_audit:
    description:
      - Check the audit trail and the integrity of the database. Takes about 3 seconds for every 100,000 certificates.
    type: bool
    default: true
seealso:
  - module: privatespace.gateway.pki_authority
  - module: privatespace.gateway.gateway_name
  - module: privatespace.gateway.openvpn_session_info
"""

EXAMPLES = r"""
- name: Look at the authority
  privatespace.gateway.pki_info:
  register: pki

- name: Fail when the CRL is about to expire or somebody altered the store
  ansible.builtin.assert:
    that:
      - pki.crl.days_left > 3
      - pki.audit.valid
"""

RETURN = r"""
store_exists:
  description: Whether there is a store. Without one the other values are V(null) or empty.
  returned: success
  type: bool
authority:
  description: The authority. V(null) where it has not been set up.
  returned: success
  type: dict
  contains:
    key_label:
      description: The label of its key in the token.
      type: str
      returned: success
    common_name:
      description: The common name of its certificate.
      type: str
      returned: success
    algorithm:
      description: The algorithm of its key.
      type: str
      returned: success
    state:
      description: V(active), or V(intended) when its set-up broke off.
      type: str
      returned: success
    certificate:
      description: Its certificate (PEM).
      type: str
      returned: success
    fingerprint:
      description: SHA-256 over the DER of its certificate.
      type: str
      returned: success
    not_after:
      description: When its certificate expires (ISO 8601, UTC).
      type: str
      returned: success
    days_left:
      description: Days until its certificate expires.
      type: float
      returned: success
    crl_validity_days:
      description: For how many days its CRLs are valid.
      type: int
      returned: success
authorities:
  description: Every authority of the store, the oldest first. More than one while one takes over from another.
  returned: success
  type: list
  elements: dict
  contains:
    key_label:
      description: The label of its key in the token.
      type: str
      returned: success
    state:
      description:
        - V(intended) and V(requested) have no certificate yet. V(standby) is trusted and issues nothing yet. V(active)
          issues. V(retiring) is trusted until its last certificate is gone. V(retired) is trusted no more.
      type: str
      returned: success
    common_name:
      description: The common name of its certificate.
      type: str
      returned: success
    algorithm:
      description: The algorithm of its key.
      type: str
      returned: success
    certificate:
      description: Its certificate (PEM), empty before it has one.
      type: str
      returned: success
    fingerprint:
      description: SHA-256 over the DER of its certificate, hexadecimal.
      type: str
      returned: success
    not_after:
      description: When its certificate expires (ISO 8601, UTC), or V(null).
      type: str
      returned: success
    days_left:
      description: Days until then, or V(null).
      type: float
      returned: success
    crl_validity_days:
      description: For how many days its CRLs are valid.
      type: int
      returned: success
    replaces:
      description: The label of the authority that it takes over from, empty for the first one.
      type: str
      returned: success
    chain:
      description: The certificates above it (PEM), empty where it is its own root.
      type: str
      returned: success
    settings:
      description: What the certificates hold that it issues.
      type: dict
      returned: success
    usable:
      description: How many of its certificates are neither revoked nor expired, by profile.
      type: dict
      returned: success
      sample: {"client": 12, "server": 2}
    crl:
      description: Its newest CRL, as in RV(crl); V(null) where it needs none.
      type: dict
      returned: success
crl:
  description: The CRL that was signed last. V(null) where there is none.
  returned: success
  type: dict
  contains:
    number:
      description: The CRL number.
      type: int
      returned: success
    this_update:
      description: The C(thisUpdate) (ISO 8601, UTC).
      type: str
      returned: success
    next_update:
      description: When it expires (ISO 8601, UTC).
      type: str
      returned: success
    days_left:
      description: Days until it expires.
      type: float
      returned: success
    signed_at:
      description: When it was signed, in seconds since 1970-01-01 UTC.
      type: float
      returned: success
    revoked_count:
      description: How many certificates it lists.
      type: int
      returned: success
    unpublished:
      description: How many revocations are not in it yet.
      type: int
      returned: success
    sha256:
      description: SHA-256 over its DER.
      type: str
      returned: success
certificates:
  description: The certificates of users and gateways, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    serial:
      description: The serial as a decimal number.
      type: str
      returned: success
    common_name:
      description: The common name.
      type: str
      returned: success
    name:
      description: The user or the gateway.
      type: str
      returned: success
    device:
      description: The device of the user. Empty for a gateway.
      type: str
      returned: success
    profile:
      description: V(client) or V(server).
      type: str
      returned: success
    state:
      description:
        - V(valid) for the current certificate of a name, V(superseded) for one that was renewed and can be used
          until it expires, V(revoked), or V(expired).
      type: str
      returned: success
    not_before:
      description: The beginning of its validity (ISO 8601, UTC).
      type: str
      returned: success
    not_after:
      description: The end of its validity (ISO 8601, UTC).
      type: str
      returned: success
    days_left:
      description: Days until it expires.
      type: float
      returned: success
    revoked_at:
      description: When it was revoked (ISO 8601, UTC), or V(null).
      type: str
      returned: success
    reason:
      description: Why it was revoked, or V(null).
      type: str
      returned: success
counts:
  description:
    - How many certificates have each of the states above. V(abandoned) and V(intended) count serials that were
      taken for certificates which were never handed out.
  returned: success
  type: dict
  sample: {"valid": 12, "superseded": 1, "revoked": 3, "expired": 0, "intended": 0, "abandoned": 0}
devices:
  description:
    - Every device of every user that has a certificate which can be used, as gateways have to know them. Those of all
      users, also with O(names).
  returned: success
  type: list
  elements: dict
  contains:
    common_name:
      description: The common name of its certificate.
      type: str
      returned: success
    user:
      description: The user's name.
      type: str
      returned: success
    device:
      description: The device's name.
      type: str
      returned: success
    disabled:
      description: Whether it is kept out, by itself or with its user.
      type: bool
      returned: success
disabled:
  description: The common names of those in RV(devices) that are kept out.
  returned: success
  type: list
  elements: str
  sample: ["bob@phone"]
suspensions:
  description: Users and devices that are disabled.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user's name.
      type: str
      returned: success
    device:
      description: The device's name, empty for the whole user.
      type: str
      returned: success
    since:
      description: Since when (ISO 8601, UTC).
      type: str
      returned: success
    reason:
      description: What the administrator said about it; may be empty.
      type: str
      returned: success
gateway_names:
  description: The names that gateways have in DNS, by the gateway's name in the inventory.
  returned: success
  type: dict
  sample: {"vpn1.example.net": {"label": "cambridge", "since": "2026-11-22T12:00:00+00:00"}}
audit:
  description: What the check of the audit trail found. V(null) without O(check_audit).
  returned: success
  type: dict
  contains:
    valid:
      description: Whether the trail holds together and agrees with the store.
      type: bool
      returned: success
    records:
      description: How many records it has.
      type: int
      returned: success
    head:
      description:
        - The hash of the newest record. Noted elsewhere, it shows later that nobody cut the trail or wrote it anew.
      type: str
      returned: success
    problems:
      description: What is wrong, at most 20 sentences.
      type: list
      elements: str
      returned: success
running:
  description:
    - How far the run is that is signing certificates on this host at the moment, as of at most five seconds ago.
      V(null) where there is none, or it began less than five seconds ago.
    - The run writes the same into the journal of the host.
  returned: success
  type: dict
  contains:
    done:
      description: How many certificates are signed.
      type: int
      returned: success
    total:
      description: How many there will be.
      type: int
      returned: success
    rate_per_second:
      description: How many were signed in a second on average.
      type: float
      returned: success
    seconds_left:
      description: How many seconds the rest takes at that rate.
      type: int
      returned: success
    pid:
      description: The process that signs.
      type: int
      returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.progress import read_progress
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import report
from ansible_collections.privatespace.gateway.plugins.module_utils._module.store_options import (
    failing,
    store_argument_spec,
    store_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run
from ansible_collections.privatespace.gateway.plugins.module_utils._store.summary import summarise


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **store_argument_spec(),
        "hsm_key_label": {"type": "str", "default": "ca", "no_log": False},
        "names": {"type": "list", "elements": "str"},
        "include_expired": {"type": "bool", "default": False},
        "check_audit": {"type": "bool", "default": True},
    }


def main() -> None:
    """Wire the options to the store."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    with (
        failing(module),
        open_for_run(**store_options(module), clock=utc_now, file_lock=exclusive_lock, dry_run=True) as session,
    ):
        report(
            module,
            lambda: {
                **summarise(
                    session,
                    label=params["hsm_key_label"],
                    now=utc_now(),
                    names=params["names"],
                    include_expired=params["include_expired"],
                    check_audit=params["check_audit"],
                ),
                "running": read_progress(parse_location(params["store"]).progress_path),
            },
        )


if __name__ == "__main__":
    main()
