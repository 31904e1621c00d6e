"""The colours of the pages: whatever a company's own is, text can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.theme import (
    DARK_SURFACE,
    LEAST_CONTRAST,
    LIGHT_SURFACE,
    contrast,
    make_themes,
    mix,
)

TEMPLATE = Path(__file__).parents[3] / "roles/portal/templates/pages/theme.css.j2"
COLORS = ["#1f5fbf", "#ffcc00", "#000000", "#ffffff", "#808080", "#e4002b", "#00ff00", "#7F00FF", "#757575"]


@pytest.mark.parametrize("color", COLORS)
def test_links_and_buttons_can_be_read_in_both_appearances(color: str) -> None:
    themes = make_themes(color)
    assert contrast(themes.light.accent, LIGHT_SURFACE) >= LEAST_CONTRAST
    assert contrast(themes.dark.accent, DARK_SURFACE) >= LEAST_CONTRAST
    for theme in (themes.light, themes.dark):
        assert contrast(theme.accent, theme.on_accent) >= LEAST_CONTRAST
        assert contrast(theme.accent_strong, theme.on_accent) >= LEAST_CONTRAST


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert make_themes("#1F5FBF").light.accent == "#1f5fbf"
    assert make_themes("#ffcc00").dark.accent == "#ffcc00"
    assert make_themes("#ffcc00").brand == "#ffcc00"
    assert make_themes("#ffcc00").light.accent != "#ffcc00"


@pytest.mark.parametrize("color", ["", "blue", "#12345", "#1234567", "#12345g", "#123456\n", "#fff; }", None, 123456])
def test_what_is_no_colour_is_refused(color: str) -> None:
    with pytest.raises(InputError, match=r"portal_color: .* Give it as #rrggbb"):
        make_themes(color)


def test_the_numbers_are_those_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == 21.0
    assert contrast("#767676", "#ffffff") == 4.54
    assert contrast("#777777", "#ffffff") == 4.48
    assert mix("#000000", "#ffffff", 0.25) == "#404040"


def test_the_other_colours_of_the_pages_can_be_read_on_every_surface() -> None:
    """Text needs 4.5, and the edge of a field or the lamp 3 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    light, dark = TEMPLATE.read_text().split("@media")
    for text, lightest_or_darkest in ((light, LIGHT_SURFACE), (dark, DARK_SURFACE)):
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text))
        assert len(colors) >= 10
        for surface in (colors["page"], colors["card"], colors["sunken"]):
            assert contrast(colors["text"], surface) >= LEAST_CONTRAST
            assert contrast(colors["quiet"], surface) >= LEAST_CONTRAST
            assert min(contrast(colors[name], surface) for name in ("edge", "ok", "warning", "problem")) >= 3
        assert contrast(colors["text"], colors["tint"]) >= LEAST_CONTRAST
        # The surfaces on which links stand are no worse than the one that the accent is made for.
        worst = min(contrast(colors["quiet"], colors[name]) for name in ("page", "card", "sunken"))
        assert worst >= contrast(colors["quiet"], lightest_or_darkest)
