# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations and findings as plain JSON types and back: they travel between hosts and lie in files for months."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any, TypeVar

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import findings, gateway, path

Record = TypeVar("Record")

_RECORDS: dict[str, type[Any]] = {
    name: kind
    for module in (path, gateway, findings)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__")
}
# The annotations are texts (Python 3.9 cannot evaluate `float | None`), and only these forms occur.
_MANY = re.compile(r"tuple\[(.+), \.\.\.\]")
_SCALARS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def to_plain(record: Any) -> dict[str, Any]:
    """The record as dictionaries, lists, strings and numbers."""
    return {name: _plain(value) for name, value in asdict(record).items()}


def from_plain(kind: type[Record], plain: Any) -> Record:
    """Read a record that ``to_plain`` wrote. Fields that are not known here, of a later version, are left out.

    :raises InputError: a field is missing, or is of another type.
    """
    if not isinstance(plain, Mapping):
        raise InputError(f"{kind.__name__} is {type(plain).__name__}, and should be a mapping.")
    values = {}
    for entry in fields(kind):  # type: ignore[arg-type]
        where = f"{kind.__name__}.{entry.name}"
        if entry.name in plain:
            values[entry.name] = _read(str(entry.type), plain[entry.name], where)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise InputError(f"{where} is missing.")
    return kind(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _read(annotation: str, value: Any, where: str) -> Any:
    if annotation.endswith(" | None"):
        return None if value is None else _read(annotation[: -len(" | None")], value, where)
    if annotation in _RECORDS:
        return from_plain(_RECORDS[annotation], value)
    many = _MANY.fullmatch(annotation)
    if many is not None:
        return tuple(_read(many.group(1), item, where) for item in _items(value, where))
    if annotation in _SCALARS:
        return _scalar(annotation, value, where)
    if annotation.startswith("tuple["):
        inner = annotation[len("tuple[") : -1].split(", ")
        items = _items(value, where)
        if len(items) != len(inner):
            raise InputError(f"{where} has {len(items)} parts, and should have {len(inner)}.")
        return tuple(_read(part, item, where) for part, item in zip(inner, items))
    if annotation.startswith("Mapping["):
        if not isinstance(value, Mapping):
            raise InputError(f"{where} is {type(value).__name__}, and should be a mapping.")
        return dict(value)
    return value


def _items(value: Any, where: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{where} is {type(value).__name__}, and should be a list.")
    return list(value)


def _scalar(annotation: str, value: Any, where: str) -> Any:
    wrong_bool = isinstance(value, bool) != (annotation == "bool")
    if wrong_bool or not isinstance(value, _SCALARS[annotation]):
        raise InputError(f"{where} is {type(value).__name__}, and should be {annotation}.")
    if annotation == "float" and isinstance(value, (int, float)):
        return float(value)
    return value
