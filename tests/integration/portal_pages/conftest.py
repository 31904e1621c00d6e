"""The site of these tests, rendered once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.browser import OpenBrowser
from integration.portal.service import Service
from integration.portal_pages.site import NAME, Site, serve
from integration.portal_pages.walk import Open, Walker

COMPANY = 'Fen & Sons <Ltd> "Boats"'
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 40"><path d="M4 24h56l-9 12H14z" fill="#0b7a75"/>
<path d="M32 2v20H12z" fill="#0b7a75"/><path d="M36 8l14 14H36z" fill="#f2a33a"/></svg>"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    logo = folder / "boat.svg"
    logo.write_text(LOGO)
    variables: dict[str, Any] = {
        "portal_company": COMPANY,
        "portal_contact": "help@fen.example",
        "portal_color": "#0b7a75",
        "portal_logo": str(logo),
        "openvpn_second_factor": "totp",
    }
    service = Service(tmp_path_factory.mktemp("service"), settings={"wrong_per_visitor": 1000})
    service.start()
    running = serve(folder, service, variables)
    yield running
    running.stop()
    service.kill()


@pytest.fixture
def walker(site: Site, open_browser: OpenBrowser) -> Iterator[Open]:
    """Opens a browser that trusts the root of the test; at the end none has complained."""
    walkers: list[Walker] = []

    def start(window: tuple[int, int] = (1280, 900), agent: str = "") -> Walker:
        one = Walker(open_browser(root=site.root, addresses={NAME: "127.0.0.1"}, window=window))
        if agent:
            one.wear(agent)
        walkers.append(one)
        return one

    yield start
    for one in walkers:
        assert one.complaints() == []
        assert all(url.startswith((f"{site.url}/", "data:")) for url in one.loaded())
