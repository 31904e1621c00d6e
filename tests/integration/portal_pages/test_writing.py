"""How the role writes the pages: once, whole, and nothing else stays beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from integration.portal_pages.site import render_pages


def changed(run: subprocess.CompletedProcess[str]) -> int:
    assert run.returncode == 0, run.stdout + run.stderr
    assert "WARNING" not in run.stdout + run.stderr
    return int(run.stdout.rpartition("changed=")[2].split()[0])


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_fresh_host_a_second_run_a_change_and_what_is_left_over(tmp_path: Path) -> None:
    pages = tmp_path / "web/pages"
    assert changed(render_pages(tmp_path, "--check", "--diff")) == 2
    assert not pages.exists()

    assert changed(render_pages(tmp_path)) > 0
    first = contents(pages)
    assert {"index.html", "connect.html", "link.html", "404.html", "assets/portal.css"} <= set(first)
    assert {path.stat().st_mode & 0o777 for path in pages.rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (pages, pages / "assets", tmp_path / "web/status")} == {0o755}
    assert "There is none on this gateway yet." in first["index.html"]
    assert changed(render_pages(tmp_path)) == 0

    (pages / "old.html").write_text("old")
    (pages / "assets/old").mkdir()
    (pages / "assets/old/deep.js").write_text("old")
    (pages / ".index.html.partial").write_text("old")
    (tmp_path / "web/status/status.json").write_text("{}")
    foretold = render_pages(tmp_path, "--check", "--diff", portal_company="Fen Ltd")
    assert changed(foretold) == 2
    assert "+<title>VPN gateway – Fen Ltd</title>" in foretold.stdout
    assert contents(pages)["index.html"] == first["index.html"]
    assert changed(render_pages(tmp_path, portal_company="Fen Ltd")) == 2
    assert set(contents(pages)) == set(first)
    assert (tmp_path / "web/status/status.json").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"portal_color": "teal"}, "portal_color: 'teal' is not a colour. Give it as #rrggbb"),
        ({"portal_logo": "/nowhere/logo.svg"}, "portal_logo: '/nowhere/logo.svg' is no file on the controller."),
        ({"portal_texts": {"indx": {}}}, "portal_texts has no text 'indx'. Is 'index' meant?"),
        ({"portal_company": "a\nb"}, "portal_company holds the control character"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_anything_is_written(
    tmp_path: Path, variables: dict[str, object], message: str
) -> None:
    run = render_pages(tmp_path, **variables)
    assert run.returncode != 0
    assert message in run.stdout.replace("\\n", " ")
    assert not (tmp_path / "web").exists()
