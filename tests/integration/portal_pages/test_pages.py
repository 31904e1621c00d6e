"""The pages in a real browser: what they say, to whom they can be of use, and what they load."""

from __future__ import annotations

import hashlib
import ssl
import time
from pathlib import Path

import pytest
from integration.portal_pages.conftest import COMPANY
from integration.portal_pages.site import CRL, HEADERS, Site
from integration.portal_pages.walk import PHONE, PHONE_AGENT, Open, Walker, wait_until

WORDS = {"ok": "Working", "warning": "Partly working", "problem": "Not working", "unknown": "Not known"}
WINDOWS = [(1280, 900), (390, 844), PHONE]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_nobody_is_kept_out_and_nothing_is_cut_off(
    site: Site, walker: Open, window: tuple[int, int], scheme: str, tmp_path: Path
) -> None:
    """Contrast, names of buttons and fields, headings, landmarks, language, by axe; and pictures to be looked at."""
    person = walker(window)
    person.prefer(scheme)

    def look(name: str) -> None:
        person.browser.screenshot(tmp_path / f"{name}-{window[0]}-{scheme}.png")
        assert person.find_barriers() == []
        assert person.run("return document.documentElement.scrollWidth") <= window[0], name

    for status in ("ok", "warning", "problem"):
        site.write_status(status)
        person.open(f"{site.url}/")
        person.wait_for_text("[data-word]", WORDS[status])
        look(f"home-{status}")
    site.write_status("ok")
    person.open(f"{site.url}/connect")
    person.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    look("connect")
    person.open(f"{site.url}/nothing-of-the-kind")
    assert "There is no such page" in person.text
    look("404")
    person.open(site.link(device=f"look-{window[0]}-{scheme}"))
    person.wait_for_state("offer")
    look("link-offer")
    person.part("button").click()
    person.wait_for_state("done")
    wait_until(lambda: person.part("erased").is_displayed())
    look("link-done")
    person.open(f"{site.url}/link#{'A' * 43}")
    person.wait_for_state("unknown")
    look("link-unknown")


def test_the_colours_follow_the_system(site: Site, walker: Open) -> None:
    person = walker()
    seen = []
    for scheme in ("light", "dark"):
        person.prefer(scheme)
        person.open(f"{site.url}/")
        seen.append(person.run("return getComputedStyle(document.body).backgroundColor"))
    assert seen == ["rgb(245, 247, 250)", "rgb(18, 21, 27)"]


@pytest.mark.parametrize("page", ["/", "/connect", "/link", "/nothing"])
def test_a_name_with_everything_that_means_something_in_html_is_harmless(site: Site, walker: Open, page: str) -> None:
    person = walker()
    person.open(site.url + page)
    assert person.find(".brand").text.splitlines()[0] == COMPANY
    assert COMPANY in person.browser.driver.title
    assert person.run("return document.querySelectorAll('main ltd, header ltd, ltd').length") == 0
    assert "&amp;" not in person.text


def test_the_light_is_what_the_gateway_says_while_that_is_fresh(site: Site, walker: Open) -> None:
    person = walker()
    for status, word in WORDS.items():
        site.write_status(status)
        person.open(f"{site.url}/")
        person.wait_for_text("[data-word]", word)
    site.write_status("ok", checked_at=time.time() - 3600)
    person.open(f"{site.url}/")
    person.wait_for_text("[data-word]", "Not known")
    (site.folder / "web/status/status.json").write_text("{")
    person.open(f"{site.url}/")
    person.wait_for_text("[data-word]", "Not known")
    (site.folder / "web/status/status.json").unlink()
    person.open(f"{site.url}/")
    person.wait_for_text("[data-word]", "Not known")
    assert not person.find("[data-crl]").is_displayed()
    site.write_status("ok")


def test_both_files_can_be_downloaded_and_the_fingerprint_is_that_of_the_certificate(site: Site, walker: Open) -> None:
    person = walker()
    person.open(f"{site.url}/")
    certificate = ssl.PEM_cert_to_DER_cert(site.root)
    digest = hashlib.sha256(certificate).hexdigest().upper()
    assert person.find("dd.mono").text.replace(":", "") == digest
    person.wait_for_text("[data-crl-number]", "42")
    person.find('a[href="/ca.crt"]').click()
    assert person.browser.wait_for_download("ca.crt").read_text() == site.root
    person.find('a[href="/crl.pem"]').click()
    assert person.browser.wait_for_download("crl.pem").read_text() == CRL


def test_the_steps_for_the_device_at_hand_are_open(site: Site, walker: Open) -> None:
    phone = walker(PHONE, PHONE_AGENT)
    phone.open(f"{site.url}/connect")
    assert phone.find("details[open] summary").text.splitlines() == ["Android", "this device"]
    assert "authenticator app" in phone.find("details[open]").text, "the gateway asks for a second factor"
    phone.find('.pills a[href="#ios"]').click()
    wait_until(lambda: phone.find("#ios").get_attribute("open") is not None)
    phone.open("about:blank")
    phone.open(f"{site.url}/connect#windows")
    assert phone.find("#windows").get_attribute("open") is not None


def test_without_javascript_all_steps_are_there_and_the_state_is_told_elsewhere(site: Site, walker: Open) -> None:
    person = walker()
    person.browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    person.open(f"{site.url}/connect")
    for words in (
        "double-click",
        "Drag",
        "nmcli" if "nmcli" in person.text else "NetworkManager",
        "Google Play",
        "App Store",
    ):
        assert words in person.text
    person.open(f"{site.url}/")
    assert "status.json" in person.text


def test_the_keyboard_is_enough(site: Site, walker: Open) -> None:
    person = walker()
    person.open(f"{site.url}/connect")
    active = person.browser.driver.switch_to
    press(person, "Tab")
    assert active.active_element.text == "Skip to the content"
    assert person.run("return arguments[0].getBoundingClientRect().top", active.active_element) >= 0
    press(person, "Enter")
    assert person.run("return document.activeElement.id") == "content"
    press(person, "Tab")
    assert person.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def press(person: Walker, key: str) -> None:
    codes = {"Tab": 9, "Enter": 13}
    for kind in ("keyDown", "keyUp"):
        event = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if (key, kind) == ("Enter", "keyDown") else {}
        person.browser.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {**event, **text})


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/link", "text/html"),
        ("/nothing", "text/html"),
        ("/assets/link.js", "javascript"),
        ("/assets/logo.svg", "image/svg+xml"),
        ("/ca.crt", "application/octet-stream"),
        ("/crl.pem", "application/octet-stream"),
        ("/status.json", "application/json"),
    ],
)
def test_everything_has_its_type_the_headers_and_is_looked_at_again(site: Site, path: str, kind: str) -> None:
    told = site.curl(site.url + path, "--include", "--output", "-").partition("\r\n\r\n")[0].lower()
    assert kind in told
    assert "cache-control: no-cache" in told or path == "/nothing"
    for name, value in HEADERS.items():
        assert f"{name}: {value}".lower() in told


def test_pages_have_nothing_inline_and_lead_nowhere_without_being_asked(site: Site) -> None:
    for page in sorted((site.folder / "web/pages").glob("*.html")):
        text = page.read_text()
        for forbidden in ("<style", " style=", " onclick=", "javascript:", "http://", "{{", "{%"):
            assert forbidden not in text, page.name
        assert text.count("<script") == text.count('<script type="module" src="/assets/')
        assert text.startswith('<!doctype html>\n<html lang="en">')
