"""What a report says: its document, its headline, its text for a terminal, and that texts of others stay texts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from unit.diagnosis.made_up import DCO, EXPIRING, LIMITED, NOW, UNKNOWN, make_gateway, make_observations, make_path

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import Evidence, Finding, Remedy
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Tunnel
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import from_plain
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report, sort_findings
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report_words import (
    bytes_text,
    harmless,
    range_text,
    rate_text,
    share_text,
    time_text,
    variable_line,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.text_report import COLUMNS, render_text

NAME = "cambridge2"


def one(*findings: Finding, observations: Observations | None = None) -> dict[str, object]:
    """The part of a report on one gateway."""
    report = build_report({NAME: observations or make_observations()}, {NAME: findings}, [], NOW)
    found: dict[str, object] = report["gateways"][0]
    return found


def text_of(*findings: Finding, observations: Observations | None = None) -> str:
    report = build_report({NAME: observations or make_observations()}, {NAME: findings}, [], NOW)
    return "\n".join(render_text(report))


def test_the_document_has_these_parts_and_is_plain_json() -> None:
    """Programs of others read it: a change here needs another version number."""
    report = build_report({NAME: make_observations()}, {NAME: [LIMITED]}, [], NOW)
    assert (report["schema"], report["version"]) == ("privatespace.gateway.diagnosis", 1)
    assert sorted(report) == ["gateways", "headlines", "made", "schema", "version"]
    gateway = report["gateways"][0]
    assert sorted(gateway) == [
        *("changes", "comparisons", "findings", "headline", "name", "numbers", "observations", "scope", "status"),
    ]
    assert sorted(gateway["numbers"]) == ["cpu", "latencies", "rates"]
    assert sorted(gateway["numbers"]["rates"][0]) == [
        *("ceiling", "direction", "high", "lost", "lost_low", "low", "median", "of_direct", "place", "port", "probe"),
        *("protocol", "rates", "retransmits"),
    ]
    assert sorted(gateway["numbers"]["latencies"][0]) == [
        *("loaded", "lost", "lowest", "median", "peak", "place", "probe", "sent"),
    ]
    assert sorted(gateway["numbers"]["cpu"][0]) == ["listener", "mean", "peak", "steal", "throttled", "waiting"]
    again = json.loads(json.dumps(report))
    assert again == report
    assert from_plain(Observations, again["gateways"][0]["observations"]) == make_observations()


@pytest.mark.parametrize(
    ("findings", "status", "words"),
    [
        ((), "ok", "Nothing was found that limits it."),
        ((DCO,), "hint", "Nothing was found that limits it. 1 thing could be better or needs care."),
        ((DCO, EXPIRING), "hint", "2 things could be better or need care."),
        ((DCO, UNKNOWN), "unknown", "but not everything could be told. Whether DNS leaks could not be told."),
        ((DCO, LIMITED, UNKNOWN), "fault", "UDP is limited to about 9.8 Mbit/s on the way to the probe."),
        ((LIMITED, replace(LIMITED, cause="packet_loss")), "fault", "to the probe. And 1 more fault."),
    ],
)
def test_the_headline_says_the_most_important(findings: tuple[Finding, ...], status: str, words: str) -> None:
    part = one(*findings)
    assert part["status"] == status
    assert str(part["headline"]).endswith(words)


def test_findings_are_sorted_by_weight_then_certainty_then_cause() -> None:
    likely = replace(LIMITED, certainty="likely", cause="udp_blocked")
    reordered = replace(LIMITED, cause="reordering")
    assert sort_findings([UNKNOWN, DCO, likely, EXPIRING, reordered, LIMITED]) == [
        *(LIMITED, reordered, likely, EXPIRING, DCO, UNKNOWN),
    ]


def test_rates_are_medians_of_what_was_sent_as_fast_as_it_goes() -> None:
    rates = one(observations=make_observations(policed=9.8))["numbers"]["rates"]  # type: ignore[index]
    found = {(rate["place"], rate["protocol"], rate["direction"]): rate for rate in rates}
    assert len(rates) == 8
    udp = found["outside", "udp", "down"]
    assert len(udp["rates"]) == 5
    assert udp["median"] == pytest.approx(9.8e6, rel=0.03)
    assert udp["lost"] == pytest.approx(0.91, abs=0.01)
    assert udp["lost_low"] == 0.0
    assert udp["of_direct"] == pytest.approx(0.105, abs=0.01)
    assert found["outside", "tcp", "down"]["of_direct"] is None


def test_what_was_looked_at_and_what_was_not_is_said() -> None:
    path = make_path()
    broken = replace(path.segments[0], error="iperf3 was refused", intervals=())
    observations = Observations(
        replace(make_gateway(), unknown=("The journal could not be read",)),
        (replace(path, segments=(broken,), tunnels=(Tunnel("udp", 1194, connected=False, error="no answer"),)),),
        NOW,
    )
    assert one(observations=observations)["scope"] == [
        "alice measured the path to 203.0.113.20 for 58 s in 0 rounds, with 118 MB down and 52.1 MB up.",
        "alice sent at most 200 Mbit/s: what is faster was not looked for.",
        "alice: IPv6 was not measured: the probe has no IPv6 address.",
        "alice had no tunnel over UDP port 1194: no answer.",
        "alice: no figures for TCP without VPN, download: iperf3 was refused.",
        "The journal could not be read.",
    ]


def test_a_gateway_without_a_probe_is_judged_alone() -> None:
    part = one(observations=Observations(make_gateway(), (), NOW))
    assert part["scope"] == ["No probe measured a path to it: this is judged from the gateway alone."]
    assert part["headline"] == "Nothing was found that limits it."


def test_the_text_has_findings_first_and_lines_to_copy() -> None:
    text = text_of(EXPIRING, LIMITED)
    parts = (
        "cambridge2: UDP is limited to about 9.8 Mbit/s on the way to the probe.",
        "  [Fault, certain] UDP is limited to about 9.8 Mbit/s on the way to the probe (alice, download)",
        '\n        openvpn_profile_transports: ["tcp", "udp"]\n',
        "\n        $ ansible-playbook privatespace.gateway.diagnose -e diagnosis_udp_port=443\n",
        "  [Hint, certain] The certificate",
        "TCP through VPN over TCP",
        "What was looked at",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_the_text_is_at_most_100_columns_wide() -> None:
    long = "word " * 60
    finding = Finding(
        *("cpu_bound", "fault", "likely", long, long, (Evidence(long, "proc", (long,)),), (Remedy(long),)),
        probe=long,
    )
    lines = text_of(finding).splitlines()
    assert len(lines) > 30
    assert max(len(line) for line in lines) <= COLUMNS


HOSTILE = "\x1b[2J\x07</pre><script>alert(1)</script>\u202e$\\frac{1}{0}$ & \" ' \x00 \ud800\n  openvpn_port: 1"


def test_nothing_in_a_name_or_a_line_of_a_log_moves_the_cursor_or_looks_like_another_line() -> None:
    finding = Finding(
        *("udp_blocked", "fault", "likely", HOSTILE, HOSTILE, (Evidence(HOSTILE, HOSTILE, (HOSTILE,)),)),
        remedies=(Remedy(HOSTILE, "openvpn_x", HOSTILE, HOSTILE),),
        probe=HOSTILE,
    )
    path = replace(make_path(probe=HOSTILE), address=HOSTILE, unmeasured=(HOSTILE,))
    gateway = replace(make_gateway(HOSTILE), unknown=(HOSTILE,))
    report = build_report({NAME: Observations(gateway, (path,), NOW)}, {NAME: [finding]}, [], NOW)
    lines = render_text(report)
    assert all(character.isprintable() for line in lines for character in line)
    assert not [line for line in lines if line.startswith("        openvpn_port")], "as lines to copy do"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rate_text(0), "0 bit/s"),
        (rate_text(999.6), "1000 bit/s"),
        (rate_text(94_120_000), "94.1 Mbit/s"),
        (rate_text(2.5e9), "2.5 Gbit/s"),
        (range_text(81.7e6, 83.6e6), "81.7 to 83.6 Mbit/s"),
        (range_text(9e5, 1.2e6), "900 kbit/s to 1.2 Mbit/s"),
        (time_text(0.0123), "12.3 ms"),
        (time_text(2.5), "2.5 s"),
        (share_text(0.0), "0 %"),
        (share_text(0.0004), "< 0.1 %"),
        (share_text(0.0833), "8.3 %"),
        (share_text(0.5), "50 %"),
        (bytes_text(12), "12 bytes"),
        (bytes_text(200_000_000), "200 MB"),
        (harmless("a\x1b\u202e\tb"), "a\\x1b\\u202e\tb"),
        (variable_line("a", "no"), 'a: "no"'),
        (variable_line("a", {"b": [1, None]}), 'a: {"b": [1, null]}'),
        (variable_line("a", "x\n- y: 1"), 'a: "x\\n- y: 1"'),
    ],
)
def test_figures_are_short_and_have_their_unit(text: str, expected: str) -> None:
    assert text == expected
