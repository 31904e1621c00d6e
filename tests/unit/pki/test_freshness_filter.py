# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters of the authority make of what they are given."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.pki_freshness import pki_freshness
from ansible_collections.privatespace.gateway.plugins.filter.pki_publication import pki_publication
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_freshness import unknown_freshness


def test_what_the_program_said_is_passed_on() -> None:
    told = {**unknown_freshness("x"), "problem": ""}
    assert pki_freshness({"rc": 0, "stdout": json.dumps(told)}) == told


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"rc": 1, "stdout": "", "stderr": "warning\nThere is no store."}, "There is no store."),
        (
            {"msg": "[Errno 2] No such file or directory: b'/opt/x'"},
            "it has no program that tells. Run the playbook site.",
        ),
        ({"stdout": "[]"}, "it said nothing"),
        ({"stdout": "{}", "stderr": ""}, "it said nothing"),
    ],
)
def test_silence_is_a_problem(result: dict[str, object], words: str) -> None:
    assert words in pki_freshness(result)["problem"]


def test_where_the_crl_is_given_away() -> None:
    assert pki_publication([], 8080, ipv6=False) == {
        "sockets": ["0.0.0.0:8080"],
        "url": "http://127.0.0.1:8080/crl.pem",
    }


def test_the_variable_is_named_that_is_wrong() -> None:
    with pytest.raises(AnsibleFilterError, match=r"pki_publish_addresses.*'nowhere'"):
        pki_publication(["nowhere"], 80)
