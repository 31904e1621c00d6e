# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal or a lockdown would do, as far as all who would have to do it could be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.removal_report import Answers, why_unheard


def build_check(
    gateways: Answers, *, denials: Answers | None = None, orders: Mapping[str, Any] | None = None, authority: str = ""
) -> dict[str, Any]:
    """Bring together what was answered in check mode.

    :param gateways: Per gateway what it answered; an empty mapping for one that was never asked.
    :param denials: Likewise, to the question before that about names.
    :param orders: From :class:`~.removal_orders.Orders`, in plain types; ``None`` where the authority has no part.
    :returns: ``cut``, the common names whose sessions would end; ``silent``, a line for each host that could not tell;
        ``failure``, empty where all could.
    """
    early, is_signed = denials or {}, orders is None or bool(orders["is_signed"])
    cut = {str(one["common_name"]) for answers in (early, gateways) for one in _sessions(answers)}
    silent = {} if is_signed else {authority: str((orders or {})["problem"]) or "it did not say why it would not sign"}
    for name in sorted(gateways):
        # With a CRL the second answer counts alone, since that is the proof.
        said = [] if is_signed else [answer for answer in (early.get(name, {}), gateways[name]) if answer]
        reasons = (why_unheard(answer) for answer in said or [gateways[name]])
        silent[name] = next((reason for reason in reasons if reason), "")
    lines = [f"NO ANSWER from {name}: {reason}" for name, reason in silent.items() if reason]
    names = ", ".join(name for name, reason in silent.items() if reason)
    return {
        "cut": sorted(cut),
        "silent": lines,
        "failure": f"Not known what would become of it on {names}, without an answer." if lines else "",
    }


def _sessions(answers: Answers) -> list[Mapping[str, Any]]:
    return [one for answer in answers.values() for one in answer.get("sessions_cut") or ()]
