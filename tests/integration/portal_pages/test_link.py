"""A one-time link in a real browser, from the message to the file."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from integration.portal_pages.site import NAME, Site
from integration.portal_pages.walk import IN_APP_AGENT, PHONE, PHONE_AGENT, Open, Walker, wait_until
from integration.qr_reader import read_image

from ansible_collections.privatespace.gateway.plugins.module_utils._portal.sealing import decode_token, derive_id

PROFILE = "client\ndev tun\n# Zoë's key: canary-of-a-private-key\n"


@pytest.fixture
def person(walker: Open) -> Walker:
    return walker()


def is_waiting(site: Site) -> bool:
    return any(name.endswith(".waiting") for name in site.service.names)


def test_the_file_is_the_profile_and_the_gateway_has_it_no_longer(site: Site, person: Walker) -> None:
    link = site.link(user="zoe", device="laptop", profile=PROFILE)
    person.open(link)
    person.wait_for_state("offer")
    assert person.url == f"{site.url}/link", "the fragment is out of the address"
    assert (person.part("user").text, person.part("device").text) == ("zoe", "laptop")
    until = person.run("return Date.parse(arguments[0].dateTime)", person.part("until"))
    assert 23 * 3600 < until / 1000 - time.time() < 25 * 3600
    assert is_waiting(site), "looking at it uses nothing up"
    person.part("button").click()
    person.wait_for_state("done")
    file = person.browser.wait_for_download("zoe@laptop.ovpn")
    assert file.read_text() == PROFILE
    assert "zoe@laptop.ovpn" in person.find('[data-part="next"] details[open]').text
    wait_until(lambda: person.part("erased").is_displayed())
    assert not find_kept(site, link)
    assert person.run("return document.activeElement.textContent") == "The profile is in your downloads"
    kept = person.run("return JSON.stringify(sessionStorage)")
    assert json.loads(kept) == {"link.done": "zoe@laptop.ovpn"}

    person.part("again").click()
    assert person.browser.wait_for_download("zoe@laptop (1).ovpn").read_text() == PROFILE
    person.browser.driver.refresh()
    person.wait_for_state("closed")
    assert "You have downloaded this profile" in person.text


def test_the_code_for_phones_is_the_link(site: Site, person: Walker, tmp_path: Path) -> None:
    person.open(site.link())
    person.wait_for_state("offer")
    kind, _comma, picture = str(person.part("qr-image").get_attribute("src")).partition("base64,")
    assert kind == "data:image/svg+xml;"
    assert b"<svg" in base64.b64decode(picture)
    assert person.run("return arguments[0].naturalWidth", person.part("qr-image")) > 0
    shot = tmp_path / "code.png"
    person.part("qr-image").screenshot(str(shot))
    token = person.run("return sessionStorage.getItem('link.token')")
    assert read_image(shot).decode() == f"https://{NAME}/link#{token}"


def test_without_a_code_there_is_no_card_for_one(site: Site, person: Walker) -> None:
    person.open(site.link(device="plain", qr_code=False))
    person.wait_for_state("offer")
    assert not person.part("qr").is_displayed()
    assert "with-qr" not in str(person.part("offer").get_attribute("class"))


def test_second_use_expired_tampered_and_made_up_links_show_one_and_the_same_page(site: Site, person: Walker) -> None:
    used, tampered, expired = site.link(device="used"), site.link(device="tampered"), site.link(device="expired")
    person.open(used)
    person.wait_for_state("offer")
    person.part("button").click()
    person.wait_for_state("done")
    wait_until(lambda: not find_kept(site, used))
    rewrite(site, expired, expires=int(time.time()) - 60)
    end = tampered[-2:]
    links = [
        used, expired, tampered[:-2] + ("AA" if end != "AA" else "BA"), tampered[:-5],
        f"{site.url}/link#{'A' * 43}", f"{site.url}/link#", f"{site.url}/link", f"{site.url}/link#not%20a%20token",
    ]  # fmt: skip
    seen = set()
    for link in links:
        person.open(f"{site.url}/connect")
        person.run("sessionStorage.clear()")
        person.open(link)
        person.wait_for_state("unknown")
        seen.add(person.text)
        assert person.url.rstrip("#") == f"{site.url}/link"
    assert len(seen) == 1
    assert "may have been used already" in seen.pop()
    person.open(tampered)
    person.wait_for_state("offer")


def test_another_link_in_the_same_tab_is_another_link(site: Site, person: Walker) -> None:
    person.open(site.link(user="alice", device="laptop"))
    person.wait_for_state("offer")
    person.run("location.href = arguments[0]", site.link(user="bob", device="tablet"))
    wait_until(lambda: person.states() == ["offer"] and person.part("user").text == "bob")
    # Programs that make links clickable take a full stop at the end of a sentence along.
    person.run("location.href = arguments[0]", site.link(user="carol") + ".")
    wait_until(lambda: person.states() == ["offer"] and person.part("user").text == "carol")


def test_previewers_and_scanners_use_nothing_up(site: Site, person: Walker) -> None:
    link = site.link(device="preview")
    for url in (link, f"{site.url}/link", f"{site.url}/link/api/look", f"{site.url}/link/api/claim"):
        for method in ("GET", "HEAD"):
            site.curl(url, *(["--head"] if method == "HEAD" else []))
    person.open(link)
    person.wait_for_state("offer")
    person.browser.driver.refresh()
    person.wait_for_state("offer")
    assert is_waiting(site)


def test_nothing_of_a_link_is_in_the_log_of_the_web_server(site: Site, person: Walker) -> None:
    link = site.link(device="logged")
    person.open(link)
    person.wait_for_state("offer")
    assert "/link" in site.access_log
    assert link.partition("#")[2][:20] not in site.access_log


def test_a_second_browser_gets_nothing_once_the_first_has_claimed(site: Site, walker: Open) -> None:
    link = site.link(device="contested")
    first, second = walker(), walker()
    for one in (first, second):
        one.open(link)
        one.wait_for_state("offer")
    first.part("button").click()
    first.wait_for_state("done")
    second.part("button").click()
    second.wait_for_state("unknown")
    assert list(second.browser.downloads.iterdir()) == []


def test_it_goes_on_by_itself_when_the_service_was_away(site: Site, person: Walker) -> None:
    link = site.link(device="outage", profile=PROFILE)
    site.service.kill()
    try:
        person.open(link)
        person.wait_for_progress("There is no connection to the gateway at the moment.")
        site.service.start()
        person.wait_for_state("offer")
        site.service.kill()
        person.part("button").click()
        person.wait_for_progress("There is no connection")
        # Pressed again by somebody who is impatient.
        person.part("button").click()
    finally:
        site.service.start()
    person.wait_for_state("done")
    assert person.browser.wait_for_download("alice@outage.ovpn").read_text() == PROFILE
    wait_until(lambda: not any("outage" in path.read_text() for path in site.service.spool.iterdir()))


def test_a_page_that_is_closed_in_the_middle_fetches_it_again(site: Site, person: Walker) -> None:
    """The claim has reached the gateway, the answer has not reached the page: a reload knows the same claim."""
    person.open(site.link(device="reload", profile=PROFILE))
    person.wait_for_state("offer")
    token_and_claim = person.run("return [sessionStorage['link.token'], sessionStorage['link.claim']]")
    person.run("history.pushState(null, '', '/link'); window.fetch = () => new Promise(() => {});")
    claimed = person.browser.driver.execute_async_script(CLAIM, *token_and_claim)
    assert claimed == 200
    person.browser.driver.refresh()
    person.wait_for_state("offer")
    person.part("button").click()
    person.wait_for_state("done")
    assert person.browser.wait_for_download("alice@reload.ovpn").read_text() == PROFILE


# The page's own modules make the id from the token; the answer is thrown away.
CLAIM = """
const [token, claim, done] = arguments;
import("/assets/sealed.js").then(async ({ deriveKeys }) => {
  const { id } = await deriveKeys(token);
  const request = new XMLHttpRequest();
  request.open("POST", "/link/api/claim");
  request.setRequestHeader("Content-Type", "application/json");
  request.onload = () => done(request.status);
  request.send(JSON.stringify({ id, claim }));
});
"""


def test_two_hundred_milliseconds_of_impatience_download_it_once(site: Site, person: Walker) -> None:
    person.open(site.link(device="twice"))
    person.wait_for_state("offer")
    person.run("const button = arguments[0]; button.click(); button.click(); button.click();", person.part("button"))
    person.wait_for_state("done")
    person.browser.wait_for_download("alice@twice.ovpn")
    wait_until(lambda: person.part("erased").is_displayed())
    assert [path.name for path in person.browser.downloads.iterdir()] == ["alice@twice.ovpn"]


def test_on_a_phone_there_is_no_code_to_scan_and_nothing_is_cut_off(site: Site, walker: Open) -> None:
    phone = walker(PHONE, PHONE_AGENT)
    phone.open(site.link(device="phone"))
    phone.wait_for_state("offer")
    assert not phone.part("qr").is_displayed()
    assert phone.run("return document.documentElement.scrollWidth") == PHONE[0]
    phone.part("button").click()
    phone.wait_for_state("done")
    assert phone.find('[data-part="next"] details[open] summary').text.startswith("Android")
    assert phone.run("return document.documentElement.scrollWidth") == PHONE[0]


def test_inside_another_app_the_link_can_be_carried_to_a_browser(site: Site, walker: Open) -> None:
    app = walker(PHONE, IN_APP_AGENT)
    link = site.link(device="in-app")
    app.open(link)
    app.wait_for_state("offer")
    assert "You are inside another app" in app.text
    app.run("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
    app.part("copy").click()
    wait_until(lambda: app.part("address").is_displayed())
    assert app.part("address").get_attribute("value") == link
    app.run("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    app.part("copy").click()
    wait_until(lambda: app.part("copied").text.startswith("Copied."))
    assert app.run("return window.copied") == link


def test_without_javascript_it_says_what_is_needed(site: Site, person: Walker) -> None:
    link = site.link(device="plain")
    person.browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    person.open(link)
    assert "This page needs JavaScript" in person.text
    assert is_waiting(site)


def test_a_browser_that_cannot_run_the_scripts_is_told_so(site: Site, walker: Open) -> None:
    person, link = walker(), site.link(device="old")
    # As a browser that does not understand one of them.
    person.browser.driver.execute_cdp_cmd("Network.enable", {})
    person.browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/assets/sealed.js*"]})
    person.open(link)
    assert "it may be too old" in person.find("[data-too-old]").text
    assert is_waiting(site)
    person.browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    person.browser.driver.refresh()
    person.wait_for_state("offer")
    assert not person.find("[data-too-old]").is_displayed()


def test_a_profile_that_cannot_be_decrypted_is_not_erased(site: Site, walker: Open) -> None:
    person, link = walker(), site.link(device="broken")
    person.open(link)
    person.wait_for_state("offer")
    sealed = bytearray(base64.b64decode(read_kept(site, link)["sealed"]))
    sealed[-1] ^= 1
    rewrite(site, link, sealed=base64.b64encode(sealed).decode())
    person.part("button").click()
    person.wait_for_state("broken")
    assert list(person.browser.downloads.iterdir()) == []
    assert read_kept(site, link)["device"] == "broken"
    (complaint,) = person.complaints()
    assert "OperationError" in complaint


def test_a_visitor_who_is_refused_waits_and_goes_on(site: Site, walker: Open) -> None:
    """Wrong links from one address are limited; the answer is 429 with Retry-After."""
    person, link = walker(), site.link(device="limited")
    site.service.kill()
    limit = site.service.settings["wrong_per_visitor"]
    site.service.settings["wrong_per_visitor"] = 1
    site.service.start()
    try:
        for letter in "ABC":
            person.open(f"{site.url}/connect")
            person.open(f"{site.url}/link#{letter * 43}")
            wait_until(lambda: person.states() == ["unknown"] or "asked too much" in person.progress)
        person.wait_for_progress("The gateway is asked too much at the moment.")
    finally:
        site.service.kill()
        site.service.settings["wrong_per_visitor"] = limit
        site.service.start()
    person.open(f"{site.url}/connect")
    person.open(link)
    person.wait_for_state("offer")


def find_kept(site: Site, link: str) -> list[Path]:
    """What the gateway has of a link."""
    return list(site.service.spool.glob(f"{derive_id(decode_token(link.partition('#')[2]))}.*"))


def read_kept(site: Site, link: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(find_kept(site, link)[0].read_text())
    return found


def rewrite(site: Site, link: str, **changes: object) -> None:
    """Change what the gateway keeps of a link."""
    find_kept(site, link)[0].write_text(json.dumps({**read_kept(site, link), **changes}))
