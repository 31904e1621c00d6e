"""Settings of the documentation site, for Sphinx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

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

ANSIBLE_DOCUMENTATION = "https://docs.ansible.com/ansible/latest/"
ANSIBLE_PAGES = {
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
BUILTIN = "ansible_collections.ansible.builtin."


def link_to_ansible(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a reference to Ansible's own documentation without fetching its inventory; ``None`` for any other."""
    target = node["reftarget"]
    if target in ANSIBLE_PAGES:
        page = ANSIBLE_PAGES[target]
    elif target.startswith(BUILTIN):
        page = f"collections/ansible/builtin/{target[len(BUILTIN) :].split('__')[0]}.html"
    else:
        return None
    return nodes.reference("", "", content, refuri=f"{ANSIBLE_DOCUMENTATION}{page}", internal=False)


def setup(app: Sphinx) -> None:
    """Register the resolver."""
    app.connect("missing-reference", link_to_ansible)
