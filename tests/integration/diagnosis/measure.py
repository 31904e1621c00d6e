"""A measurement as the module makes it, inside a namespace: options as JSON on standard input, the path as JSON out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe import measure
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.probe_settings import parse_probe_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.records import to_plain

if __name__ == "__main__":
    parameters = json.load(sys.stdin)
    try:
        path = measure(parse_probe_settings(parameters), lock=Path(parameters["lock"]))
    except CollectionError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    json.dump(to_plain(path), sys.stdout)
