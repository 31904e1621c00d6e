# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that knows check mode, diff mode, and how a module ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, PartialError


def run(
    module: AnsibleModule,
    decide: Callable[[], Change[Any]],
    apply: Callable[[Change[Any]], Mapping[str, Any]],
    *,
    kept_whole: str = "",
    told: Callable[[], None] | None = None,
) -> None:
    """Decide, apply unless in check mode, and exit with what is to be reported. Never returns.

    What is reported as ``warnings``, sentences, is shown as Ansible shows warnings.

    :param decide: Reads the current state and returns the :class:`Change`; it must not write.
    :param apply: Carries out the steps of a change that is needed and returns further return values.
    :param kept_whole: The return value that holds secrets on purpose; it leaves this process unaltered.
    :param told: Called once everything that is to be reported has left this process.
    """
    try:
        _run(module, decide, apply, kept_whole)
    except SystemExit:
        sys.stdout.flush()
        if told is not None:
            # The report is out, and a second one would make both unreadable.
            with suppress(CollectionError):
                told()
        raise


def _run(
    module: AnsibleModule,
    decide: Callable[[], Change[Any]],
    apply: Callable[[Change[Any]], Mapping[str, Any]],
    kept_whole: str,
) -> None:
    try:
        change = decide()
        outcome = dict(change.result)
        if change.needed and not module.check_mode:
            outcome.update(apply(change))
    except PartialError as error:
        module.fail_json(
            **_masked(module, {**outcome, **error.results, "msg": str(error), "changed": True}, kept_whole)
        )
    except CollectionError as error:
        module.fail_json(msg=str(error))
    for sentence in outcome.pop("warnings", ()):
        module.warn(sentence)
    if change.before != change.after:
        outcome["diff"] = {"before": _as_text(change.before), "after": _as_text(change.after)}
    module.exit_json(changed=change.needed, **_masked(module, outcome, kept_whole))


def _masked(module: AnsibleModule, outcome: dict[str, Any], kept_whole: str) -> dict[str, Any]:
    """The return values with every value of a ``no_log`` option masked, except in the one that holds secrets.

    Ansible would mask those values there, too: four digits of a PIN occur in the base64 of thousands of keys by chance,
    and the key would be damaged.
    """
    if not outcome.get(kept_whole):
        return outcome
    rest = {name: value for name, value in outcome.items() if name != kept_whole}
    rest.setdefault("invocation", {"module_args": module.params})
    masked: dict[str, Any] = remove_values(rest, module.no_log_values)
    module.no_log_values.clear()
    return {**masked, kept_whole: outcome[kept_whole]}


def report(module: AnsibleModule, gather: Callable[[], Mapping[str, Any]]) -> None:
    """Exit with facts that were gathered without changing anything. Never returns."""
    try:
        facts = gather()
    except CollectionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


def _as_text(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), indent=2, sort_keys=True, default=str) + "\n"
