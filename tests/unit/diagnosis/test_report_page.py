"""The page of a report: the same bytes each time, nothing of others taken for markup, nothing loaded."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from unit.diagnosis.made_up import DCO, LIMITED, NOW, make_gateway, make_observations, make_path
from unit.diagnosis.test_report import HOSTILE

from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import (
    MissingLibraryError,
    missing_library,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import Evidence, Finding, Remedy
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import Listener, Observations
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import Hop
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.report import build_report
from ansible_collections.privatespace.gateway.plugins.module_utils._report import drawing
from ansible_collections.privatespace.gateway.plugins.module_utils._report.markup import Markup, element, join
from ansible_collections.privatespace.gateway.plugins.module_utils._report.page import render_page
from ansible_collections.privatespace.gateway.plugins.module_utils._report.style import STYLE

NAME = "cambridge2"
VOID = {"meta"}
LOADING = {"script", "link", "img", "iframe", "object", "embed", "image", "base", "form", "audio", "video", "source"}


def page_of(*findings: Finding, observations: Observations | None = None) -> str:
    return render_page(build_report({NAME: observations or make_observations()}, {NAME: findings}, [], NOW))


@pytest.fixture(scope="module")
def page() -> str:
    """Of a gateway with a limit and a hint."""
    return page_of(LIMITED, DCO)


class Outline(HTMLParser):
    """Elements and attributes of a page, and whether they are nested as they should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def attributes(self, name: str) -> Iterator[str]:
        return (value for _tag, found in self.elements if (value := found.get(name)) is not None)


def test_the_same_input_gives_the_same_bytes(page: str) -> None:
    assert page_of(LIMITED, DCO) == page
    script = (
        "import conftest, hashlib\nfrom unit.diagnosis.test_report_page import page_of, LIMITED, DCO\n"
        "print(page_of(LIMITED, DCO))"
    )
    tests = next(path for path in sys.path if path.endswith("tests"))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tests, env={"PYTHONPATH": tests, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{page}\n", "and so does another process"


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    outline = Outline(page)
    assert not LOADING & {tag for tag, _attributes in outline.elements}
    policies = [found["content"] for _tag, found in outline.elements if "http-equiv" in found]
    assert [str(policy).split("; ")[:3] for policy in policies] == [
        ["default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"]
    ]
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert all(value.startswith("#") for name in ("href", "xlink:href", "src") for value in outline.attributes(name))
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert not [name for _tag, found in outline.elements for name in found if name.startswith("on")]
    assert outline.comments == []
    assert "http://" not in page.replace("http://www.w3.org/", "")


def test_every_reference_leads_to_one_place(page: str) -> None:
    outline = Outline(page)
    ids = list(outline.attributes("id"))
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for name in ("href", "xlink:href") for value in outline.attributes(name)}
    wanted |= {one for value in outline.attributes("clip-path") for one in re.findall(r"url\(#(.*)\)", value)}
    assert len(wanted) > 10
    assert wanted <= set(ids)


def test_every_plot_has_a_text_for_those_who_do_not_see_it(page: str) -> None:
    plots = [found for tag, found in Outline(page).elements if tag == "svg"]
    assert len(plots) == 4, "throughput twice, for wide and narrow pages"
    told = [str(plot["aria-label"]) for plot in plots]
    assert all(plot["role"] == "img" for plot in plots)
    assert told[0].startswith("Throughput over 58 seconds. Medians: download, TCP without VPN: 93.7 Mbit/s; upload")
    assert told[2].startswith("Latency. Medians: without VPN, idle: 21.6 ms; without VPN, under load")
    assert told[3].startswith("Map of the path by hops. 1: 0.8 ms, 0 % lost; 2: 7.1 ms, 0 % lost; 3: silent")


