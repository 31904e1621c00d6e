# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a Python library that is not installed where this code is imported.

Ansible loads plugins on hosts that lack the libraries which only some of them need. A domain file
therefore imports its library like this, and the first *use* of it is a clear error::

    try:
        from cryptography import x509
    except ImportError:
        x509 = missing_library("cryptography")
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError


class MissingLibraryError(CollectionError):
    """A library is needed that this interpreter cannot import."""


_ON_HOSTS = (
    "The role privatespace.gateway.pki installs it: run the task with the interpreter of its environment"
    " (ansible_python_interpreter), or install the library for this one."
)


class _Missing(type):
    """The type of stand-ins: attributes are stand-ins again, and calling one raises."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __call__(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise MissingLibraryError(
            f"The Python library '{cls.__mro__[-2].__name__}' is missing for {sys.executable}.", remedy=cls._remedy
        )


def missing_library(name: str, *, remedy: str = _ON_HOSTS) -> Any:
    """A stand-in for the library of that name on PyPI: fit to be subclassed and tested against, not to be called."""
    return _Missing(name, (), {"_remedy": remedy})
