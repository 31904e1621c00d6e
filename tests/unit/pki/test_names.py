"""Names that end up in certificates, file names, the management protocol and configurations."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import names

RULE = "Use 1 to 63 characters from a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit and without '..'."
BAD = [
    ("", "'' is empty."),
    ("a" * 10_000, "'" + "a" * 60 + "… (10000 characters)' is longer than 63 characters."),
    ("müller", "'müller' holds the character '\\xfc'."),
    ("ａｌｉｃｅ", "'ａｌｉｃｅ' holds the character '\\uff41'."),
    ("../../etc", "'../../etc' holds the character '/'."),
    ("a..b", "'a..b' holds '..'."),
    ("alice\nup /bin/sh", "'alice\\nup /bin/sh' holds the character '\\n'."),
    ("alice\n", "'alice\\n' holds the character '\\n'."),
    ("alice\0b", "'alice\\x00b' holds the character '\\x00'."),
    ("o'brien", "'o'brien' holds the character \"'\"."),
    ('a"b', "'a\"b' holds the character '\"'."),
    ("a:b", "'a:b' holds the character ':'."),
    ("a@b", "'a@b' holds the character '@'."),
    ("a b", "'a b' holds the character ' '."),
    ("Alice", "'Alice' holds the character 'A'."),
    ("-alice", "'-alice' begins with '-'."),
    (".alice", "'.alice' begins with '.'."),
]


@pytest.mark.parametrize(("name", "problem"), BAD)
@pytest.mark.parametrize(
    ("parse", "what"),
    [
        (names.parse_user_name, "user name"),
        (names.parse_device_name, "device name"),
        (names.parse_gateway_name, "gateway name"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason(parse: object, what: str, name: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(name)  # type: ignore[operator]
    assert str(refused.value) == f"The {what} {problem} {RULE}"


@pytest.mark.parametrize("name", ["a", "0", "alice", "alice.b-c_d", "a" * 63, "a.", "9lives"])
def test_a_good_name_is_returned_as_it_is(name: str) -> None:
    assert names.parse_user_name(name) == names.parse_device_name(name) == names.parse_gateway_name(name) == name


def test_the_common_name_of_a_device_can_be_taken_apart_again() -> None:
    assert names.common_name("alice", "laptop") == "alice@laptop"
    assert names.split_common_name("alice@laptop") == ("alice", "laptop")
    assert names.split_common_name("alice@laptop").device == "laptop"


@pytest.mark.parametrize(
    "name", ["alice", "gateway-cambridge", "@laptop", "alice@", "a@b@c", "ALICE@laptop", "", "alice@laptop\n"]
)
def test_what_is_no_common_name_of_a_device_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        names.split_common_name(name)


def test_a_common_name_has_at_most_64_characters() -> None:
    assert len(names.common_name("a" * 32, "b" * 31)) == 64
    with pytest.raises(InputError, match=r"has 65 characters; a certificate holds 64\. Shorten the user and device"):
        names.common_name("a" * 32, "b" * 32)
    assert len(names.gateway_common_name("c" * 56)) == 64
    with pytest.raises(InputError, match=r"Shorten the gateway name"):
        names.gateway_common_name("c" * 57)


def test_no_device_can_have_the_common_name_of_a_gateway() -> None:
    """Clients accept every server whose name begins with gateway-; devices have an @, which gateways cannot have."""
    assert names.gateway_common_name("cambridge") == "gateway-cambridge"
    assert "@" in names.common_name("gateway-cambridge", "x")
