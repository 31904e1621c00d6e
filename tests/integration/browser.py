"""A real browser without a window, Debian's Chromium, for tests of web pages: it knows only what a test tells it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

LOAD_SECONDS = 30
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"),
    # It asks nobody but the pages: no updates, no lists, no proxy of the machine.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
)


@dataclass(frozen=True)
class Browser:
    """A browser with a profile of its own.

    :param driver: Selenium's handle: all that is not below.
    :param downloads: Where it saves files without asking.
    """

    driver: webdriver.Chrome
    downloads: Path

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded; ``WebDriverException`` when it cannot be had, or is not trusted."""
        self.driver.get(url)
        for warning in self.driver.find_elements("css selector", "body.ssl #error-code"):
            raise WebDriverException(warning.get_attribute("textContent"))

    def screenshot(self, path: Path) -> Path:
        """Save what the window shows as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(path)), f"no screenshot {path}"
        return path

    def messages(self) -> list[str]:
        """What the console said since the last call: errors of scripts, and what a page's policy forbade."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def wait_for_download(self, name: str, *, seconds: float = 15) -> Path:
        """The complete file of that name among the downloads; it may be there already."""
        path, deadline = self.downloads / name, time.monotonic() + seconds
        while not path.is_file():
            found = sorted(each.name for each in self.downloads.iterdir())
            assert time.monotonic() < deadline, f"no download {name} within {seconds:g} s; there are {found}"
            time.sleep(0.1)
        return path


@contextmanager
def start_browser(
    folder: Path,
    *,
    root: str = "",
    addresses: Mapping[str, str] | None = None,
    window: tuple[int, int] = (1280, 900),
    arguments: Sequence[str] = (),
) -> Iterator[Browser]:
    """A browser for the time of a block; all it writes is in a folder.

    :param root: A CA certificate in PEM that it trusts beside the usual ones.
    :param addresses: Names and the addresses it takes for them; all other names do not exist.
    :param window: Width and height of what the page gets. Below 500 wide it is emulated, as phones are.
    :param arguments: More options of Chromium, such as ``--lang=de`` or ``--force-dark-mode``.
    """
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    _write_roots(folder, root)
    service = Service(_program("chromedriver", "chromium-driver"), env={**os.environ, "HOME": str(folder)})
    driver = webdriver.Chrome(options=_options(folder, addresses or {}, arguments), service=service)
    try:
        driver.set_page_load_timeout(LOAD_SECONDS)
        width, height = window
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        yield Browser(driver, downloads)
    finally:
        driver.quit()


def _options(folder: Path, addresses: Mapping[str, str], arguments: Sequence[str]) -> Options:
    rules = [f"MAP {name} {f'[{address}]' if ':' in address else address}" for name, address in addresses.items()]
    options = Options()
    options.binary_location = _program("chromium", "chromium")
    for argument in (
        *ARGUMENTS,
        f"--user-data-dir={folder / 'profile'}",
        f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost'])}",
        *arguments,
    ):
        options.add_argument(argument)
    preferences = {"download.default_directory": str(folder / "downloads"), "download.prompt_for_download": False}
    options.add_experimental_option("prefs", preferences)
    options.accept_insecure_certs = False
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return options


def _write_roots(folder: Path, root: str) -> None:
    """A certificate database in the home folder that the browser gets."""
    database = folder / ".pki/nssdb"
    database.mkdir(parents=True, exist_ok=True)
    certutil = [_program("certutil", "libnss3-tools"), "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, capture_output=True)
    if root:
        add = [*certutil, "-A", "-n", "root of the test", "-t", "C,,"]
        subprocess.run(add, input=root, text=True, check=True, capture_output=True)


def _program(name: str, package: str) -> str:
    return shutil.which(name) or pytest.fail(f"{name} is not installed: apt-get install {package}")


OpenBrowser = Callable[..., Browser]


@pytest.fixture
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBrowser]:
    """Starts browsers that end with the test; parameters as for :func:`start_browser`, without the folder."""
    with ExitStack() as stack:

        def start(
            *,
            root: str = "",
            addresses: Mapping[str, str] | None = None,
            window: tuple[int, int] = (1280, 900),
            arguments: Sequence[str] = (),
        ) -> Browser:
            folder = tmp_path_factory.mktemp("browser")
            running = start_browser(folder, root=root, addresses=addresses, window=window, arguments=arguments)
            return stack.enter_context(running)

        yield start
