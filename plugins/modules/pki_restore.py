#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup of the authority, put back in its place."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_restore
short_description: Restore the authority's store and its files from a backup
description:
  - Checks the whole archive that M(privatespace.gateway.pki_backup) made, the token, and the store that is there,
    before anything is touched.
  - Refuses when the store that is there knows more than the backup. Otherwise revocations would be forgotten, and
    removed users would get access again.
  - Keeps everything that it replaces beside it, under its name with C(.before-restore-TIME) added.
  - The store is replaced as one transaction. A run that broke off is completed by the next one with the same archive,
    and a run that has nothing left to do changes nothing.
  - Restores onto an SQLite file, or onto a PostgreSQL database with no store in it. A store in a database is never
    replaced. To go back there, make an empty database and give its URL.
  - A CRL in the place of a file that is newer than the backup is left in place, since it lists what was revoked since.
    M(privatespace.gateway.pki_crl) signs nothing as long as it is there.
  - The key of a certification authority cannot be restored by this module. It is in the token. Without the token the
    store can tell what was issued and revoked, but nothing can be issued or renewed, and nobody can be revoked by CRL.
    Sessions and certificates that there are go on until the CRL expires; after that every gateway refuses everybody.
  - The audit trail of the restored store tells of the restore.
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
      - Checks the archive and compares it with the store that is there. Does not log in to the token.
  diff_mode:
    support: full
    details:
      - Shows how the store is related to the backup, and the SHA-256 of files.
  platform:
    platforms: posix
options:
  archive:
    description:
      - The path of the archive on this host.
    type: path
    required: true
  files:
    description:
      - Which files of the archive are restored, and where to, as a dictionary of names to absolute paths. A file whose
        name is left out is not restored. The archive itself never decides where anything is written.
    type: dict
    default: {}
  require_token:
    description:
      - Fail before anything is changed when the token cannot sign for one of the authorities of the backup that are
        trusted. Their keys are proven by one signature each, in one login.
      - With V(false) the store is restored without the token, and what does not work until the token is back is a
        warning.
    type: bool
    default: true
  force:
    description:
      - Replace an SQLite store even though it knows more than the backup, or has another history. It is kept beside.
    type: bool
    default: false
  hsm_key_label:
    description:
      - Without effect here. The store tells the labels of the keys.
    type: str
    default: ca
seealso:
  - module: privatespace.gateway.pki_backup
  - module: privatespace.gateway.pki_crl
  - module: privatespace.gateway.pki_info
"""

EXAMPLES = r"""
- name: Restore the authority
  privatespace.gateway.pki_restore:
    archive: /root/privatespace-authority-20261122T120000.000000Z.tar.gz
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin_file: /etc/privatespace/pin
    files:
      tls_crypt_v2_server_key: /var/lib/privatespace/authority/tls-crypt-v2-server.key
      crl_pem: /var/lib/privatespace/authority/crl.pem
      crl_der: /var/lib/privatespace/authority/crl.der
      ca_pem: /var/lib/privatespace/authority/ca.pem

- name: Move the store to PostgreSQL
  privatespace.gateway.pki_restore:
    archive: /root/privatespace-authority-20261122T120000.000000Z.tar.gz
    store: postgresql+psycopg://authority@db.example.net/authority
    hsm_module: /usr/lib/softhsm/libsofthsm2.so
    hsm_pin_file: /etc/privatespace/pin
"""

RETURN = r"""
store_before:
  description:
    - What the store that was there is to the one in the backup. V(absent), V(damaged), V(same), V(older), V(newer) or
      V(another).
  returned: success
  type: str
  sample: absent
put_aside:
  description: The paths under which everything that was replaced is kept. Empty in check mode.
  returned: success
  type: list
  elements: str
left_newer:
  description: The paths of CRLs that are newer than the backup and were left in place.
  returned: success
  type: list
  elements: str
token:
  description: Whether the token can sign for the authorities of the backup.
  returned: success
  type: dict
  contains:
    proven:
      description: Whether every key was found and made a signature that fits. V(false) in check mode.
      type: bool
      returned: success
    missing:
      description: Why a key is not to be had, by its label.
      type: dict
      returned: success
notices:
  description: What has to be known before going on, in sentences. They are warnings, too.
  returned: success
  type: list
  elements: str
crl_expires:
  description: When the first of the CRLs that the backup knows expires (ISO 8601, UTC). V(null) where there is none.
  returned: success
  type: str
manifest:
  description: What is in the archive.
  returned: success
  type: dict
  contains:
    created_at:
      description: When the backup was made (ISO 8601, UTC).
      type: str
      returned: success
    collection_version:
      description: The version of the collection that made it.
      type: str
      returned: success
    schema_version:
      description: The version of the layout of the store in it.
      type: int
      returned: success
    members:
      description: Size in bytes, SHA-256, mode and former path of every part, by name.
      type: dict
      returned: success
    facts:
      description: What the store in it knows.
      type: dict
      returned: success
      contains:
        certificates:
          description: How many certificates, with those that expired, were revoked, or were never handed out.
          type: int
          returned: success
        revocations:
          description: How many revocations.
          type: int
          returned: success
        suspensions:
          description: How many users and devices are or once were disabled.
          type: int
          returned: success
        gateway_names:
          description: How many names gateways have or once had.
          type: int
          returned: success
        crl_numbers:
          description: The highest CRL number that was taken, by the label of the authority.
          type: dict
          returned: success
        audit_records:
          description: How many records the audit trail has.
          type: int
          returned: success
        audit_head:
          description: The hash of its newest record. Noted elsewhere, it shows later that the backup is what it was.
          type: str
          returned: success
        authorities:
          description: Label, state and SHA-256 of the certificate of every authority.
          type: list
          elements: dict
          returned: success
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    private_umask,
    read_optional,
    replacing,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing import signing_keys
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
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_numbers import crl_numbers, issuer_name
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import load_der
from ansible_collections.privatespace.gateway.plugins.module_utils._store.backup_run import HostFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.restore_run import Crls, RestoreRun
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin, authority_lock


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **hsm_argument_spec(),
        **store_argument_spec(),
        "archive": {"type": "path", "required": True},
        "files": {"type": "dict", "default": {}},
        "require_token": {"type": "bool", "default": True, "no_log": False},
        "force": {"type": "bool", "default": False},
    }


def main() -> None:
    """Wire the options to the store and the token."""
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("hsm_pin", "hsm_pin_file")], supports_check_mode=True
    )

    @contextmanager
    def proving() -> Iterator[Callable[[str, bytes], Any]]:
        with signing_keys(TokenSettings(**token_options(module)), lock=exclusive_lock) as keys:
            yield lambda label, certificate: keys(label, load_der(certificate).public_key())

    with failing(module), private_umask(), TemporaryDirectory(dir=module.tmpdir) as work:
        options = store_options(module)
        location, origin = parse_location(options["store"]), Origin(options["actor"], options["job"])
        host, crls = HostFiles(read_optional, file_mode, replacing), Crls(crl_numbers, issuer_name)
        prove = None if module.check_mode else proving
        lock: AbstractContextManager[None] = nullcontext()
        if not module.check_mode:
            wait = options["wait_seconds"]
            lock = authority_lock(location, wait_seconds=wait, file_lock=exclusive_lock, create=True)
        with lock:
            job = RestoreRun(module.params, location, origin, utc_now, host, crls, Path(work), prove)

            def decide() -> Change[str]:
                change = job.decide()
                for notice in change.result["notices"]:
                    module.warn(notice)
                return change

            run(module, decide, job.apply)


if __name__ == "__main__":
    main()
