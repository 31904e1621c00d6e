#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the certificates of users and their devices to the state that is asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_users
short_description: Issue, renew and revoke the certificates of all users and devices in one call
description:
  - Compares a list of users and their devices with the authority's store, and issues, renews, reissues and revokes
    certificates until they agree. One call logs in to the token once, however many users there are.
  - The names of everything that is going to be signed are stored before the first signature, and every
    certificate and revocation is stored before this module returns. Revocations are stored first; the certificates
    of a call are stored together.
  - When the token fails in the middle of a call, what it has signed by then is stored and delivered in the result of
    the failure, and every other device is listed there with the outcome V(failed). Running again completes it.
  - A device has one current certificate. A renewed certificate can be used beside its successor until it
    expires, so that nobody is locked out before the new profile has arrived. Reissuing or removing a device revokes
    every certificate that can still be used under its name.
  - A run that is killed before it has told its result takes the new keys with it. The next run revokes the certificates
    that were not known to be delivered and issues others (outcome V(reissued)).
  - A call that takes longer writes how far it is to the journal every five seconds, and
    RV(privatespace.gateway.pki_info#module:running) shows it.
  - Users and devices can be disabled for a time. They keep their certificates, and gateways that are told refuse them.
    Nothing is signed for that, so the token is not used.
  - Revocations take effect with the next CRL, see M(privatespace.gateway.pki_crl).
version_added: "0.1.0"
author:
  - Private Space Gateway contributors (@privatespace)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - privatespace.gateway.hsm
  - privatespace.gateway.store
attributes:
  check_mode:
    support: full
    details:
      - Neither logs in to the token nor writes anything. Where there is no store yet, everything counts as missing.
  diff_mode:
    support: full
    details:
      - Shows states, serials and dates, never keys.
  platform:
    platforms: posix
options:
  users:
    description:
      - The users. Every entry is checked before anything is changed, and all that cannot be accepted are named.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The user's name. 1 to 63 characters from V(a-z), V(0-9), V(.), V(_) and V(-), beginning with a letter or a
            digit and without V(..).
        type: str
        required: true
      state:
        description:
          - V(present) gives every device in O(users[].devices) a valid certificate. Other devices of the user
            are kept.
          - V(absent) revokes the certificates of the devices in O(users[].devices), or of all devices where
            none is given.
        type: str
        choices: [present, absent]
        default: present
      reason:
        description:
          - Why the user's certificates are revoked when O(users[].state=absent), as the CRL tells it (RFC 5280).
            By default V(cessationOfOperation).
        type: str
        choices: &reasons
          - unspecified
          - keyCompromise
          - affiliationChanged
          - superseded
          - cessationOfOperation
          - privilegeWithdrawn
      invalidity_date:
        description:
          - Since when the keys of a user with O(users[].state=absent) must be taken to have been in wrong hands
            (ISO 8601, UTC where no zone is given). Not in the future.
        type: str
      access:
        description:
          - V(disabled) keeps every device of the user out, those that are issued later, too, until V(enabled). Devices
            that are disabled by themselves stay so when their user is enabled. By default everything stays as it is.
          - Ends with the removal of the user, whose name begins enabled when it is given again.
        type: str
        choices: [enabled, disabled]
      access_reason:
        description:
          - Why the user is disabled, a line of at most 255 characters that is kept with it.
        type: str
      devices:
        description:
          - The user's devices. By default one named V(default) when O(users[].state=present).
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - The device's name, by the same rule as O(users[].name). Together with the user's name at most 63
                characters.
            type: str
            default: default
          reissue:
            description:
              - Issue a new certificate and revoke the old one, for example because the device or its profile was lost.
                Happens in every run that asks for it.
            type: bool
            default: false
          reason:
            description:
              - Why the old certificate is revoked, as the CRL tells it (RFC 5280). Give V(keyCompromise) for a device
                or a profile that was lost or stolen.
              - Only with O(users[].devices[].reissue=true), then by default V(superseded), or with
                O(users[].state=absent), then by default that of the user.
            type: str
            choices: *reasons
          invalidity_date:
            description:
              - Since when the key must be taken to have been in wrong hands (ISO 8601, UTC where no zone is given).
                Not in the future. Only where O(users[].devices[].reason) may be given.
            type: str
          access:
            description:
              - V(disabled) keeps the device out until V(enabled). By default it stays as it is.
              - A device whose user is disabled is kept out in any case.
            type: str
            choices: [enabled, disabled]
          access_reason:
            description:
              - Why the device is disabled, as O(users[].access_reason).
            type: str
          csr_content:
            description:
              - A CSR (PEM) of the device's own key. Only its key is used; names and usages are decided here.
              - A CSR with another key than the current certificate has reissues the device.
              - By default a key is made in memory and returned in RV(deliveries) once; it is never stored.
            type: str
          pkcs12_password:
            description:
              - Deliver a PKCS#12 with this password, too. 8 to 128 printable characters of ASCII.
              - Not with O(users[].devices[].csr_content), since the key is not here then.
            type: str
  purge:
    description:
      - Revoke the certificates of all users and devices that are not in O(users).
    type: bool
    default: false
  renew_retiring:
    description:
      - Renew the certificates of devices in O(users) that were issued by another authority than the one that issues
        now. The old ones can be used until they expire.
    type: bool
    default: false
  missing_ok:
    description:
      - Pass over users and devices to remove that never had a certificate, and over those to disable or enable that
        have none, instead of failing.
    type: bool
    default: false
  access_only:
    description:
      - Issue, renew and revoke nothing, and only disable and enable what O(users[].access) and
        O(users[].devices[].access) say. Who has no certificate that was not revoked is refused, unless O(missing_ok).
    type: bool
    default: false
  algorithm:
    description:
      - The algorithm of keys that are made.
    type: str
    choices: [ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  validity_days:
    description:
      - For how many days certificates are valid, at most until the authority's own certificate expires.
    type: int
    default: 365
  renewal_days:
    description:
      - Renew a certificate that has fewer days than this left. Must be less than O(validity_days).
    type: int
    default: 30
  pkcs12:
    description:
      - Deliver a PKCS#12 for every device that gets a certificate, for programs that take key, certificate and chain in
        one file. A device without a password gets one made of 125 random bits.
      - Needs that no device brings a CSR. Making one takes some hundredths of a second, as does every guess at its
        password.
    type: bool
    default: false
  pkcs12_password:
    description:
      - Deliver a PKCS#12 with this password for every device that has none of its own. 8 to 128 printable characters of
        ASCII.
    type: str
  tls_crypt_v2_server_key:
    description:
      - Path of the tls-crypt-v2 server key. When given, every delivery holds a client key that is wrapped with it.
    type: path
notes:
  - RV(deliveries) holds private keys. Use C(no_log) on the task and on all that handles its result.
  - When the result of a call is lost, for example because the connection broke at its end, the keys in it are lost
    too. Ask for the affected devices again with O(users[].devices[].reissue).
seealso:
  - module: privatespace.gateway.pki_authority
  - module: privatespace.gateway.pki_crl
  - module: privatespace.gateway.pki_info
"""

EXAMPLES = r"""
- name: Give alice two devices and bob one
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    tls_crypt_v2_server_key: /var/lib/privatespace/authority/tls-crypt-v2-server.key
    users:
      - name: alice
        devices:
          - name: laptop
          - name: phone
      - name: bob
  no_log: true
  register: issued

- name: Remove carol with all her devices
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    users:
      - name: carol
        state: absent
  register: removed

- name: Replace the lost laptop of alice
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    users:
      - name: alice
        devices:
          - name: laptop
            reissue: true
            reason: keyCompromise
            invalidity_date: "2026-11-20T17:30:00Z"
  no_log: true
  register: reissued

- name: Keep alice out until she is back, and her phone longer
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    access_only: true
    users:
      - name: alice
        access: disabled
        access_reason: on leave until May
        devices:
          - name: phone
            access: disabled
  register: disabled

- name: Move carol to the authority that has taken over, and give her phone a PKCS#12
  privatespace.gateway.pki_users:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/pin
    renew_retiring: true
    pkcs12: true
    users:
      - name: carol
        devices:
          - name: phone
  no_log: true
  register: moved
"""

RETURN = r"""
users:
  description: What became of every device, in the order of O(users); devices that O(purge) removed come last.
  returned: success, and when the token failed in the middle
  type: list
  elements: dict
  contains:
    name:
      description: The user's name.
      type: str
      returned: success
      sample: alice
    device:
      description: The device's name.
      type: str
      returned: success
      sample: laptop
    common_name:
      description: The common name of its certificate.
      type: str
      returned: success
      sample: alice@laptop
    outcome:
      description:
        - One of V(issued), V(renewed), V(reissued), V(kept), V(revoked), V(already_revoked), and V(failed) for what the
          token did not sign any more.
      type: str
      returned: success
      sample: issued
    serial:
      description: The serial as a decimal number. V(null) in check mode for what would be issued.
      type: str
      returned: success
      sample: "470193885103820562893847650183746501928374650918"
    not_after:
      description: When the certificate expires (ISO 8601, UTC). V(null) in check mode for what would be issued.
      type: str
      returned: success
      sample: "2027-11-22T15:00:00+00:00"
    note:
      description: What is unusual about it, in a sentence; mostly empty.
      type: str
      returned: success
      sample: ""
counts:
  description: How many devices had each outcome.
  returned: success, and when the token failed in the middle
  type: dict
  sample: {"issued": 2, "renewed": 0, "reissued": 0, "kept": 10, "revoked": 1, "already_revoked": 0, "failed": 0}
revoked:
  description:
    - The certificates of the devices in this call that are revoked and have not expired. Gateways have to cut
      the sessions of these common names. Those that an earlier run revoked are listed again, so that a rerun
      can finish the job.
  returned: success, and when the token failed in the middle
  type: list
  elements: dict
  sample: [{"common_name": "carol@default", "serial": "38475650183746501928374650918"}]
devices:
  description: Every device of every user that has a certificate which can be used, as gateways have to know them.
  returned: success, and when the token failed in the middle
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
  sample: [{"common_name": "alice@laptop", "user": "alice", "device": "laptop", "disabled": false}]
disabled:
  description: The common names of those in RV(devices) that are kept out.
  returned: success, and when the token failed in the middle
  type: list
  elements: str
  sample: ["bob@phone"]
once_disabled:
  description:
    - Whether a user in this call is disabled or ever was, with a device or as a whole. Gateways may hold files that say
      so and have to be brought up to date.
  returned: success
  type: bool
once_revoked:
  description:
    - Users in this call who had a certificate that was revoked before this call. A gateway that was away when one of
      them was removed may deny the name still, and has to be told of what is issued now.
  returned: success
  type: list
  elements: str
  sample: ["alice"]
ca_certificate:
  description: The authority's certificate (PEM). Empty in check mode where there is no authority yet.
  returned: success
  type: str
deliveries:
  description: What every newly issued device needs, once and never again. Holds private keys.
  returned: success, and when the token failed in the middle
  type: list
  elements: dict
  contains:
    name:
      description: The user's name.
      type: str
      returned: success
    device:
      description: The device's name.
      type: str
      returned: success
    common_name:
      description: The common name of the certificate.
      type: str
      returned: success
    certificate:
      description: The certificate (PEM).
      type: str
      returned: success
    ca_chain:
      description: The certificates of the authority (PEM).
      type: str
      returned: success
    private_key:
      description: The private key (PEM, PKCS#8, not encrypted). V(null) where a CSR was given.
      type: str
      returned: success
    tls_crypt_v2:
      description: The client key for tls-crypt-v2 (PEM). V(null) without O(tls_crypt_v2_server_key).
      type: str
      returned: success
    pkcs12:
      description: Key, certificate and chain as PKCS#12 (base64). V(null) where none was asked for.
      type: str
      returned: success
    pkcs12_password:
      description: The password of the PKCS#12, the one that was given or the one that was made.
      type: str
      returned: success
"""

import os
from functools import partial
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    read_optional,
    write_atomic,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._host.progress import told_progress
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_keys
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing_process import signing_process
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings
from ansible_collections.privatespace.gateway.plugins.module_utils._module.hsm_options import (
    hsm_argument_spec,
    token_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.store_options import (
    failing,
    store_argument_spec,
    store_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.user_options import users_option
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.enrolment import UserRun, read_users
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import signing_function
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Files, Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.wanted import REASONS
from ansible_collections.privatespace.gateway.plugins.module_utils._store.book import AuthorityBook
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import open_for_run


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "users": users_option(REASONS),
        "purge": {"type": "bool", "default": False},
        "renew_retiring": {"type": "bool", "default": False},
        "missing_ok": {"type": "bool", "default": False},
        "access_only": {"type": "bool", "default": False},
        "algorithm": {"type": "str", "choices": list(ALGORITHM_NAMES), "default": "ec-p256"},
        "validity_days": {"type": "int", "default": 365},
        "renewal_days": {"type": "int", "default": 30},
        "pkcs12": {"type": "bool", "default": False},
        "pkcs12_password": {"type": "str", "no_log": True},
        "tls_crypt_v2_server_key": {"type": "path"},
    }


def make_tools(module: AnsibleModule, progress: Callable[[int, int], None]) -> Tools:
    """The clock, chance and the token of this host; the token is opened when it is needed."""

    def token() -> TokenSettings:
        return TokenSettings(**token_options(module))

    return Tools(
        clock=utc_now,
        random_bytes=os.urandom,
        open_keys=lambda: signing_keys(token(), lock=exclusive_lock),
        make_key=partial(generate_private_key, module.params["algorithm"]),
        progress=progress,
        open_signer=lambda: signing_process(token(), lock=exclusive_lock, signing_function=signing_function),
    )


def main() -> None:
    """Wire the options to the store and the token."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )
    params, dry_run = module.params, module.check_mode
    with failing(module):
        wanted, store = read_users(params, now=utc_now(), lenient=dry_run), store_options(module)
        path = parse_location(params["store"]).progress_path
        with (
            open_for_run(**store, clock=utc_now, file_lock=exclusive_lock, dry_run=dry_run) as session,
            told_progress(path, module.log) as progress,
        ):
            book, files = AuthorityBook(session, params["hsm_key_label"]), Files(read_optional, file_mode, write_atomic)
            job = UserRun(wanted, params, book, make_tools(module, progress), files)
            run(module, job.decide, job.apply, kept_whole="deliveries", told=job.told)


if __name__ == "__main__":
    main()
