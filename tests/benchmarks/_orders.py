"""Programs that a benchmark starts in a namespace and then tells what to do, through a socket in the file system."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SECONDS = 5.0

Answers = Mapping[str, Callable[..., Any]]


def listen(control: Path) -> socket.socket:
    """The socket for orders."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(control))
    listening.listen(8)
    return listening


def obey(listening: socket.socket, answers: Answers) -> None:
    """Take one order, do it, and answer."""
    connection, _who = listening.accept()
    with connection, connection.makefile("rw") as stream:
        order = json.loads(stream.readline())
        stream.write(json.dumps(answers[order.pop("do")](**order)) + "\n")


def tell(control: Path, do: str, *, patience: float = SECONDS, **what: Any) -> Any:
    """Tell a program what to do, and return its answer.

    :raises TimeoutError: it does not answer.
    :raises ConnectionError: it ended instead.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(str(control))
        with connection.makefile("rw") as stream:
            stream.write(json.dumps({"do": do, **what}) + "\n")
            stream.flush()
            answer = stream.readline()
    if not answer:
        raise ConnectionError(f"{control.name}: no answer to '{do}'")
    return json.loads(answer)
