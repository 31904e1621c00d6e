# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text as a QR code, an image that a phone can read off a screen."""

from __future__ import annotations

import base64
import io

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

try:
    import segno
except ImportError:
    segno = missing_library(
        "segno", remedy="Install it where ansible-playbook runs, for the same Python: pip install 'segno>=1.6'."
    )

# ISO/IEC 18004: version 40, error correction level L, byte mode.
MOST_BYTES = 2953
KINDS = ("png", "svg")
# Pixels a module, and modules of white around it: what the standard asks for.
_SCALE = 4
_BORDER = 4


def render_qr_code(text: str, *, kind: str = "png") -> str:
    """The image: for ``png``, Base64 of the file; for ``svg``, its text.

    :raises InputError: for an unknown kind, for nothing, and for more than 2953 bytes of UTF-8. The message does not
        show the text, which may be a secret.
    """
    size = len(text.encode())
    if kind not in KINDS:
        raise InputError(f"There is no kind '{shown(str(kind))}' of image.", remedy=f"There are {' and '.join(KINDS)}.")
    if not 1 <= size <= MOST_BYTES:
        raise InputError(f"The text has {size} bytes, but a QR code holds from 1 to {MOST_BYTES}.")
    code = segno.make(text, error="l", micro=False, encoding=None if text.isascii() else "utf-8")
    image = io.BytesIO()
    # Without "light" the background is transparent, and unreadable where a viewer is dark.
    code.save(image, kind=kind, scale=_SCALE, border=_BORDER, dark="black", light="white")
    return base64.b64encode(image.getvalue()).decode() if kind == "png" else image.getvalue().decode()
