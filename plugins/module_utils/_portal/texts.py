# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of the pages: ours, with what an operator says instead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import listed, shown

# A step: its text, a command, and a link of its own.
STEP_KEYS = frozenset({"text", "code", "url", "url_text"})
_MARK = re.compile(r"\{([a-z]+)\}")


def merge_texts(texts: Mapping[str, Any], others: Mapping[str, Any], *, path: str = "portal_texts") -> dict[str, Any]:
    """Our texts, with those of an operator in their places.

    :raises InputError: there is no such text, or something else stands in its place.
    """
    if not isinstance(others, Mapping):
        raise InputError(f"{path} is not a dictionary.", remedy="Give texts by their keys, as in vars/texts.yml.")
    unknown = [str(key) for key in others if key not in texts]
    if unknown:
        near = get_close_matches(unknown[0], texts, n=1)
        remedy = f"Is '{near[0]}' meant?" if near else f"There are {', '.join(texts)}."
        raise InputError(f"{path} has no text {listed(unknown)}.", remedy=remedy)
    return {key: _merge(ours, others.get(key), path=f"{path}.{key}") for key, ours in texts.items()}


def _merge(ours: Any, other: Any, *, path: str) -> Any:
    if other is None:
        return ours
    if isinstance(ours, Mapping):
        return merge_texts(ours, other, path=path)
    if isinstance(ours, str):
        if isinstance(other, str):
            return other
        raise InputError(f"{path} is not a text: '{shown(str(other))}'.", remedy="Put it in quotation marks.")
    if isinstance(other, str) or not isinstance(other, Sequence):
        raise InputError(f"{path} is not a list.", remedy="Give it as in vars/texts.yml.")
    return [_element(one, ours[0], path=f"{path}[{index}]") for index, one in enumerate(other)]


def _element(one: Any, model: Mapping[str, Any], *, path: str) -> dict[str, Any]:
    """An element of a list: a step, or a way with lists of steps."""
    if not isinstance(one, Mapping):
        raise InputError(f"{path} is not a dictionary.", remedy="Give it as in vars/texts.yml.")
    if "text" in model:
        return _step(one, path=path)
    found: dict[str, Any] = merge_texts({key: model[key] for key in model}, one, path=path)
    missing = [key for key in model if key not in one]
    if missing:
        raise InputError(f"{path} says nothing of {listed(missing)}.", remedy="A list is replaced as a whole.")
    return found


def _step(one: Mapping[str, Any], *, path: str) -> dict[str, Any]:
    wrong = [str(key) for key in one if key not in STEP_KEYS]
    if wrong or "text" not in one:
        raise InputError(
            f"{path} is not a step: it has {listed(wrong) if wrong else 'no text'}.",
            remedy="A step has a text, and may have code, url and url_text.",
        )
    step = {str(key): str(value) for key, value in one.items()}
    if not step.get("url", "https://").startswith("https://"):
        raise InputError(f"{path}.url is '{shown(step['url'])}'.", remedy="A link begins with https://.")
    return step


def fill_texts(texts: Any, values: Mapping[str, str]) -> Any:
    """All texts, with values for ``{company}`` and whatever else has one; other braces stay."""
    if isinstance(texts, Mapping):
        return {key: fill_texts(value, values) for key, value in texts.items()}
    if isinstance(texts, list):
        return [fill_texts(value, values) for value in texts]
    return _MARK.sub(lambda mark: values.get(mark[1], mark[0]), str(texts))
