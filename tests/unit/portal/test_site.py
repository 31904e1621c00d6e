"""What the templates of the pages are given."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.site import (
    certificate_fingerprints,
    describe_site,
    parse_contact,
    parse_logo,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.texts import fill_texts, merge_texts

ROLE = Path(__file__).parents[3] / "roles/portal"
OWN: dict[str, Any] = yaml.safe_load((ROLE / "vars/texts.yml").read_text())["__portal_own_texts"]
STEP = {"text": "Call {contact}."}


def site(**settings: Any) -> dict[str, Any]:
    given = {
        "company": "Example Ltd", "contact": "", "color": "#1f5fbf", "logo": "", "texts": {},
        "gateway": "vpn.example.net", "ca_certificate": "", "second_factor": False, **settings,
    }  # fmt: skip
    return describe_site(given, own_texts=OWN)


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from leaves(one)
    elif isinstance(value, str):
        yield value


def test_no_text_has_anything_that_means_something_in_html() -> None:
    nasty = "<script>alert(1)</script>\"'&"
    texts = {"index": {"lead": nasty}, "connect": {"trouble": [{"text": nasty, "code": nasty}]}}
    described = site(company=nasty, contact=f"https://example.net/{nasty}", gateway=nasty, texts=texts)
    found = list(leaves(described))
    assert sum("alert(1)" in text for text in found) == 9
    for text in found:
        assert not re.search(r"""[<>"']|&(?!(amp|lt|gt|quot|#x27);)""", text), text


def test_names_are_filled_in_and_the_rest_is_left_to_the_page() -> None:
    texts = site()["texts"]
    assert texts["index"]["heading"] == "Your way into the network of Example Ltd"
    assert "vpn.example.net" in texts["index"]["lead"]
    assert "{contact}" in texts["common"]["help_text"]
    left = {mark for text in leaves(texts) for mark in re.findall(r"\{\w+\}", text)}
    assert left == {"{contact}", "{file}"}
    assert "your company" in site(company="")["texts"]["index"]["heading"]


def test_what_a_value_holds_is_not_filled_again() -> None:
    assert fill_texts(["{a} {b} {c} {"], {"a": "{b}", "b": "2"}) == ["{b} 2 {c} {"]


def test_texts_are_replaced_by_their_keys() -> None:
    merged = merge_texts(OWN, {"index": {"heading": "Willkommen"}, "connect": {"trouble": [STEP]}, "lang": "de"})
    assert (merged["lang"], merged["index"]["heading"], merged["connect"]["trouble"]) == ("de", "Willkommen", [STEP])
    assert merged["index"]["lead"] == OWN["index"]["lead"]
    way = {"title": "With yast", "install": [STEP], "import": []}
    assert merge_texts(OWN, {"platforms": {"linux": {"ways": [way]}}})["platforms"]["linux"]["ways"] == [way]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"indx": {}}, "portal_texts has no text 'indx'. Is 'index' meant?"),
        ({"index": {"headng": "x"}}, "portal_texts.index has no text 'headng'. Is 'heading' meant?"),
        ({"index": "x"}, "portal_texts.index is not a dictionary."),
        ([], "portal_texts is not a dictionary."),
        ({"lang": 5}, "portal_texts.lang is not a text: '5'."),
        ({"connect": {"trouble": "x"}}, "portal_texts.connect.trouble is not a list."),
        ({"connect": {"trouble": ["x"]}}, "portal_texts.connect.trouble[0] is not a dictionary."),
        ({"connect": {"trouble": [{"code": "x"}]}}, "portal_texts.connect.trouble[0] is not a step: it has no text."),
        ({"connect": {"trouble": [{**STEP, "u": "y"}]}}, "portal_texts.connect.trouble[0] is not a step: it has 'u'."),
        (
            {"connect": {"trouble": [{"text": "x", "url": "javascript:alert(1)"}]}},
            "portal_texts.connect.trouble[0].url is 'javascript:alert(1)'. A link begins with https://.",
        ),
        (
            {"platforms": {"linux": {"ways": [{"title": "x"}]}}},
            "portal_texts.platforms.linux.ways[0] says nothing of 'install', 'import'.",
        ),
    ],
)  # fmt: skip
def test_texts_that_do_not_fit_are_refused(texts: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        site(texts=texts)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("contact", "text", "href"),
    [
        ("help@example.net", "help@example.net", "mailto:help@example.net"),
        ("https://help.example.net/", "help.example.net", "https://help.example.net/"),
        ("+44 1223 000000", "+44 1223 000000", ""),
        ("javascript:alert(1)", "javascript:alert(1)", ""),
        ("help@example.net?subject=x", "help@example.net?subject=x", ""),
        ("", "your IT department", ""),
    ],
)
def test_whom_to_ask(contact: str, text: str, href: str) -> None:
    assert parse_contact(contact, nobody="your IT department") == {"text": text, "href": href}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"company": "a\nb"}, "portal_company holds the control character"),
        ({"company": "a" * 81}, "portal_company has 81 characters."),
        ({"contact": "a" * 201}, "portal_contact has 201 characters."),
        ({"logo": "/logo.gif"}, "portal_logo: '/logo.gif' is neither .svg nor .png."),
        ({"logo": "/logo"}, "portal_logo: '/logo' is neither .svg nor .png."),
    ],
)
def test_what_a_page_cannot_show_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        site(**settings)


def test_the_name_of_the_logo() -> None:
    assert (parse_logo(""), parse_logo("/a/Corp.SVG"), parse_logo("b.png")) == ("", "logo.svg", "logo.png")


def test_fingerprints_are_those_that_openssl_shows() -> None:
    body = base64.encodebytes(b"certificate").decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    # printf certificate | sha256sum
    expected = "03:D6:6D:D0"
    one, other = certificate_fingerprints(pem * 2)
    assert (one, len(one)) == (other, 95)
    assert one.startswith(expected), one
    assert certificate_fingerprints("") == []


def test_every_text_is_used_on_a_page() -> None:
    templates = "".join(path.read_text() for path in ROLE.glob("templates/**/*.html.j2"))
    for group in ("common", "index", "connect", "link", "not_found"):
        for key in OWN[group]:
            # A few are looked up by a name that is put together.
            looked_up = re.search(rf"'{key.replace('_text', '')}'", templates)
            assert f"t.{group}.{key}" in templates or looked_up, f"{group}.{key}"
