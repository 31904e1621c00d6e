# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program by which a gateway follows the CRL of its authority: ``revocation [--once | --show | --boot]``."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._agent.revocation_alarm import (
    read_state,
    start_units,
    tell_of_failure,
    write_state,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.revocation_run import Revocation
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_alarm import broken_off
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull import State, describe, news
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_pull_settings import (
    PullSettings,
    parse_settings,
)

CONFIGURATION = Path("/etc/privatespace/revocation.json")
STATE = Path("/var/lib/privatespace/revocation/state.json")
# Beside the state.
ENFORCED = "enforced"
_REMEDY = "The playbook site writes it."


def main(arguments: Sequence[str]) -> int:
    """Follow the CRL, or only tell; returns the exit status, which is 1 where something is wrong."""
    asked = _parse(arguments)
    now = epoch_seconds()
    try:
        if asked.failed is not None:
            tell_of_failure(asked.state, asked.failed, now=now)
            return 0
        if asked.validate:
            load_settings(asked.config)
            return 0
        if asked.show:
            return _show(read_state(asked.state), now=now)
        return _follow(asked, now=now)
    except CollectionError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _show(state: State, *, now: float) -> int:
    sys.stdout.write("\n".join(describe(state, now=now)) + "\n")
    return 1 if state.problem else 0


def _follow(asked: argparse.Namespace, *, now: float) -> int:
    last = read_state(asked.state)
    told: Sequence[str] = ()
    units: Sequence[str] = ()
    try:
        settings = load_settings(asked.config)
        units = settings.alarm_units
        asked.state.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        work = Revocation(settings, last, memory=asked.state.with_name(ENFORCED), now=now, at_boot=asked.boot)
        state = work.run()
        told = work.found.told
    except CollectionError as error:
        state = broken_off(last, str(error), now=now)
    except Exception as error:  # noqa: BLE001 - whatever it is, somebody has to be told that nothing is followed
        traceback.print_exc()
        state = broken_off(last, f"{type(error).__name__}: {shown(str(error))}", now=now)
    for line in (*told, *news(last, state)):
        sys.stderr.write(f"{line}\n")
    write_state(asked.state, state)
    if asked.once:
        _show(state, now=now)
    if state.warned > last.warned:
        start_units(units)
    # At the start of the system OpenVPN comes next, whatever was found; the timer tells of it a moment later.
    return 1 if state.problem and not asked.boot else 0


def load_settings(path: Path) -> PullSettings:
    """Read the configuration.

    :raises CollectionError: it is missing or wrong.
    """
    content = read_optional(path)
    if content is None:
        raise StateError(f"There is no {path}.", remedy=_REMEDY)
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise StateError(f"{path} is no JSON.", remedy=_REMEDY) from error
    if not isinstance(raw, Mapping):
        raise StateError(f"{path} holds no settings.", remedy=_REMEDY)
    return parse_settings(raw)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="revocation", description="Has this gateway follow the CRL.")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--once", action="store_true", help="look now, and print what is in place then")
    either.add_argument("--show", action="store_true", help="print what the last look has found; nothing is done")
    either.add_argument("--boot", action="store_true", help="look while OpenVPN waits, and not for long")
    either.add_argument("--validate", action="store_true", help="only look whether the configuration can be used")
    either.add_argument("--failed", nargs="*", metavar="UNIT", help="have it told that the last run has failed")
    parser.add_argument("--config", type=Path, default=CONFIGURATION, help="default: %(default)s")
    parser.add_argument("--state", type=Path, default=STATE, help="default: %(default)s")
    return parser.parse_args(list(arguments))
