"""Having units read their files again, with stand-ins for the programs that do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._host.resolver_files import apply_step


@pytest.mark.parametrize(
    ("unit", "active", "called"),
    [
        ("systemd-networkd", 0, ["systemctl is-active --quiet systemd-networkd", "networkctl reload"]),
        ("systemd-networkd", 3, ["systemctl is-active --quiet systemd-networkd"]),
        ("systemd-resolved", 0, ["systemctl try-reload-or-restart -- systemd-resolved"]),
    ],
)
def test_networkd_is_told_to_read_only_while_it_runs_and_is_never_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str, active: int, called: list[str]
) -> None:
    log = tmp_path / "log"
    for name in ("systemctl", "networkctl"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n[ "$1" != is-active ] || exit {active}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    apply_step(Path("/"), "reload", path=unit, content="")
    assert log.read_text().splitlines() == called
    apply_step(tmp_path, "reload", path=unit, content="")
    assert log.read_text().splitlines() == called
