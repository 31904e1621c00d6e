# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a gateway in Prometheus' text exposition format.

Each metric is described once, and each of its series occurs once: what has the same labels is added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.status import UNNAMED

PREFIX = "privatespace_openvpn_"
DAY_SECONDS = 86400
GAUGE, COUNTER = "gauge", "counter"
Labels = tuple[tuple[str, str], ...]


@dataclass
class Metric:
    """One metric with its series.

    :param name: Without the prefix.
    :param series: Values by their labels.
    """

    name: str
    kind: str
    meaning: str
    series: dict[Labels, float] = field(default_factory=dict)

    def add(self, value: float, **labels: str) -> None:
        """Add a value to the series with these labels."""
        key = tuple(labels.items())
        self.series[key] = self.series.get(key, 0) + value

    def lines(self) -> Iterator[str]:
        """Description and samples; nothing for a metric without a series."""
        if not self.series:
            return
        name = PREFIX + self.name
        yield f"# HELP {name} {_escape(self.meaning)}"
        yield f"# TYPE {name} {self.kind}"
        for labels, value in self.series.items():
            shown = ",".join(f'{key}="{_escape_label(text)}"' for key, text in labels)
            yield f"{name}{{{shown}}} {_number(value)}" if shown else f"{name} {_number(value)}"


def render_metrics(state: Mapping[str, Any] | None, *, now: float) -> str:
    """The whole file.

    :param state: The return values of ``openvpn_session_info``, or ``None`` where they could not be had.
    :param now: Seconds since 1970-01-01 UTC.
    """
    metrics = _scrape(state, now=now)
    if state is not None:
        metrics += [*_listeners(state), *_sessions(state), *_users(state), *_certificates(state), _foreign(state)]
        metrics += [*_name(state.get("announcement")), *_web(state.get("web_certificate"), now=now)]
        metrics += _following(state, now=now)
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _scrape(state: Mapping[str, Any] | None, *, now: float) -> list[Metric]:
    success = Metric("scrape_success", GAUGE, "Whether every listener of this gateway answered, or was down.")
    complete = state is not None and all(one["state"] != "silent" for one in state["listeners"])
    success.add(int(complete))
    moment = Metric("scrape_timestamp_seconds", GAUGE, "When this file was written.")
    moment.add(now)
    return [success, moment]


def _listeners(state: Mapping[str, Any]) -> list[Metric]:
    up = Metric("listener_up", GAUGE, "Whether the listener answers on its management socket.")
    started = Metric("listener_start_time_seconds", GAUGE, "When the process of the listener was started.")
    stale = Metric("listener_stale", GAUGE, "Whether the configuration is newer than the process that runs.")
    problems = Metric("listener_problems", GAUGE, "How many things are wrong with the listener.")
    received = Metric("listener_received_bytes_total", COUNTER, "Bytes from all clients since the process was started.")
    sent = Metric("listener_sent_bytes_total", COUNTER, "Bytes to all clients since the process was started.")
    offload = Metric("listener_dco_active", GAUGE, "Whether the kernel carries the data (data channel offload).")
    information = Metric("listener_info", GAUGE, "The version that runs and the state of data channel offload.")
    for one in state["listeners"]:
        name = one["name"]
        up.add(int(one["state"] == "answered"), listener=name)
        stale.add(int(one["stale"]), listener=name)
        problems.add(len(one["problems"]), listener=name)
        if one["started_at"] is not None:
            started.add(one["started_at"], listener=name)
        if one["state"] == "answered":
            received.add(one["bytes_received"], listener=name)
            sent.add(one["bytes_sent"], listener=name)
            offload.add(int(one["dco"] == "active"), listener=name)
            information.add(1, listener=name, version=one["version"], dco=one["dco"])
    return [up, started, stale, problems, received, sent, offload, information]


def _sessions(state: Mapping[str, Any]) -> list[Metric]:
    count = Metric("sessions", GAUGE, "Clients with an address in the tunnel.")
    pending = Metric("handshakes", GAUGE, "Clients that have no address in the tunnel yet.")
    for one in state["listeners"]:
        if one["state"] == "answered":
            count.add(0, listener=one["name"])
            pending.add(0, listener=one["name"])
    for one in state["sessions"]:
        established = bool(one["virtual_address"] or one["virtual_address6"])
        (count if established else pending).add(1, listener=one["listener"])
    return [count, pending]


def _users(state: Mapping[str, Any]) -> list[Metric]:
    received = Metric("user_received_bytes_total", COUNTER, "Bytes from a device since its sessions began.")
    sent = Metric("user_sent_bytes_total", COUNTER, "Bytes to a device since its sessions began.")
    since = Metric("user_connected_since_seconds", GAUGE, "When the oldest session of a device began.")
    first: dict[tuple[str, str], int] = {}
    for one in state["sessions"]:
        if one["common_name"] == UNNAMED:
            continue
        key = (one["listener"], one["common_name"])
        received.add(one["bytes_received"], listener=key[0], common_name=key[1])
        sent.add(one["bytes_sent"], listener=key[0], common_name=key[1])
        first[key] = min(first.get(key, one["connected_since"]), one["connected_since"])
    for (listener, name), moment in first.items():
        since.add(moment, listener=listener, common_name=name)
    return [received, sent, since]


