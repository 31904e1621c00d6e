# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that keeps the certificate which browsers see; ``acme --help`` tells what it can do besides."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import AcmeSettings, parse_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.state import State, parse_state, show
from ansible_collections.privatespace.gateway.plugins.module_utils._agent.acme_attempt import Attempt
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    BusyError,
    CollectionError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import epoch_seconds
from ansible_collections.privatespace.gateway.plugins.module_utils._host.commands import run_command
from ansible_collections.privatespace.gateway.plugins.module_utils._host.files import read_optional, write_atomic
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock

CONFIGURATION = Path("/etc/privatespace/acme.json")
STATE_MODE = 0o644
# Whoever has the lock may be waiting for a CA.
LOCK_SECONDS = 900
REASONS = ("unspecified", "keycompromise", "affiliationchanged", "superseded", "cessationofoperation")
_REMEDY = "The playbook site writes it."


def main(arguments: Sequence[str]) -> int:
    """Keep the certificate, or only tell; returns the exit status, which is 1 where something is wrong."""
    asked = _parse(arguments)
    try:
        settings = load_settings(asked.config)
        path = Path(settings.places.work_folder) / "state.json"
        if asked.validate:
            return 0
        if asked.show:
            _print(show(_read_state(path), now=epoch_seconds()))
            return 0
        if asked.check:
            return _preview(settings, asked)
        return _work(settings, path, asked)
    except (CollectionError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def load_settings(path: Path) -> AcmeSettings:
    """Read the configuration.

    :raises CollectionError: something is missing or wrong; no secret is in the message.
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
    parser = argparse.ArgumentParser(prog="acme", description="Keeps the certificate that browsers see.")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="look at names and CAA records; the CA is not asked")
    either.add_argument("--show", action="store_true", help="print the state as JSON")
    either.add_argument("--now", action="store_true", help="do not wait after a failure, unless the CA said so")
    either.add_argument("--renew", action="store_true", help="have a new certificate, whatever the age of this one")
    either.add_argument("--revoke", action="store_true", help="take the certificate out of service and revoke it")
    either.add_argument("--validate", action="store_true", help="only look whether the configuration can be used")
    parser.add_argument("--reason", choices=REASONS, default=REASONS[0], help="for --revoke; default: %(default)s")
    parser.add_argument("--config", type=Path, default=CONFIGURATION, help="default: %(default)s")
    parser.add_argument("--resolver", action="append", help="who is asked for name servers, instead of the host's own")
    parser.add_argument("--dns-port", type=int, default=53, help="the port of name servers; default: %(default)s")
    return parser.parse_args(list(arguments))


def _work(settings: AcmeSettings, path: Path, asked: argparse.Namespace) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _work_alone(settings, path, asked)
    except BusyError as error:
        if asked.now or asked.renew:
            last = show(_read_state(path), now=epoch_seconds())
            _print({**last, "problem": str(error), "changed": False})
        raise


def _work_alone(settings: AcmeSettings, path: Path, asked: argparse.Namespace) -> int:
    with exclusive_lock(path.parent / "lock", wait_seconds=LOCK_SECONDS, what="The certificate of this gateway"):
        last, now = _read_state(path), epoch_seconds()
        attempt = Attempt(settings, last, now=now, resolver=asked.resolver, port=asked.dns_port)
        if asked.revoke:
            state = attempt.revoke(reason=asked.reason)
        else:
            state = attempt.run(asked_for=asked.now or asked.renew, force=asked.renew)
        write_atomic(path, (json.dumps(state.as_dict()) + "\n").encode(), mode=STATE_MODE)
    note = _schedule(settings, state, now=now)
    if note:
        state = replace(state, notes=(*state.notes, note))
    for line in news(last, state):
        sys.stderr.write(f"{line}\n")
    if asked.now or asked.renew or asked.revoke:
        changed = (last.fingerprint, last.loaded) != (state.fingerprint, state.loaded)
        _print({**show(state, now=now), "changed": changed})
    return 1 if state.problem else 0


def _preview(settings: AcmeSettings, asked: argparse.Namespace) -> int:
    attempt = Attempt(settings, State(), now=epoch_seconds(), resolver=asked.resolver, port=asked.dns_port)
    sys.stdout.write(f"{', '.join(settings.names)} from {settings.directory} by {settings.challenge}\n")
    try:
        notes = attempt.check()
    except CollectionError as error:
        sys.stdout.write(f"  ! {error}\n")
        return 1
    for note in notes:
        sys.stdout.write(f"  {note}\n")
    sys.stdout.write("  The CA can be asked.\n")
    return 0


def _schedule(settings: AcmeSettings, state: State, *, now: float) -> str:
    """Have systemd try again after a failure, besides what the timer does; a note where it cannot."""
    if not settings.retry_unit:
        return ""
    unit = f"{settings.retry_unit.partition('.')[0]}-retry"
    try:
        run_command(("systemctl", "stop", f"{unit}.timer"), timeout_seconds=30, check=False)
        _try_again(settings, state, unit, now=now)
    except CollectionError as error:
        return f"The next attempt is that of the timer, in six hours at most: {error}"
    return ""


def _try_again(settings: AcmeSettings, state: State, unit: str, *, now: float) -> None:
    if state.problem and state.retry_at > now:
        seconds = int(state.retry_at - now) + 1
        start = ("systemctl", "start", "--no-block", settings.retry_unit)
        words = ("--quiet", "--collect", f"--unit={unit}", f"--on-active={seconds}", "--timer-property=AccuracySec=5s")
        run_command(("systemd-run", *words, *start), timeout_seconds=30)


def _read_state(path: Path) -> State:
    try:
        return parse_state(json.loads(read_optional(path) or b"{}"))
    except ValueError:
        return State()


def _print(facts: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(facts, indent=2, sort_keys=True) + "\n")


def news(last: State, state: State) -> list[str]:
    """A line for each change, and nothing while all stays as it was."""
    lines = []
    if state.fingerprint and state.fingerprint != last.fingerprint:
        end = datetime.fromtimestamp(state.not_after, timezone.utc)
        lines.append(f"{', '.join(state.names)}: certificate of {state.issuer}, good until {end:%Y-%m-%d %H:%M} UTC")
    if state.revoked and not last.revoked:
        lines.append("The certificate was taken out of service.")
    lines += [note for note in state.notes if note not in last.notes]
    if state.problem and state.problem != last.problem:
        lines.append(state.problem)
    elif last.problem and not state.problem:
        lines.append("The certificate is as it should be again.")
    return lines
