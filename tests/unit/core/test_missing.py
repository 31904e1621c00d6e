"""The stand-in for a library: harmless until it is used, then a clear error."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import (
    MissingLibraryError,
    missing_library,
)


def test_attributes_can_be_named_and_subclassed_without_the_library() -> None:
    x509 = missing_library("cryptography")

    class Key(x509.PrivateKey):  # type: ignore[misc, name-defined]
        """A class that a domain file defines at import time."""

    assert isinstance(Key, type)
    assert not isinstance("anything", x509.Certificate)


@pytest.mark.parametrize(
    "use", [lambda library: library(), lambda library: library.Name("CN=ca"), lambda library: library.a.b()]
)
def test_the_first_call_names_the_library_and_the_interpreter(use: object) -> None:
    with pytest.raises(MissingLibraryError) as caught:
        use(missing_library("python-pkcs11"))  # type: ignore[operator]
    assert "'python-pkcs11' is missing" in str(caught.value)
    assert sys.executable in str(caught.value)


def test_the_name_is_told_for_a_subclass_too() -> None:
    class Key(missing_library("cryptography")):  # type: ignore[misc]
        """Subclass of a stand-in."""

    with pytest.raises(MissingLibraryError, match="'cryptography' is missing"):
        Key()


def test_special_attributes_are_not_made_up() -> None:
    assert not hasattr(missing_library("cryptography"), "__wrapped__")
