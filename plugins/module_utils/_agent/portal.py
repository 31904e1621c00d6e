# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service behind one-time links as a WSGI application, for gunicorn: ``portal:make_application()``."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.portal_service import Portal
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.messages import MOST_BYTES, Answer
from ansible_collections.privatespace.gateway.plugins.module_utils._portal.settings import (
    PortalSettings,
    parse_portal_settings,
)

try:
    import flask
    from werkzeug import exceptions
except ImportError:
    flask = missing_library("flask", remedy="The role privatespace.gateway.portal installs it.")
    exceptions = missing_library("flask")

CONFIGURATION = Path("/etc/privatespace/portal.json")
SWEEP_SECONDS = 60
_JSON = "application/json"
_ERRORS = {404: "unknown", 405: "method", 413: "size", 415: "type"}


def make_application(config: str = str(CONFIGURATION)) -> flask.Flask:
    """The application; what is over is erased before the first answer, and every minute.

    :raises CollectionError: the configuration is missing or wrong.
    """
    portal = Portal(load_portal_settings(Path(config)), clock=epoch_seconds, ticks=time.monotonic)
    _sweep(portal)
    threading.Thread(target=_sweep_on, args=(portal,), name="sweep", daemon=True).start()
    return _make_flask(portal)


def load_portal_settings(path: Path) -> PortalSettings:
    """The settings of the service.

    :raises CollectionError: naming the file, and what is wrong with it.
    """
    content = read_optional(path)
    try:
        return parse_portal_settings(json.loads(content or b""))
    except ValueError as error:
        raise StateError(f"There are no settings in {path}.", remedy="The playbook site writes it.") from error


def _make_flask(portal: Portal) -> flask.Flask:
    application = flask.Flask("privatespace-portal", static_folder=None)

    def handler(action: str) -> Callable[[], flask.Response]:
        def handle() -> flask.Response:
            return _respond(_ask(portal, action))

        return handle

    for action in ("look", "claim", "done"):
        application.add_url_rule(f"/link/api/{action}", action, handler(action), methods=["POST"])
    application.register_error_handler(exceptions.HTTPException, _refuse)
    application.register_error_handler(Exception, _break)
    return application


def _ask(portal: Portal, action: str) -> Answer:
    if flask.request.mimetype != _JSON:
        return Answer(415, {"error": _ERRORS[415]})
    content = flask.request.stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        return Answer(413, {"error": _ERRORS[413]})
    visitor = portal.find_visitor(
        flask.request.headers.get("X-Real-IP", ""), flask.request.headers.get("X-Real-Port", "")
    )
    answer = portal.answer(action, content, visitor)
    if answer.news:
        _tell(answer.news)
    return answer


def _respond(answer: Answer) -> flask.Response:
    response = flask.Response(json.dumps(answer.body) + "\n", status=answer.status, mimetype=_JSON)
    response.headers["Cache-Control"] = "no-store"
    if answer.retry_after:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _refuse(error: Any) -> flask.Response:
    status = error.code or 500
    response = _respond(Answer(status, {"error": _ERRORS.get(status, "request")}))
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def _break(error: Exception) -> flask.Response:
    # The text of an error may hold what was asked; its kind does not.
    _tell(f"an answer failed: {type(error).__name__}")
    return _respond(Answer(500, {"error": "unavailable"}, retry_after=5))


def _sweep(portal: Portal) -> None:
    try:
        for line in portal.sweep():
            _tell(line)
    except CollectionError as error:
        _tell(str(error))


def _sweep_on(portal: Portal) -> None:
    while True:
        time.sleep(SWEEP_SECONDS)
        _sweep(portal)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """Look whether a configuration can be used: ``portal CONFIG``; the service itself is run by gunicorn."""
    try:
        load_portal_settings(Path(arguments[0]) if arguments else CONFIGURATION)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
