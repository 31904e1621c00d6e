# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: a clock that is wrong, and things that end.

A wrong clock makes good certificates look expired or not yet valid. So a thing counts as expired only where it is by
the gateway's clock and by the right time, and the clock is named alone otherwise. A clock that nobody keeps right
and that is right now is no finding. Of a probe and a gateway whose clocks differ, the gateway's is believed
where its time source says so.

Silences: tunnels that do not connect.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis import wording
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import (
    CERTAIN,
    CLOCK_SKEW,
    EXPIRY,
    FAULT,
    HINT,
    LIKELY,
    Evidence,
    Finding,
    Remedy,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Expiry,
    Gateway,
    Observations,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import LogCount
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.verdict_context import (
    Found,
    known,
    logs_of,
)

SKEWED, NOTICEABLE = 10.0, 2.0
_DAY = 86400.0
_CERTIFICATE_WARNING, _CRL_WARNING = 14 * _DAY, 7 * _DAY
# Certificates are renewed when a third of their life is left: what has a quarter left was forgotten.
_LIFE_SHARE = 1 / 4
_COMMANDS = {
    "gateway certificate": "ansible-playbook privatespace.gateway.renewal",
    "CRL": "ansible-playbook privatespace.gateway.crl_refresh",
    "CA certificate": "ansible-playbook privatespace.gateway.ca_rollover",
    "web certificate": "ansible-playbook privatespace.gateway.acme_renew",
}


def find_clock_skew(observations: Observations, _found: Found) -> Iterator[Finding]:
    """A clock that is wrong: the gateway's, or a probe's."""
    gateway = observations.gateway
    offset = gateway.clock.offset
    trusted = offset is not None and abs(offset) < NOTICEABLE
    if offset is not None and not trusted:
        source = gateway.clock.source or "its time source"
        text = f"The gateway's clock is {wording.duration(abs(offset))} {_way(offset)} {source}."
        weight = FAULT if abs(offset) >= SKEWED else HINT
        certainty = CERTAIN if abs(offset) >= SKEWED else LIKELY
        yield _skew(observations, (weight, certainty), Evidence(text, source), offset=offset)
        return
    for path in observations.paths:
        if path.clock_offset is not None and abs(path.clock_offset) >= SKEWED:
            away = path.clock_offset
            text = f"The clock of '{path.probe}' is {wording.duration(abs(away))} {_way(away)} the gateway's."
            weight = HINT if trusted else FAULT
            yield _skew(observations, (weight, LIKELY), Evidence(text, "probe"), offset=-away, probe=path.probe)


def _way(offset: float) -> str:
    return "ahead of" if offset > 0 else "behind"


def _skew(
    observations: Observations, sure: tuple[str, str], evidence: Evidence, *, offset: float, probe: str = ""
) -> Finding:
    who = f"'{probe}' and the gateway" if probe else "the gateway"
    title = f"The clocks of {who} differ by" if probe else "The gateway's clock is wrong by"
    return Finding(
        cause=CLOCK_SKEW,
        weight=sure[0],
        certainty=sure[1],
        title=f"{title} {wording.duration(abs(offset))}",
        explanation=(
            "Certificates and revocation lists have dates. A wrong clock refuses good ones, or everybody; one-time"
            " passwords fail from half a minute on."
        ),
        evidence=(evidence,),
        remedies=(
            Remedy(
                f"Have the clock of {who} kept right, on the host itself: a time server it reaches on UDP port 123.",
                command="timedatectl set-ntp true",
            ),
        ),
        gateway=observations.gateway.name,
        probe=probe,
        figures=(("offset_seconds", offset),),
    )


def find_expiry(observations: Observations, found: Found) -> Iterator[Finding]:
    """Certificates and CRLs that have ended, will soon, or have not begun."""
    nows = _nows(observations)
    for one in observations.gateway.expiries:
        yield from _judge(observations, one, nows)
    if known(found, CLOCK_SKEW, faults_only=True):
        # By that clock, good ones look expired, too.
        return
    if not any(one.what == "CRL" and one.not_after <= min(nows) for one in observations.gateway.expiries):
        yield from _from_log(observations, "crl_expired", FAULT)
    yield from _from_log(observations, "certificate_expired", HINT)


def _nows(observations: Observations) -> tuple[float, float]:
    """The time by the gateway's clock, and the right one; ``now`` may be either."""
    offset = observations.gateway.clock.offset or 0.0
    moments = (observations.now, observations.now - offset)
    return min(moments), max(moments)


def _judge(observations: Observations, one: Expiry, nows: tuple[float, float]) -> Iterator[Finding]:
    left = one.not_after - nows[0]
    if left <= 0:
        harmless = one.what == "CRL" and _has_no_date(observations.gateway)
        yield _ending(observations, one, HINT if harmless else FAULT, f"expired {wording.duration(-left)} ago")
    elif one.not_after - nows[1] > 0 and left <= _warning(one):
        yield _ending(observations, one, HINT, f"expires in {wording.duration(left)}")
    elif one.not_before is not None and one.not_before > nows[1]:
        ahead = wording.duration(one.not_before - nows[1])
        yield _ending(observations, one, FAULT, f"is valid only in {ahead}")


def _warning(one: Expiry) -> float:
    usual = _CRL_WARNING if one.what == "CRL" else _CERTIFICATE_WARNING
    if one.not_before is None:
        return usual
    return min(usual, max(0.0, one.not_after - one.not_before) * _LIFE_SHARE)


def _has_no_date(gateway: Gateway) -> bool:
    """Whether all listeners look for serial numbers in a folder, which does not expire."""
    options = [one.options.get("crl-verify", "") for one in gateway.listeners]
    return bool(options) and all(one.endswith(" dir") for one in options)


def _ending(observations: Observations, one: Expiry, weight: str, words: str) -> Finding:
    everybody = {
        "CRL": "With an expired CRL nobody can connect any more.",
        "web certificate": "Browsers warn of the gateway's pages.",
    }.get(one.what, "With an expired certificate nobody can connect any more.")
    command = _COMMANDS.get(one.what, "")
    return Finding(
        cause=EXPIRY,
        weight=weight,
        certainty=CERTAIN,
        title=f"The {one.what} {words}",
        explanation=f"{everybody} It should have been renewed by itself, long before: look why it was not.",
        evidence=(Evidence(f"{one.path}: the {one.what} {words}.", one.path),),
        remedies=(Remedy("Renew it, from the controller.", command=command),) if command else (),
        gateway=observations.gateway.name,
        figures=(("seconds_left", one.not_after - observations.now),),
    )


def _from_log(observations: Observations, kind: str, weight: str) -> Iterator[Finding]:
    lines = list(logs_of(observations, kind))
    if not lines:
        return
    what = "The CRL" if kind == "crl_expired" else "A client's certificate"
    command = _COMMANDS["CRL"] if kind == "crl_expired" else ""
    renew = "Sign and spread a new CRL, from the controller." if command else "Issue a new certificate for that device."
    yield Finding(
        cause=EXPIRY,
        weight=weight,
        certainty=CERTAIN,
        title=f"{what} has expired, by the log",
        explanation="Whoever it concerns cannot connect.",
        evidence=tuple(_logged(one) for one in lines),
        remedies=(Remedy(renew, command=command),),
        gateway=observations.gateway.name,
    )


def _logged(one: LogCount) -> Evidence:
    who = f" (clients: {wording.listed(one.clients)})" if one.clients else ""
    return Evidence(f"'{one.where}' said so {one.count} times{who}.", "journal", (one.example,) if one.example else ())
