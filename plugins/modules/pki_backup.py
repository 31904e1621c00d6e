#!/usr/bin/python
# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup of the authority, made while it works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_backup
short_description: Back up the authority's store and the files that belong to it
description:
  - Copies the store as it is at one moment, while others may be writing to it, and puts the copy and the files that
    are named into one archive with mode V(0600). Other runs need not wait.
  - The archive is a compressed tar with a manifest, an SQLite file and the files. It has the same form for a store on
    SQLite and on PostgreSQL, and can be restored onto both.
  - The copy is checked before the archive takes its name. That covers the integrity of the database, its references,
    the whole audit trail, and the SHA-256 of every part, read back from the disk. A store that does not agree with
    itself is an error, and no backup is removed then.
  - The archive holds the tls-crypt-v2 server key when that file is named, so it is a secret. It never holds a key of a
    certification authority, which is in the token.
  - The audit trail tells of every backup.
version_added: "0.1.0"
author:
  - Private Space Gateway contributors (@privatespace)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - privatespace.gateway.store
attributes:
  check_mode:
    support: full
    details:
      - Reads the store and the files, and writes nothing.
  diff_mode:
    support: full
    details:
      - Shows the names of the archives in the folder, never what is in them.
  platform:
    platforms: posix
options:
  folder:
    description:
      - The folder on this host that the archive is written into. It is made with mode V(0700) where it is missing.
        There has to be room for the store twice.
      - The name of an archive is C(privatespace-authority-TIME.tar.gz) with the time in UTC.
    type: path
    default: /var/lib/privatespace/authority/backups
  files:
    description:
      - The files that belong to the store, as a dictionary of names to absolute paths. A missing file is an error.
      - The names are chosen freely. M(privatespace.gateway.pki_restore) is told by them which file goes where.
    type: dict
    default: {}
  keep:
    description:
      - How many archives stay in O(folder), the new one counted. Older ones are removed once the new one is complete.
      - V(0) keeps all. Files with other names are never removed.
    type: int
    default: 14
seealso:
  - module: privatespace.gateway.pki_restore
  - module: privatespace.gateway.pki_info
"""

EXAMPLES = r"""
- name: Back up the authority
  privatespace.gateway.pki_backup:
    folder: /var/lib/privatespace/authority/backups
    files:
      tls_crypt_v2_server_key: /var/lib/privatespace/authority/tls-crypt-v2-server.key
      crl_pem: /var/lib/privatespace/authority/crl.pem
      crl_der: /var/lib/privatespace/authority/crl.der
      ca_pem: /var/lib/privatespace/authority/ca.pem
  register: backup

- name: Back up a store on PostgreSQL
  privatespace.gateway.pki_backup:
    store: postgresql+psycopg://authority@db.example.net/authority
    folder: /var/backups/authority
"""

RETURN = r"""
path:
  description: The path of the archive. Empty in check mode.
  returned: success
  type: str
sha256:
  description: SHA-256 over the archive. Empty in check mode.
  returned: success
  type: str
size:
  description: Its size in bytes. V(0) in check mode.
  returned: success
  type: int
removed:
  description: The paths of the archives that were removed, or would be.
  returned: success
  type: list
  elements: str
notices:
  description: What whoever keeps the archive has to know about it, in sentences.
  returned: success
  type: list
  elements: str
manifest:
  description: What is in the archive.
  returned: success
  type: dict
  contains:
    created_at:
      description: When the backup was made (ISO 8601, UTC).
      type: str
      returned: success and not in check mode
    collection_version:
      description: The version of the collection that made it.
      type: str
      returned: success and not in check mode
    schema_version:
      description: The version of the layout of the store in it.
      type: int
      returned: success and not in check mode
    members:
      description: Size in bytes, SHA-256, mode and former path of every part, by name.
      type: dict
      returned: success and not in check mode
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import (
    file_mode,
    private_umask,
    read_optional,
    replacing,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._module.run import run
from ansible_collections.privatespace.gateway.plugins.module_utils._module.store_options import (
    failing,
    store_argument_spec,
    store_options,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._store.backup_run import BackupRun, HostFiles
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin


def argument_spec() -> dict[str, Any]:
    """The options of this module."""
    return {
        **store_argument_spec(),
        "folder": {"type": "path", "default": "/var/lib/privatespace/authority/backups"},
        "files": {"type": "dict", "default": {}},
        "keep": {"type": "int", "default": 14},
    }


def main() -> None:
    """Wire the options to the store."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    with failing(module), private_umask():
        options = store_options(module)
        location, origin = parse_location(options["store"]), Origin(options["actor"], options["job"])
        host = HostFiles(read_optional, file_mode, replacing)
        job = BackupRun(module.params, location, origin, utc_now, host)
        run(module, job.decide, job.apply)


if __name__ == "__main__":
    main()