def _certificates(state: Mapping[str, Any]) -> list[Metric]:
    valid = Metric("crl_valid", GAUGE, "Whether there is a verified CRL of every authority.")
    number = Metric("crl_number", GAUGE, "The number of the CRL in place.")
    this_update = Metric("crl_this_update_timestamp_seconds", GAUGE, "When the CRL in place was signed.")
    next_update = Metric("crl_next_update_timestamp_seconds", GAUGE, "When it expires and nobody can connect any more.")
    valid.add(int(bool(state.get("crl"))))
    # A CRL of an authority that is renewed bears the same name: the one that ends first counts.
    issuers = {
        one["issuer"]: one for one in sorted((state.get("crl") or {}).get("issuers", ()), key=_end, reverse=True)
    }
    for issuer, one in issuers.items():
        number.add(one["number"], issuer=issuer)
        this_update.add(one["this_update"], issuer=issuer)
        next_update.add(one["next_update"], issuer=issuer)
    expiry = Metric("certificate_expiry_timestamp_seconds", GAUGE, "When the certificate of this gateway expires.")
    if state.get("certificate_not_after") is not None:
        expiry.add(state["certificate_not_after"])
    return [valid, number, this_update, next_update, expiry]


def _end(crl: Mapping[str, Any]) -> int:
    return int(crl["next_update"])


def _foreign(state: Mapping[str, Any]) -> Metric:
    foreign = Metric("foreign_configs", GAUGE, "Configurations that OpenVPN would read and that nobody manages.")
    foreign.add(len(state.get("foreign_configs", ())))
    return foreign


def _name(announcement: Mapping[str, Any] | None) -> list[Metric]:
    right = Metric("dns_name_right", GAUGE, "Whether the gateway's name had the gateway's addresses at the last look.")
    checked = Metric("dns_name_checked_timestamp_seconds", GAUGE, "When the gateway last looked at its name.")
    if announcement:
        right.add(int(not announcement.get("problem")), name=announcement["name"])
        checked.add(announcement["checked_at"], name=announcement["name"])
    return [right, checked]


def _web(certificate: Mapping[str, Any] | None, *, now: float) -> list[Metric]:
    right = Metric("https_certificate_right", GAUGE, "Whether the certificate for browsers is as it should be.")
    checked = Metric("https_certificate_checked_timestamp_seconds", GAUGE, "When the gateway last looked at it.")
    expiry = Metric("https_certificate_expiry_timestamp_seconds", GAUGE, "When the certificate for browsers expires.")
    left = Metric("https_certificate_days_left", GAUGE, "How many days it is good for.")
    retry = Metric("https_certificate_retry_timestamp_seconds", GAUGE, "When the gateway tries again after a failure.")
    if certificate:
        is_good = bool(certificate["fingerprint"]) and certificate["not_after"] > now
        right.add(int(is_good and not certificate["problem"]))
        checked.add(certificate["checked_at"])
        if certificate["fingerprint"]:
            expiry.add(certificate["not_after"])
            left.add(certificate["days_left"])
        if certificate["retry_at"]:
            retry.add(certificate["retry_at"])
    return [right, checked, expiry, left, retry]


def _following(state: Mapping[str, Any], *, now: float) -> list[Metric]:
    """How well the gateway follows the CRL; an alarm on its age needs no other metric."""
    left = Metric("crl_days_left", GAUGE, "How many days the CRL in place is good for.")
    right = Metric("crl_agent_right", GAUGE, "Whether the gateway follows the CRL of its authority as it should.")
    checked = Metric("crl_agent_checked_timestamp_seconds", GAUGE, "When the gateway last looked for a CRL.")
    answered = Metric("crl_agent_answered_timestamp_seconds", GAUGE, "When it last found a good one published.")
    since = Metric("crl_agent_problem_since_seconds", GAUGE, "Since when something has been wrong with that.")
    ends = [_end(one) for one in (state.get("crl") or {}).get("issuers", ())]
    if ends:
        left.add(round((min(ends) - now) / DAY_SECONDS, 2))
    revocation = state.get("revocation") or {}
    agent = revocation.get("agent")
    if not agent and revocation.get("agent_wanted"):
        # It has never run.
        right.add(0)
        checked.add(0)
    if agent:
        right.add(int(not agent["problem"]))
        checked.add(agent["checked_at"])
        answered.add(agent["answered_at"])
        if agent["problem"]:
            since.add(agent["problem_since"])
    return [left, right, checked, answered, since]


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape_label(text: str) -> str:
    return _escape(text).replace('"', '\\"')