def test_plots_have_the_colours_of_the_page_and_none_of_their_own(page: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    for plot in plots:
        assert re.findall(r"#[0-9a-f]{6}\b", re.sub(r'(?:href="#|url\(#|id=")[^")]*', "", plot)) == []
        assert "<metadata" not in plot
        assert "<style" not in plot
        assert "<text" in plot
    assert all(f"var(--{name})" in "".join(plots) for name in ("ink", "muted", "line", "direct", "udp", "tcp"))


def hostile_report() -> dict[str, Any]:
    finding = Finding(
        *("udp_blocked", HOSTILE, HOSTILE, HOSTILE, HOSTILE, (Evidence(HOSTILE, HOSTILE, (HOSTILE,)),)),
        remedies=(Remedy(HOSTILE, HOSTILE, HOSTILE, HOSTILE),), gateway=HOSTILE, probe=HOSTILE, direction=HOSTILE,
    )  # fmt: skip
    gateway = make_gateway(HOSTILE)
    samples = tuple(replace(sample, listener=HOSTILE) for sample in gateway.samples)
    gateway = replace(gateway, samples=samples, listeners=(Listener(HOSTILE, HOSTILE, 1, HOSTILE),), unknown=(HOSTILE,))
    path = make_path(probe=HOSTILE)
    segments = tuple(replace(segment, place=HOSTILE, protocol=HOSTILE) for segment in path.segments[:3])
    path = replace(
        path, address=HOSTILE, unmeasured=(HOSTILE,), hops=(Hop(1, HOSTILE, 0.0, 0.01),),
        segments=(*path.segments, *segments),
    )  # fmt: skip
    observations = Observations(gateway, (path,), NOW)
    other = replace(observations, gateway=make_gateway(f"{HOSTILE}2"))
    return build_report({"a": observations, "b": other}, {"a": [finding], "b": [finding]}, [], NOW)


def test_what_others_wrote_is_never_markup(page: str) -> None:
    known = {name for _tag, found in Outline(page).elements for name in found}
    page = render_page(hostile_report())
    outline = Outline(page)
    assert not LOADING & {tag for tag, _attributes in outline.elements}
    assert outline.comments == []
    assert page.isprintable() or all(one.isprintable() or one == "\n" for one in page)
    assert "<script" not in page
    assert "alert(1)" in "".join(outline.texts), "it is shown, as text"
    assert {name for _tag, found in outline.elements for name in found} - known <= {"href", "aria-label", "xlink:href"}


def test_elements_escape_texts_and_keep_elements() -> None:
    assert element("p", "a < b", element("b", "&"), class_='"x"', aria_label=None) == (
        '<p class="&quot;x&quot;">a &lt; b<b>&amp;</b></p>'
    )
    assert isinstance(join("a"), Markup)


def test_the_remedy_is_a_line_to_copy(page: str) -> None:
    assert '<pre class="copy">openvpn_profile_transports: [&quot;tcp&quot;, &quot;udp&quot;]</pre>' in page


@pytest.mark.parametrize("part", ["segments", "echoes", "hops", "tunnels"])
def test_a_path_of_which_a_part_is_missing_has_a_page(part: str) -> None:
    missing: dict[str, Any] = {part: ()}
    gateway = replace(make_gateway(), samples=())
    shown = page_of(observations=Observations(gateway, (replace(make_path(), **missing),), NOW))
    assert "Measured from alice" in "".join(Outline(shown).texts)
    assert "How busy" not in shown


def test_figures_at_their_ends_are_drawn() -> None:
    """Nothing arrived, nobody answered, one sample alone."""
    path = make_path()
    path = replace(
        path,
        segments=tuple(replace(one, delivered=0.0, offered=None, intervals=()) for one in path.segments),
        echoes=tuple(replace(one, rtt=None) for one in path.echoes),
        hops=tuple(replace(one, rtt=None, lost=1.0) for one in path.hops),
        seconds=0.0,
        ceiling=0.0,
    )
    gateway = make_gateway()
    page = page_of(observations=Observations(replace(gateway, samples=gateway.samples[:1]), (path,), NOW))
    assert "no answer" in page


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mpl", "mpl_figure", "ticker"):
        monkeypatch.setattr(drawing, name, missing_library("matplotlib", remedy="pip install matplotlib"))
    with pytest.raises(MissingLibraryError, match=r"'matplotlib' is missing for .*pip install matplotlib"):
        page_of(LIMITED)


@pytest.mark.parametrize(
    ("text", "expected"), [("$\\frac$<b>", "??frac??b?"), ("2001:db8::1", "2001:db8::1"), ("a" * 50, "a" * 37 + "...")]
)
def test_labels_in_plots_hold_nothing_that_means_something(text: str, expected: str) -> None:
    assert drawing.label(text) == expected
