# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anybody could open a link on this gateway: its web server shows the page, and its service answers."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError

# For a service that is started again at the moment, or is asked by very many.
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.1


def require_front(web_part: Path, service: Path, *, patience: float = PATIENCE_SECONDS) -> None:
    """Refuse links that nobody could open.

    :param web_part: The part of the web server's configuration that is there while it has a certificate.
    :param service: The UNIX socket of the service.
    :param patience: For how many seconds the service may refuse connections.
    :raises StateError: one of them is missing.
    """
    if not web_part.exists():
        raise StateError(
            f"This gateway shows no pages: its web server has no certificate yet ({web_part} is missing).",
            remedy="Run the playbook site with acme_enabled, and look at what it says about the certificate.",
        )
    deadline = time.monotonic() + patience
    while True:
        try:
            return _connect(service)
        except OSError as error:
            # A socket that is not there does not come by itself.
            if isinstance(error, FileNotFoundError) or time.monotonic() >= deadline:
                raise StateError(
                    f"The service of one-time links takes no connections at {service}: {error.strerror or error}.",
                    remedy="Look at journalctl -u privatespace-portal.service, or run the playbook site.",
                ) from error
        time.sleep(_PAUSE_SECONDS)


def _connect(service: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(service))
