# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the collection, for what it writes and reads again later; a test compares it with ``galaxy.yml``."""

from __future__ import annotations

VERSION = "0.1.0"
