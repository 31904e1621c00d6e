"""What a person does and sees on the pages."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import axe_core_python
from integration.browser import Browser
from selenium.webdriver.remote.webelement import WebElement

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
WAIT_SECONDS = 20.0
ABSENT = re.compile(r"the server responded with a status of (404|429|502|503|504)")
# A window as wide as that of a small phone.
PHONE = (360, 780)
PHONE_AGENT = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
IN_APP_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148 Instagram 361.0"
)


@dataclass(frozen=True)
class Walker:
    """A person with a browser."""

    browser: Browser

    def open(self, url: str) -> None:
        self.browser.open(url)

    def wait_for_state(self, name: str) -> None:
        """Wait until the page of a link shows this, and nothing else."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.states() != [name]:
            assert time.monotonic() < deadline, f"it shows {self.states()} and says '{self.progress}'"
            time.sleep(0.05)

    def states(self) -> list[str]:
        found = self.browser.driver.find_elements("css selector", "[data-state]")
        return [str(one.get_attribute("data-state")) for one in found if one.is_displayed()]

    def wait_for_progress(self, words: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while words not in self.progress:
            assert time.monotonic() < deadline, f"it says '{self.progress}'"
            time.sleep(0.05)

    def wait_for_text(self, selector: str, text: str) -> None:
        wait_until(lambda: self.find(selector).text == text)

    @property
    def progress(self) -> str:
        return self.find("[data-progress]").text

    @property
    def text(self) -> str:
        """All that is shown."""
        return self.find("body").text

    @property
    def url(self) -> str:
        return self.browser.driver.current_url

    def find(self, selector: str) -> WebElement:
        return self.browser.driver.find_element("css selector", selector)

    def part(self, name: str) -> WebElement:
        return self.find(f'[data-part="{name}"]')

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.driver.execute_script(script, *arguments)

    def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``, as the system of the person says."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def wear(self, agent: str) -> None:
        """Say that the browser is another one."""
        self.browser.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": agent})

    def find_barriers(self) -> list[str]:
        """What axe finds that keeps people out."""
        self.run(AXE.read_text())
        options = json.dumps({"runOnly": {"type": "tag", "values": STANDARDS}})
        found = self.browser.driver.execute_async_script(
            f"const done = arguments[0]; axe.run(document, {options}).then((r) => done(r.violations));"
        )
        return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]

    def loaded(self) -> list[str]:
        """The address of everything that the page has loaded."""
        return list(self.run("return performance.getEntriesByType('resource').map((one) => one.name)"))

    def complaints(self) -> list[str]:
        """What the console says, but for answers that say that there is nothing."""
        return [one for one in self.browser.messages() if not ABSENT.search(one)]


Open = Callable[..., Walker]


def wait_until(condition: Callable[[], bool], *, seconds: float = WAIT_SECONDS) -> None:
    """Wait for something that a page does by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
