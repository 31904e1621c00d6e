# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TSIG key files: what is written is what is read, what fits is kept, and no secret is shown."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.tsig_key import (
    KeyFile,
    TsigKey,
    make_key,
    merge_keys,
    parse_keys,
    plan_key,
    render_key,
)

NAME = "cambridge.example.net"
KEY = make_key(NAME, "hmac-sha256", b"c" * 32)
WANTED = {"state": "present", "name": NAME, "algorithm": "hmac-sha256"}


def test_what_is_written_is_what_is_read() -> None:
    other = make_key("ely.example.net", "hmac-sha512", b"e" * 64)
    assert parse_keys(render_key(KEY) + "# a word\n// another\n/* a\nthird */" + render_key(other), what="x") == (
        KEY,
        other,
    )


def test_a_secret_with_slashes_is_no_comment() -> None:
    key = TsigKey(NAME, "hmac-sha256", "//" * 20 + "AAA=")
    assert parse_keys(render_key(key), what="x") == (key,)


def test_the_secret_is_in_no_representation() -> None:
    assert KEY.secret not in repr(KEY)
    assert KEY.secret not in repr(KeyFile("x", render_key(KEY), 0o600))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zone x {};", "something else"),
        (render_key(KEY) + "options {};", "something else"),
        ('key "a b" { algorithm hmac-sha256; secret "YQ=="; };', "something else"),
        ('key "a.b" { algorithm hmac-md5; secret "YQ=="; };', "algorithm is 'hmac-md5'"),
        ('key "a.b" { secret "YQ=="; };', "algorithm"),
        ('key "a.b" { algorithm hmac-sha256; secret "%%%"; };', "no base64"),
        ('key "a.b" { algorithm hmac-sha256; };', "no base64"),
        ('key "a_b" { algorithm hmac-sha256; secret "YQ=="; };', "may hold a-z"),
        (render_key(KEY) * 2, "names a key twice"),
    ],
)
def test_what_is_no_key_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_keys(text, what="keys.conf")


def test_a_key_that_fits_is_kept() -> None:
    change = plan_key(KeyFile("x", render_key(KEY), 0o600), WANTED)
    assert not change.needed
    assert change.result["secret"] == KEY.secret


def test_an_open_file_is_shut_and_its_key_kept() -> None:
    change = plan_key(KeyFile("x", render_key(KEY), 0o644), WANTED)
    assert change.steps == (KEY,)
    assert (change.before["mode"], change.after["mode"]) == ("0644", "0600")


@pytest.mark.parametrize("text", [None, "", render_key(KEY).replace("cambridge", "ely")])
def test_a_key_is_made_where_there_is_none_or_another(text: str | None) -> None:
    change = plan_key(KeyFile("x", text, None if text is None else 0o600), WANTED)
    assert change.steps == (TsigKey(NAME, "hmac-sha256", ""),)
    assert change.result["secret"] == ""
    assert KEY.secret not in str((change.before, change.after))


def test_two_keys_are_not_chosen_among() -> None:
    text = render_key(KEY) + render_key(make_key("ely.example.net", "hmac-sha256", b"e" * 32))
    with pytest.raises(InputError, match="holds 2 keys"):
        plan_key(KeyFile("x", text, 0o600), WANTED)


def test_a_file_is_removed_whatever_it_holds() -> None:
    assert plan_key(KeyFile("x", "words", 0o600), {"state": "absent"}).needed
    assert not plan_key(KeyFile("x", None, None), {"state": "absent"}).needed


def test_keys_of_gateways_that_were_not_reached_stay_and_those_of_nobody_go() -> None:
    def key(name: str, letter: bytes) -> TsigKey:
        return make_key(f"{name}.example.net", "hmac-sha256", letter * 32)

    kept = [key("bath", b"1"), key("ely", b"1"), key("gone", b"1")]
    merged = merge_keys(kept, [key("ely", b"2")], ["ely.example.net", "bath.example.net", "york.example.net"])
    assert merged == (key("bath", b"1"), key("ely", b"2"))
