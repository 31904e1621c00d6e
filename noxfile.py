"""Sessions for people who have nox but not ``./lab``; each is a thin call of the same tests."""

from __future__ import annotations

import nox

# antsibull-nox, where it is installed, adds sessions that ask Galaxy; ours need no Internet once the tools are there.
try:
    import antsibull_nox

    antsibull_nox.load_antsibull_nox_toml()
except ImportError:
    pass

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["unit", "quality"]

PYTHON = "3.11"


def _install_tools(session: nox.Session) -> None:
    session.install("--requirement", "tests/requirements.txt")


@nox.session(python=PYTHON)
def unit(session: nox.Session) -> None:
    """Run the fast tests."""
    _install_tools(session)
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session(python=PYTHON)
def quality(session: nox.Session) -> None:
    """Run every gate: linters, types, documentation, tarball, sanity."""
    _install_tools(session)
    session.run("pytest", "tests/quality", *session.posargs)


@nox.session(python=PYTHON)
def docs(session: nox.Session) -> None:
    """Build the documentation site into .lab/quality/site/html."""
    _install_tools(session)
    session.run("pytest", "tests/quality/test_documentation.py", *session.posargs)


@nox.session(name="format", python=PYTHON)
def format_code(session: nox.Session) -> None:
    """Format the Python files and apply ruff's safe fixes."""
    _install_tools(session)
    session.run("ruff", "check", "--fix", "--exit-zero", ".")
    session.run("ruff", "format", ".")
