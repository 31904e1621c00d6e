# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the templates of the pages are given: texts, colours, whom to ask, and fingerprints.

All of it is escaped here, once, for the text of an element and for an attribute in quotation marks: Ansible's templates
do not escape by themselves, and what every place would have to remember would be forgotten in one.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import fingerprint, require_single_line
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.texts import fill_texts, merge_texts
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.theme import make_themes

LONGEST_COMPANY, LONGEST_CONTACT = 80, 200
LOGO_SUFFIXES = (".svg", ".png")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")
_ADDRESS = re.compile(r"[^@\s:/?&#%<>\"]+@[^@\s:/?&#%<>\"]+\.[^@\s:/?&#%<>\"]+\Z")


def describe_site(settings: Mapping[str, Any], *, own_texts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the pages show, checked, and escaped for HTML.

    :param settings: ``company``, ``contact``, ``color``, ``logo``, ``texts``, ``gateway``, ``ca_certificate`` and
        ``second_factor``.
    :param own_texts: The texts of the collection.
    :raises InputError: a value that pages cannot show.
    """
    texts = merge_texts(own_texts, settings["texts"])
    company = _line(settings, "company", LONGEST_COMPANY)
    described = {
        "company": company,
        "gateway": str(settings["gateway"]),
        "texts": fill_texts(
            texts, {"company": company or texts["nameless_company"], "gateway": str(settings["gateway"])}
        ),
        "contact": parse_contact(_line(settings, "contact", LONGEST_CONTACT), nobody=texts["nameless_contact"]),
        "logo": parse_logo(str(settings["logo"] or "")),
        "theme": asdict(make_themes(settings["color"])),
        "ca_fingerprints": certificate_fingerprints(str(settings["ca_certificate"])),
        "second_factor": bool(settings["second_factor"]),
    }
    return {key: escape_texts(value) for key, value in described.items()}


def escape_texts(value: Any) -> Any:
    """Every text in a structure, with nothing that means something in HTML."""
    if isinstance(value, Mapping):
        return {key: escape_texts(one) for key, one in value.items()}
    if isinstance(value, list):
        return [escape_texts(one) for one in value]
    return escape(value, quote=True) if isinstance(value, str) else value


def parse_contact(contact: str, *, nobody: str) -> dict[str, str]:
    """Whom to ask: the text that is shown and what it links to, if anything."""
    if _ADDRESS.match(contact):
        return {"text": contact, "href": f"mailto:{contact}"}
    if contact.startswith("https://"):
        return {"text": contact[len("https://") :].rstrip("/"), "href": contact}
    return {"text": contact or nobody, "href": ""}


def parse_logo(path: str) -> str:
    """The name under which the logo is served, empty without one.

    :raises InputError: it is neither SVG nor PNG.
    """
    if not path:
        return ""
    suffix = path[path.rfind(".") :].lower()
    if suffix not in LOGO_SUFFIXES:
        raise InputError(f"portal_logo: '{path}' is neither .svg nor .png.", remedy="Give the path of such a file.")
    return f"logo{suffix}"


def certificate_fingerprints(pem: str) -> list[str]:
    """The SHA-256 of each certificate, as people compare them: pairs in upper case with colons."""
    return [_spell(fingerprint(b64decode(body))) for body in _CERTIFICATE.findall(pem)]


def _spell(digest: str) -> str:
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2)).upper()


def _line(settings: Mapping[str, Any], name: str, longest: int) -> str:
    value = require_single_line(str(settings[name]).strip(), what=f"portal_{name}")
    if len(value) > longest:
        raise InputError(f"portal_{name} has {len(value)} characters.", remedy=f"{longest} find room on a page.")
    return value
