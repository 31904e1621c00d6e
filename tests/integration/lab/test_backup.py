"""The restore drill: the authority is backed up, lost, brought back, and everybody goes on as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.lab.lab_run import PAGE, Playbooks
from privatespace_lab.remote import Client, LabHost

STATE = "/var/lib/privatespace/authority"
TOKENS = "/var/lib/softhsm/tokens"
COUNT = """
import sqlite3
store = sqlite3.connect("file:/var/lib/privatespace/authority/authority.db?mode=ro", uri=True)
print(store.execute("select state, count(*) from certificates group by state").fetchall())
"""
CRL_NUMBER = f"openssl crl -noout -crlnumber -in {STATE}/crl.pem"


@pytest.fixture(scope="module")
def archive(playbooks: Playbooks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup from before everything that happens here."""
    playbooks.add("alice", "laptop")
    playbooks.add("oscar", "laptop")
    folder = tmp_path_factory.mktemp("backups")
    outcome = playbooks.succeed("backup", variables={"backup_folder": str(folder)})
    assert "holds no key of a certification authority" in outcome.output
    (made,) = folder.iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
    return made


def counted(authority: LabHost) -> str:
    """How many certificates of each state the store knows."""
    return authority.run(f"/opt/privatespace/authority/bin/python - <<'END'\n{COUNT}END")


def test_what_was_lost_comes_back_and_everybody_goes_on(
    alice: Client, bob: Client, archive: Path, playbooks: Playbooks, authority: LabHost
) -> None:
    alice.install_profile(playbooks.add("alice", "laptop"))
    alice.connect(protocol="udp", address=playbooks.addresses["gateway1"])
    before, number = counted(authority), authority.run(CRL_NUMBER)
    authority.run(f"rm -rf {STATE}")
    refused = playbooks.run("user_add", variables={"user_name": "trent"})
    assert refused.status != 0
    assert alice.fetch(PAGE) is not None, "the authority is not needed by who is connected"

    assert playbooks.run("restore", "--check", variables={"backup_archive": str(archive)}).status == 0
    assert not authority.succeeds(f"test -e {STATE}/authority.db"), "check mode restored something"
    playbooks.succeed("restore", variables={"backup_archive": str(archive)})
    assert counted(authority) == before
    assert authority.run(CRL_NUMBER) > number
    assert authority.run(f"stat -c %a {STATE}/authority.db {STATE}/tls-crypt-v2-server.key").split() == ["600", "600"]
    playbooks.succeed("crl_refresh")
    assert playbooks.succeed("site", "--limit", "authority1").changed == 0

    playbooks.remove("oscar")
    bob.install_profile(playbooks.profiles / "oscar@laptop.ovpn")
    bob.start(protocol="udp", address=playbooks.addresses["gateway1"])
    assert not bob.is_connected_within(6), "a removal after the restore let its user in"
    bob.stop()
    bob.install_profile(playbooks.add("peggy", "laptop"))
    bob.connect(protocol="tcp", address=playbooks.addresses["gateway2"])
    assert bob.fetch(PAGE) is not None
    for user in ("oscar", "peggy"):
        (playbooks.profiles / f"{user}@laptop.ovpn").unlink()


def test_an_older_backup_does_not_forget_a_removal(archive: Path, playbooks: Playbooks, authority: LabHost) -> None:
    """The store knows of oscar's removal, and the archive does not."""
    before = counted(authority)
    outcome = playbooks.run("restore", variables={"backup_archive": str(archive)})
    assert outcome.status != 0
    assert "force" in outcome.output
    assert counted(authority) == before


def test_without_the_token_it_says_what_cannot_be_done(archive: Path, playbooks: Playbooks, authority: LabHost) -> None:
    authority.run(
        f"mv {TOKENS} {TOKENS}.away && install -d -o root -g softhsm -m 1770 {TOKENS} && mv {STATE} {STATE}.away"
    )
    try:
        outcome = playbooks.run("restore", variables={"backup_archive": str(archive)})
        assert outcome.status != 0
        assert not authority.succeeds(f"test -e {STATE}/authority.db")
        told = playbooks.run("restore", variables={"backup_archive": str(archive), "restore_require_token": "false"})
        assert told.status == 0, told.output
        assert "nobody can be revoked by CRL" in told.output
        refused = playbooks.run("site", "--limit", "authority")
        assert refused.status != 0
        assert "A new token would not hold its key" in refused.output
    finally:
        authority.run(f"rm -rf {STATE} {TOKENS} && mv {STATE}.away {STATE} && mv {TOKENS}.away {TOKENS}")
    assert playbooks.succeed("site", "--limit", "authority1").changed == 0
