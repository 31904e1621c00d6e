"""The page of a report in a real browser, opened from a disk: light and dark, wide and narrow, and on paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from integration.browser import start_browser
from integration.portal_pages.walk import Walker
from unit.diagnosis.made_up import DCO, EXPIRING, LIMITED, NOW, UNKNOWN, make_gateway, make_observations, make_path
from unit.diagnosis.test_report_page import hostile_report

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.history import read_report
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report
from ansible_collections.privatespace.gateway.plugins.module_utils._report.page import render_page

DAY = 86400.0
WIDE, NARROW = (1280, 900), (400, 850)
GATEWAY = "cambridge2"


def limited() -> str:
    """Everything that a page can hold."""
    history = [
        read_report(json.dumps(build_report({GATEWAY: make_observations(factor=factor)}, {}, [], NOW - days * DAY)))
        for days, factor in ((30, 1.0), (24, 1.02), (17, 0.98))
    ]
    findings = [DCO, UNKNOWN, EXPIRING, LIMITED]
    return render_page(build_report({GATEWAY: make_observations(policed=9.8)}, {GATEWAY: findings}, history, NOW))


def several() -> str:
    """Two gateways, one of them without a probe, and names without a blank that are far too long."""
    long = "a-name-that-nobody-would-give-but-somebody-did-" * 4
    path = replace(make_path(probe=long), address=long)
    observations = {
        GATEWAY: Observations(make_gateway(), (path,), NOW),
        long: Observations(make_gateway(long), (), NOW),
    }
    return render_page(build_report(observations, {long: [UNKNOWN]}, [], NOW))


PAGES: dict[str, Callable[[], str]] = {
    "limited": limited,
    "several": several,
    "hostile": lambda: render_page(hostile_report()),
}


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(make(), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.fixture(scope="module", params=[WIDE, NARROW], ids=str)
def window(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walker]:
    with start_browser(tmp_path_factory.mktemp("browser"), window=request.param) as browser:
        yield Walker(browser)


@pytest.fixture
def reader(window: Walker) -> Iterator[Walker]:
    window.open("about:blank")
    window.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    window.browser.messages()
    yield window
    assert window.loaded() == [], "nothing is loaded"
    assert window.browser.messages() == [], "nothing is forbidden by the page's own policy, and nothing fails"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", list(PAGES))
def test_nobody_is_kept_out_and_nothing_is_cut_off(
    reader: Walker, pages: dict[str, Path], name: str, scheme: str, tmp_path: Path
) -> None:
    reader.prefer(scheme)
    reader.open(pages[name].as_uri())
    width = reader.run("return innerWidth")
    reader.browser.screenshot(tmp_path / f"{name}-{width}-{scheme}.png")
    assert reader.run("return document.documentElement.scrollWidth") <= width
    reader.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert reader.run("return document.documentElement.scrollWidth") <= width
    assert reader.find_barriers() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plots_are_readable(reader: Walker, pages: dict[str, Path], scheme: str) -> None:
    """Letters are large enough, inside of their card, and stand out from what is behind them."""
    reader.prefer(scheme)
    reader.open(pages["limited"].as_uri())
    texts = reader.run(TEXTS)
    assert len(texts) > 40
    assert min(text["size"] for text in texts) >= 10
    assert [text for text in texts if not text["inside"]] == []
    assert {text["color"] for text in texts} <= set(COLORS[scheme])


# Of the page's style: ink, muted, and what marks loss. That these can be read is tried by axe on the texts around.
COLORS = {
    "light": ("rgb(26, 34, 48)", "rgb(83, 96, 115)", "rgb(179, 38, 30)"),
    "dark": ("rgb(231, 235, 241)", "rgb(162, 173, 188)", "rgb(255, 141, 132)"),
}
TEXTS = """
return [...document.querySelectorAll('svg text')].filter((one) => one.checkVisibility()).map((one) => {
  const box = one.getBoundingClientRect(), card = one.closest('.card').getBoundingClientRect();
  const scale = one.ownerSVGElement.getBoundingClientRect().width / one.ownerSVGElement.viewBox.baseVal.width;
  return {
    text: one.textContent,
    size: parseFloat(getComputedStyle(one).fontSize) * scale,
    color: getComputedStyle(one).fill,
    inside: box.left >= card.left && box.right <= card.right && box.top >= card.top && box.bottom <= card.bottom,
  };
});"""


def test_a_finding_says_what_to_do_before_any_plot(reader: Walker, pages: dict[str, Path]) -> None:
    reader.open(pages["limited"].as_uri())
    assert reader.find(".headline").text == "UDP is limited to about 9.8 Mbit/s on the way to the probe."
    first = reader.find(".finding")
    for words in ("Fault", "Certain: shown by the measurement itself", "alice, download", "What to do"):
        assert words in first.text
    assert "iperf3" not in first.text, "what shows it is shown to those who ask"
    first.find_element("css selector", "summary").click()
    assert "In 5 of 5 pairs" in first.text
    tops = [
        reader.run("return arguments[0].getBoundingClientRect().top", one) for one in (first, reader.find("figure"))
    ]
    assert tops == sorted(tops)


def test_one_click_marks_the_line_to_copy(reader: Walker, pages: dict[str, Path]) -> None:
    reader.open(pages["limited"].as_uri())
    reader.find("pre.copy").click()
    assert reader.run("return getSelection().toString()") == 'openvpn_profile_transports: ["tcp", "udp"]'


def test_what_others_wrote_is_shown_and_does_nothing(reader: Walker, pages: dict[str, Path]) -> None:
    reader.open(pages["hostile"].as_uri())
    assert "<script>alert(1)</script>" in reader.text
    assert reader.run("return document.scripts.length") == 0
    assert reader.browser.driver.title == "Diagnosis of 2 gateways"


def test_what_shows_it_is_on_paper_without_being_opened(reader: Walker, pages: dict[str, Path]) -> None:
    reader.open(pages["limited"].as_uri())
    reader.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert reader.run("return document.querySelector('.evidence li').checkVisibility()")
    assert reader.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
