# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every module that uses the authority's store."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragment ``privatespace.gateway.store``."""

    DOCUMENTATION = r"""
options:
  store:
    description:
      - The authority's store. Either the absolute path of an SQLite file, or a SQLAlchemy URL such as
        V(postgresql+psycopg://authority@db.example.net/authority).
      - An SQLite file is made with mode V(0600) in a folder with mode V(0700), and is refused when others can reach it.
      - A URL that holds a password is refused, since Ansible logs options. Use the password file of the
        database client.
    type: str
    default: /var/lib/privatespace/authority/authority.db
  store_lock_wait:
    description:
      - Seconds to wait for another run that is changing the same store. One run changes it at a time.
      - When the time is over the module fails and has changed nothing.
    type: int
    default: 60
  audit_actor:
    description:
      - Who is acting, as the audit trail tells it. One line, at most 255 characters.
      - By default the account that logged in to the host.
    type: str
  audit_job:
    description:
      - The job that the run belongs to, as the audit trail tells it, for example the job number of an automation
        controller. One line, at most 255 characters.
    type: str
    default: ""
requirements:
  - SQLAlchemy 2.0 or later
  - psycopg 3 for a store on PostgreSQL
"""
