# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong leaves the old certificate in service, is told, and costs the CA nothing where it was foreseen."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from integration.acme.servers import NAME, Gateway
from integration.dns.name_server import ZONE

from ansible_collections.privatespace.gateway.plugins.module_utils._acme import questions
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import parse_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._agent import acme_checks

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def held(gateway: Gateway, capsys: Captured) -> Gateway:
    """A gateway that has a certificate."""
    assert gateway.run() == 0
    capsys.readouterr()
    return gateway


def still_served(gateway: Gateway, serial: str) -> bool:
    return gateway.web.served(serial) is not None and gateway.state["serial"] == serial


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (["192.0.2.66"], "leads to 192.0.2.66"),
        (["127.0.0.1", "2001:db8::66"], "leads to 2001:db8::66"),
        ([], "has no address"),
    ],
)
def test_a_name_that_leads_elsewhere_costs_the_ca_nothing(
    held: Gateway, records: list[str], words: str, capsys: Captured
) -> None:
    before, asked = held.state, held.authority.log
    held.zones.have("ely", *records)
    assert held.run("--renew") == 1
    assert words in held.state["problem"]
    assert held.authority.log == asked
    assert still_served(held, before["serial"])
    assert held.state["failures"] == 1
    assert held.state["retry_at"] > time.time()
    assert words in capsys.readouterr().err

    # By itself it waits, and says nothing twice.
    assert held.run() == 1
    assert (held.state["failures"], capsys.readouterr().err) == (1, "")
    held.zones.have("ely", "127.0.0.1", "::1")
    assert held.run("--now") == 0
    assert (held.state["problem"], held.state["failures"], held.state["retry_at"]) == ("", 0, 0)
    assert "as it should be again" in capsys.readouterr().err


