#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hsm_key
short_description: A key pair in a PKCS#11 token
version_added: 0.1.0
author:
  - Private Space Gateway contributors (@privatespace-gateway)
description:
  - Makes a key pair inside a PKCS#11 token (a hardware security module, a smart card, SoftHSM), or destroys one.
  - The private key can sign and do nothing else, and can never leave the token. The module reads these attributes
    back and proves the pair by one signature; a key that the token made otherwise is destroyed and the task fails.
  - One run logs in once. Runs against the same token wait for each other.
extends_documentation_fragment:
  - privatespace.gateway.hsm
attributes:
  check_mode:
    support: full
    description: Runs without changing anything. The token is opened without a login then; see the notes.
  diff_mode:
    support: full
    description: Shows whether the key is there, its kind and the fingerprint of its public half.
options:
  state:
    description:
      - With V(present), a key pair with that label exists and is of the kind O(algorithm).
      - With V(absent), none exists. The key is destroyed for ever, and nothing that it signed can be renewed.
    type: str
    choices: [present, absent]
    default: present
  algorithm:
    description:
      - Kind and size of the key. Not every token offers all of them; the module asks it first.
      - A key that exists and is of another kind is an error. It is never replaced.
    type: str
    choices: [ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
seealso:
  - module: privatespace.gateway.pki_authority
notes:
  - In check mode the module opens the token without a PIN and sees public keys only. Most tokens show them; for a
    token that hides them, check mode tells that a key would be made although it exists, and a key of which only the
    private half is left looks absent.
  - A key that was made by another program is accepted with state V(present) if it cannot leave the token either.
"""

EXAMPLES = r"""
- name: Have the key of an authority in SoftHSM
  privatespace.gateway.hsm_key:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_token: privatespace
    hsm_pin_file: /etc/privatespace/hsm-pin
    hsm_key_label: ca
    algorithm: ec-p256
  register: key

- name: Show its public half
  ansible.builtin.debug:
    var: key.public_key

- name: Have an RSA key, with the PIN from the controller's vault
  privatespace.gateway.hsm_key:
    hsm_module: /opt/cloudhsm/lib/libcloudhsm_pkcs11.so
    hsm_token: hsm1
    hsm_pin: "{{ vault_hsm_pin }}"
    hsm_key_label: ca-2026
    algorithm: rsa-3072

- name: Destroy a key that is used no more
  privatespace.gateway.hsm_key:
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin: "{{ vault_hsm_pin }}"
    hsm_key_label: ca-2019
    state: absent
"""

RETURN = r"""
public_key:
  description: The public half, PEM (SubjectPublicKeyInfo). In check mode only when the key exists already.
  returned: when O(state=present) and there is a key
  type: str
  sample: "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE...\n-----END PUBLIC KEY-----\n"
fingerprint:
  description: SHA-256 over the DER of the public half (SubjectPublicKeyInfo), hexadecimal.
  returned: when O(state=present) and there is a key
  type: str
  sample: 5f0a0b1ad64d2f5c0e9a1e1e9e77d4f0a9c4e0ee0c6f0e5d7b1c2a3948576a6b
algorithm:
  description: Kind and size of the key.
  returned: when O(state=present)
  type: str
  sample: ec-p256
extractable:
  description: Whether the private key could leave the token. Always V(false); a key that could makes the task fail.
  returned: when O(state=present) and not in check mode
  type: bool
  sample: false
key_label:
  description: The label of the key in the token.
  returned: success
  type: str
  sample: ca
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import Token, TokenSettings, open_token
from ansible_collections.privatespace.gateway.plugins.module_utils._module.hsm_options import (
    hsm_argument_spec,
    token_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES, algorithm_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.certificates import (
    public_key_fingerprint,
    public_key_pem,
)


def decide(parameters: Mapping[str, Any], *, exists: bool, public_key: Any) -> Change[str]:
    """Compare the key that was found with the one that is wanted.

    :param exists: Whether anything in the token bears the label.
    :param public_key: Its public half, where one was found.
    :raises StateError: the key is of another kind.
    """
    label, wanted = parameters["hsm_key_label"], parameters["algorithm"]
    before = {"present": exists, **_facts(public_key)}
    if parameters["state"] == "absent":
        return Change(before, {"present": False}, ("delete",) if exists else (), {"key_label": label})
    if not exists:
        after = {"present": True, "algorithm": wanted}
        return Change(before, after, ("generate",), {"key_label": label, "algorithm": wanted})
    if before["algorithm"] != wanted:
        raise StateError(
            f"The key '{label}' in the token is of the kind {before['algorithm']}, not {wanted}.",
            remedy="It is not replaced. Correct 'algorithm', or choose another label for a new key.",
        )
    return Change(before, before, (), {"key_label": label, **_facts(public_key), **_pem(public_key)})


def find(parameters: Mapping[str, Any], token: Token, *, logged_in: bool) -> Change[str]:
    """Look for the key in the token and decide what is to be done; only a login shows private keys."""
    label = parameters["hsm_key_label"]
    if parameters["state"] == "absent" or not logged_in:
        return decide(parameters, exists=token.has_key(label), public_key=token.find_public_key(label))
    key = token.find_key(label)
    if key is None:
        return decide(parameters, exists=False, public_key=None)
    token.require_unextractable(label)
    change = decide(parameters, exists=True, public_key=key.public_key())
    return replace(change, result={**change.result, "extractable": False})


def apply(parameters: Mapping[str, Any], token: Token, step: str) -> dict[str, Any]:
    """Make or destroy the key, and return what is to be reported of it."""
    label = parameters["hsm_key_label"]
    if step == "delete":
        token.delete_key(label)
        return {}
    public_key = token.generate_key(label, parameters["algorithm"]).public_key()
    return {**_facts(public_key), **_pem(public_key), "extractable": False}


def _facts(public_key: Any) -> dict[str, Any]:
    if public_key is None:
        return {}
    return {"algorithm": algorithm_of(public_key).value, "fingerprint": public_key_fingerprint(public_key)}


def _pem(public_key: Any) -> dict[str, Any]:
    return {} if public_key is None else {"public_key": public_key_pem(public_key)}


def main() -> None:
    """Wire the options to the token."""
    specification = {
        **hsm_argument_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "algorithm": {"type": "str", "choices": list(ALGORITHM_NAMES), "default": "ec-p256"},
    }
    module = AnsibleModule(
        argument_spec=specification, mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )
    login = not module.check_mode
    with ExitStack() as stack:
        opened: list[Token] = []

        def look() -> Change[str]:
            settings = TokenSettings(**token_options(module))
            opened.append(stack.enter_context(open_token(settings, lock=exclusive_lock, login=login)))
            return find(module.params, opened[0], logged_in=login)

        run(module, look, lambda change: apply(module.params, opened[0], change.steps[0]))


if __name__ == "__main__":
    main()
