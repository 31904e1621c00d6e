# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the configuration are judged by nginx before they are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.dns.name_server import free_port
from integration.run_module import RunModule
from integration.web.web_site import NAME, Site

from ansible_collections.privatespace.gateway.plugins.filter.web_plan import web_plan

GOOD = "location /help { return 200 here; }\n"
BAD = "location /help { nonsense on; }\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A configuration that nobody runs, without a certificate."""
    (tmp_path / "site").mkdir()
    return Site(tmp_path / "site")


def texts(site: Site) -> dict[str, str]:
    return {str(path.relative_to(site.config)): path.read_text() for path in site.config.rglob("*.conf")}


def test_each_file_is_written_once(site: Site, run_module: RunModule) -> None:
    wanted = {"path": str(site.config), "files": {"server443.d/help.conf": GOOD}}
    before = texts(site)
    looked = run_module("web_config", wanted, check=True, diff=True)
    assert looked.changed
    assert looked["changed_files"] == ["server443.d/help.conf"]
    assert "return 200 here" in looked["diff"]["after"]
    assert texts(site) == before
    assert run_module("web_config", wanted).changed
    assert texts(site) == {**before, "server443.d/help.conf": GOOD}
    assert (site.config / "server443.d/help.conf").stat().st_mode & 0o777 == 0o644
    assert not run_module("web_config", wanted, check=True).changed
    assert not run_module("web_config", wanted).changed
    assert run_module("web_config", {**wanted, "files": {"server443.d/help.conf": ""}}).changed
    assert texts(site) == before


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("certified", [False, True])
@pytest.mark.parametrize("place", ["http.d", "server80.d", "server443.d"])
def test_what_nginx_does_not_take_is_refused_with_its_words(
    site: Site, run_module: RunModule, place: str, certified: bool, check: bool
) -> None:
    if certified:
        site.certify()
    before = texts(site)
    files = {f"{place}/help.conf": BAD if place != "http.d" else "nonsense on;\n"}
    done = run_module("web_config", {"path": str(site.config), "files": files}, check=check, fails=True)
    assert 'unknown directive "nonsense"' in done.message
    assert f"in {site.config}/{place}/help.conf:1" in done.message
    assert "Nothing was changed." in done.message
    assert texts(site) == before


def test_two_parts_that_do_not_go_together_are_refused(site: Site, run_module: RunModule) -> None:
    (site.config / "server443.d/other.conf").write_text(GOOD)
    wanted = {"path": str(site.config), "files": {"server443.d/help.conf": GOOD}}
    assert 'duplicate location "/help"' in run_module("web_config", wanted, fails=True).message


def test_a_configuration_that_was_bad_is_mended(site: Site, run_module: RunModule) -> None:
    (site.config / "http.d/help.conf").write_text(BAD)
    files = {**site.files(), "http.d/help.conf": ""}
    assert run_module("web_config", {"path": str(site.config), "files": files})["changed_files"] == ["http.d/help.conf"]


def test_a_trial_needs_and_touches_nothing_outside_its_folder(tmp_path: Path, run_module: RunModule) -> None:
    """As on a gateway that has no user, no folders and no certificate yet; this machine has none of them."""
    files = web_plan({"server_names": [NAME], "http_port": free_port(), "https_port": free_port()})["files"]
    state = Path("/var/lib/privatespace/web")
    assert not state.exists()
    assert run_module("web_config", {"path": str(tmp_path / "web"), "files": files}, check=True).changed
    assert not state.exists()


def test_a_part_without_a_web_server_is_refused(tmp_path: Path, run_module: RunModule) -> None:
    done = run_module("web_config", {"path": str(tmp_path / "none"), "files": {"http.d/x.conf": "# x\n"}}, fails=True)
    assert "Run the role privatespace.gateway.web on this gateway first." in done.message


def test_a_host_without_nginx_is_no_matter_to_check_mode(site: Site, run_module: RunModule) -> None:
    wanted = {"path": str(site.config), "files": {"server443.d/help.conf": GOOD}, "nginx": "/nowhere/nginx"}
    assert run_module("web_config", wanted, check=True).changed
    assert "'/nowhere/nginx' is not installed" in run_module("web_config", wanted, fails=True).message