def test_another_web_server_behind_the_name_is_found_by_the_probe(
    held: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = held.authority.log
    # A name server waits for the rest of what it takes for a question.
    monkeypatch.setattr(acme_checks, "PROBE_SECONDS", 2.0)
    held.write(http_port=held.zones.port)
    # Nothing is due: it is told, and is no failure.
    assert held.run() == 0
    assert "cannot be reached at 127.0.0.1" in held.state["notes"][0]
    assert held.run("--renew") == 1
    assert "cannot be reached at 127.0.0.1" in held.state["problem"]
    held.write(http_port=held.web.port, places={**held.settings["places"], "webroot": str(held.folder / "elsewhere")})
    assert held.run("--renew") == 1
    assert "somebody else's web server" in held.state["problem"]
    assert held.authority.log == asked
    assert list((held.folder / "elsewhere/.well-known/acme-challenge").iterdir()) == []


def test_caa_is_read_before_the_ca_is_asked(gateway: Gateway, capsys: Captured) -> None:
    asked = gateway.authority.log
    try:
        gateway.zones.set_caa(ZONE, '0 issue "other.example"')
        assert gateway.run() == 1
        assert 'CAA 0 issue "pebble.example"' in gateway.state["problem"]
        assert gateway.authority.log == asked
        gateway.zones.set_caa(ZONE, '0 issue "other.example"', '0 issue "pebble.example; validationmethods=dns-01"')
        assert gateway.run("--now") == 1
        assert "does not allow validation by http-01" in gateway.state["problem"]
        # That of the name itself is the closest.
        gateway.zones.set_caa(NAME, '0 issue "pebble.example"')
        assert gateway.run("--now") == 0
        assert gateway.state["notes"] == []
    finally:
        gateway.zones.set_caa(ZONE)
        gateway.zones.set_caa(NAME)
    assert gateway.run() == 0
    assert gateway.state["notes"] == [
        f'{NAME} has no CAA record, so any CA may sign for it. Add: {ZONE}. CAA 0 issue "pebble.example"'
    ]


def test_a_ca_that_is_busy_is_asked_again_when_it_said(held: Gateway) -> None:
    before = held.state
    held.authority.front.become("limited")
    assert held.run("--renew") == 1
    state = held.state
    assert "too many" in state["problem"]
    assert state["ca_said"] is True
    assert 7000 < state["retry_at"] - time.time() <= 7200
    assert still_served(held, before["serial"])
    held.authority.front.reset()
    # Not even a person makes it ask earlier.
    assert held.run("--now") == 1
    assert held.state["checked_at"] == state["checked_at"]


@pytest.mark.parametrize("mood", ["broken", "down"])
def test_a_ca_that_is_away_is_no_reason_to_lose_a_certificate(held: Gateway, mood: str) -> None:
    before = held.state
    if mood == "down":
        held.write(directory="https://127.0.0.1:1/dir")
    else:
        held.authority.front.become(mood)
    assert held.run() == 1
    assert held.state["problem"]
    assert still_served(held, before["serial"])
    assert held.state["not_after"] == before["not_after"]


def test_a_web_server_that_refuses_keeps_the_old_certificate(held: Gateway) -> None:
    before = held.state
    held.write(test_command=["false"])
    assert held.run("--renew") == 1
    assert "does not take the new certificate" in held.state["problem"]
    assert (held.web.folder / "tls/live").readlink().name == before["fingerprint"][:32]
    held.web.signal("reload")
    assert held.web.served(before["serial"]) is not None
    held.write(test_command=[])
    orders = held.authority.orders()
    assert held.run("--now") == 0
    assert held.state["serial"] != before["serial"]
    assert held.web.served(held.state["serial"]) is not None
    assert held.authority.orders() == orders


def test_what_a_crash_left_is_finished(held: Gateway) -> None:
    """The CA gave a certificate, and nobody came to tell the web server; or it was told and nobody noted it."""
    held.web.forget()
    orders = held.authority.orders()
    assert held.run() == 0
    assert held.web.served(held.state["serial"]) is not None
    state, reloads = held.state, held.web.reloads()
    (held.folder / "work/state.json").write_text(json.dumps({**state, "loaded": ""}))
    assert held.run() == 0
    deadline = time.monotonic() + 10
    while held.web.reloads() == reloads and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held.web.reloads() == reloads + 1
    assert held.authority.orders() == orders


def test_a_certificate_is_revoked_and_taken_out_of_service(held: Gateway, capsys: Captured) -> None:
    serial = held.state["serial"]
    assert held.run("--revoke", "--reason", "keycompromise") == 0
    assert held.web.served() is None
    assert held.authority.is_revoked(serial)
    assert held.state["revoked"] is True
    assert not list((held.folder / "config").rglob("privkey*.pem"))
    assert not list(held.web.folder.glob("tls/*"))
    # By itself it does nothing more; who installs it again gets another one.
    assert held.run() == 0
    assert held.web.served() is None
    assert held.run("--now") == 0
    assert held.web.served(held.state["serial"]) is not None
    assert held.state["serial"] not in ("", serial)


@pytest.mark.parametrize("mood", ["away", "web server"])
def test_what_is_to_be_revoked_is_never_served_again(held: Gateway, mood: str, capsys: Captured) -> None:
    """The CA is away, or nginx refuses: the key is gone, and the CA is asked as soon as it can be."""
    serial = held.state["serial"]
    if mood == "away":
        held.authority.front.become("broken")
    else:
        held.write(test_command=["false"])
    assert held.run("--revoke") == 1
    assert held.authority.is_revoked(serial) is (mood == "web server")
    assert ("Not revoked yet" if mood == "away" else "may still have") in held.state["problem"]
    assert not list((held.folder / "config").rglob("privkey*.pem"))
    held.authority.front.reset()
    held.write(test_command=[])
    assert held.run("--now") == 0
    assert held.authority.is_revoked(serial)
    assert held.state["serial"] not in ("", serial)
    assert held.web.served(held.state["serial"]) is not None
    assert not list((held.folder / "config/revoke").iterdir())


def test_one_ca_that_is_gone_keeps_no_other_from_revoking(held: Gateway) -> None:
    first = held.state["serial"]
    held.write(curve="secp384r1")
    assert held.run() == 0
    second = held.state["serial"]
    for path in (held.folder / "config/renewal").glob("*.conf"):
        if path.stem != parse_settings(held.settings).lineage:
            path.write_text(path.read_text().replace(held.authority.directory, "https://127.0.0.1:1/dir"))
    assert held.run("--revoke") == 1
    assert first in held.state["problem"]
    assert (held.authority.is_revoked(first), held.authority.is_revoked(second)) == (False, True)


def test_a_name_server_that_is_away_is_no_failure_where_nobody_looks(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "RESOLVER_SECONDS", 1.0)
    gateway.write(check_names=False, names=[NAME, "x.nowhere.invalid"])
    settings = parse_settings(gateway.settings)
    asking = questions.Questions(["127.0.0.1"], port=1)
    assert "cannot be found" in " ".join(acme_checks.Checks(settings, asking).run())
    with pytest.raises(acme_checks.NotReadyError, match="cannot be found"):
        acme_checks.Checks(replace(settings, check_names=True), asking).run()


def test_the_configuration_of_another_certbot_is_not_read(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    (gateway.folder / "letsencrypt").mkdir()
    (gateway.folder / "letsencrypt/cli.ini").write_text("domains = elsewhere.example\nnonsense = true\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(gateway.folder))
    assert gateway.run() == 0, gateway.state["problem"]
    assert gateway.state["names"] == [NAME]


def test_a_certificate_for_something_else_needs_no_web_server(gateway: Gateway) -> None:
    places = {**gateway.settings["places"], "site": str(gateway.folder / "none")}
    gateway.write(reload_command=["false"], test_command=["false"], places=places)
    assert gateway.run() == 0, gateway.state["problem"]
    assert (gateway.web.folder / "tls/live/privkey.pem").exists()


def test_a_file_system_that_refuses_is_told_and_costs_no_order(gateway: Gateway) -> None:
    gateway.write(places={**gateway.settings["places"], "log_folder": "/proc/nowhere"})
    orders = gateway.authority.orders()
    assert gateway.run() == 1
    assert gateway.state["failures"] == 1
    assert gateway.authority.orders() == orders


def test_dns_proves_the_name_with_the_key_of_the_gateway(gateway: Gateway) -> None:
    """The name leads elsewhere, which is nobody's business then; the TXT record is gone afterwards."""
    gateway.zones.have("ely", "192.0.2.66")
    gateway.write(
        challenge="dns-01", dns_provider="rfc2136", servers=["127.0.0.1"], port=gateway.zones.port,
        key_file=gateway.have_key(), propagation_seconds=1,
    )  # fmt: skip
    assert gateway.run() == 0, gateway.state["problem"]
    assert gateway.web.served(gateway.state["serial"]) is not None
    assert gateway.zones.ask("_acme-challenge.ely", "TXT") == []
    secret = gateway.zones.key_secrets[NAME]
    assert secret not in json.dumps(gateway.state)
    told = [path for path in gateway.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert sorted(path.name for path in told) == ["dns.key", "rfc2136.ini"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in told)
    # Proved another way, certbot needs it no more.
    gateway.zones.have("ely", "127.0.0.1", "::1")
    gateway.write(challenge="http-01")
    assert gateway.run() == 0
    assert not (gateway.folder / "config/rfc2136.ini").exists()


def test_a_key_for_external_accounts_is_on_no_command_line_and_in_no_log(gateway: Gateway) -> None:
    secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    gateway.write(eab_key_id="lab", eab_hmac_key=secret)
    assert gateway.run() == 0, gateway.state["problem"]
    told = [path for path in gateway.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert sorted(path.name for path in told) == ["acme.json", "cli.ini"]


def test_show_tells_everything_and_check_asks_no_ca(held: Gateway, capsys: Captured) -> None:
    asked = held.authority.log
    assert held.run("--show") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["names"] == [NAME]
    assert 89 < shown["days_left"] <= 90
    assert held.run("--check") == 0
    assert "The CA can be asked." in capsys.readouterr().out
    held.zones.have("ely", "192.0.2.66")
    assert held.run("--check") == 1
    assert "leads to 192.0.2.66" in capsys.readouterr().out
    assert held.authority.log == asked
    assert (held.folder / "work/state.json").stat().st_mode & 0o777 == 0o644
