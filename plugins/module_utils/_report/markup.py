# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of a page, made so that a text is never taken for markup: every text is escaped, only elements are not."""

from __future__ import annotations

import html

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import harmless


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | None) -> Markup:
    """An element. Of attributes, ``class_`` is ``class`` and ``aria_label`` is ``aria-label``; ``None`` leaves one out.

    >>> element("p", "a < b", element("b", "c"), class_="x")
    '<p class="x">a &lt; b<b>c</b></p>'
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """One after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def escape(text: str) -> str:
    """A text for an element or an attribute; characters that nobody sees are spelled out."""
    return html.escape(harmless(text), quote=True)
