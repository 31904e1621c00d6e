# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  hsm_module:
    description:
      - Path of the token's PKCS#11 library on the host where the module runs,
        for example V(/usr/lib/softhsm/libsofthsm2.so).
    type: path
    required: true
  hsm_token:
    description:
      - Label of the token. The slot is found by it; blanks at its end do not count.
      - Several tokens with the same label are an error that lists their serials, see O(hsm_token_serial).
    type: str
    default: privatespace
  hsm_token_serial:
    description:
      - Serial of the token, besides its label; only needed where several tokens bear the same label.
    type: str
    default: ""
  hsm_pin:
    description:
      - User PIN of the token, in the form that the token wants (AWS CloudHSM C(USER:PASSWORD), YubiHSM 2 four
        hexadecimal digits and the password).
      - It is tried once. A wrong PIN fails the task and is never repeated, because tokens lock themselves after a
        few wrong ones; where a token says that one attempt is left, not even that one is made.
      - Where neither O(hsm_pin) nor O(hsm_pin_file) is given, the environment variable E(PRIVATESPACE_HSM_PIN) of
        the module's process is used, and without that the systemd credential C(privatespace-hsm-pin)
        (C($CREDENTIALS_DIRECTORY/privatespace-hsm-pin), from C(LoadCredential=) or C(SetCredentialEncrypted=)
        of the service that runs the module).
      - Do not set the variable by the keyword C(environment) of a task, which Ansible writes on a command line and
        shows with C(-vvv). It is meant for services and for C(ansible-playbook) with a local connection.
      - Without effect in check mode, which never logs in to a token.
    type: str
  hsm_pin_file:
    description:
      - File on the host where the module runs, whose first line is the PIN in UTF-8.
      - It must be a regular file that nobody but its owner can read or write (mode C(0400) or C(0600)); otherwise the
        task fails.
      - Mutually exclusive with O(hsm_pin).
    type: path
  hsm_key_label:
    description:
      - Label (C(CKA_LABEL)) of the key pair in the token, 1 to 64 characters. Several keys with the same label are
        an error, since nothing tells which of them is meant.
    type: str
    default: ca
  hsm_timeout:
    description:
      - Seconds that the token may take to answer one call, for example one signature; making a key may take ten
        times as long.
      - When they are over, the task fails and its process ends, since a call into the library of a token cannot be
        interrupted in another way. What the store had committed stands. V(0) waits for ever.
    type: int
    default: 120
requirements:
  - cryptography >= 36.0
  - python-pkcs11 >= 0.10
"""
