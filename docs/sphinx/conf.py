"""Settings of the documentation site, for Sphinx."""

from __future__ import annotations

project = "privatespace.gateway"
copyright = "2026, Private Space Gateway contributors"
title = "Private Space Gateway"
html_short_title = title

extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
# The site builds without the Internet, so no other project's inventory is fetched.
intersphinx_mapping: dict[str, tuple[str, None]] = {}
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True
html_theme = "alabaster"
html_title = title
html_show_sphinx = False
html_use_smartypants = False
