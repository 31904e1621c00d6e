"""What goes wrong with a token, through whole modules and a real SoftHSM: one clear error, and the old state intact.

SoftHSM counts no wrong PINs and never locks one. What a token answers that does is in tests/unit/hsm/test_token.py,
with the exceptions of python-pkcs11 and a double behind it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from integration.hsm.authority import opened
from integration.pki.authority_host import AuthorityHost, bare_host, host, template
from integration.softhsm import make_token
from pkcs11 import _pkcs11

__all__ = ["bare_host", "host", "template"]

SPIES = sorted(Path("/usr").glob("lib*/**/pkcs11-spy.so"))
BATCH = 1500
TIMEOUT_SECONDS = 60
DELAY_SECONDS = 0.002


def _store(authority: AuthorityHost) -> dict[Path, bytes]:
    """What the authority knows, to the byte."""
    return {path: path.read_bytes() for path in authority.folder.rglob("*") if path.is_file()}


def _swap_key(authority: AuthorityHost) -> None:
    with opened(authority.token) as token:
        token.delete_key("ca")
        token.generate_key("ca", "ec-p256")


def _delete_key(authority: AuthorityHost) -> None:
    with opened(authority.token) as token:
        token.delete_key("ca")


def _make_tokens_a_file(authority: AuthorityHost) -> None:
    shutil.rmtree(authority.token.objects_folder)
    authority.token.objects_folder.write_text("not a folder", encoding="ascii")


def _lose_configuration(authority: AuthorityHost) -> None:
    authority.token.configuration.unlink()


def _add_namesake(authority: AuthorityHost) -> None:
    make_token(authority.token.configuration.parent)


def _empty_token_file(authority: AuthorityHost) -> None:
    """What a process leaves that is killed between truncating the file and writing it; no copy of it is left either."""
    (token_file,) = authority.token.objects_folder.glob("*/token.object")
    token_file.write_bytes(b"")
    for copy in token_file.parent.glob("token.object?*"):
        copy.unlink()


UNREADABLE = "starting its library: GeneralError. Check that hsm_module is the library of a token, that its service"
FAULTS: dict[str, tuple[Callable[[AuthorityHost], None], str]] = {
    "key-deleted": (_delete_key, "has no key 'ca', though the store knows the authority of that key. Restore"),
    "key-swapped": (_swap_key, "The private key in the token does not belong to the public key"),
    "token-missing": (
        lambda there: shutil.rmtree(there.token.objects_folder),
        UNREADABLE,
    ),
    "tokens-not-a-folder": (_make_tokens_a_file, UNREADABLE),
    "configuration-missing": (_lose_configuration, UNREADABLE),
    "two-of-one-label": (_add_namesake, "2 tokens are labelled 'privatespace'; their serials are"),
    "token-file-empty": (_empty_token_file, "look whether its file token.object is empty"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_of_the_token_is_one_clear_error(host: AuthorityHost, fault: str) -> None:
    """Nobody is issued, the store stays as it was, and neither PIN nor traceback is shown."""
    host.users("alice")
    spoil, message = FAULTS[fault]
    spoil(host)
    before = _store(host)
    refused = host.users("bob", {"name": "alice", "devices": [{"name": "default", "reissue": True}]}, fails=True)
    assert message in refused.message
    assert host.token.pin not in refused.output
    assert "Traceback" not in refused.output
    assert _store(host) == before


@pytest.mark.parametrize(
    ("library", "message"),
    [
        ("/nonexistent/libpkcs11.so", "There is no PKCS#11 library at '/nonexistent/libpkcs11.so'. Install the"),
        (__file__, "The token failed while starting its library: PKCS11Error OS exception while loading"),
        (_pkcs11.__file__, "The token failed while starting its library: PKCS11Error"),
    ],
    ids=["missing", "a-text", "not-a-library-of-tokens"],
)
def test_a_library_that_is_none_is_named(host: AuthorityHost, library: str, message: str) -> None:
    before = _store(host)
    refused = host("pki_users", {"users": [{"name": "bob"}], "hsm_module": library}, fails=True)
    assert message in refused.message
    assert _store(host) == before


def test_the_serial_chooses_between_tokens_of_one_label(host: AuthorityHost) -> None:
    """... and a serial that no token has is an error that lists those there are."""
    (folder,) = host.token.objects_folder.iterdir()
    serial = folder.name.replace("-", "")[-16:]
    _add_namesake(host)
    issued = host("pki_users", {"users": [{"name": "bob"}], "hsm_token_serial": serial})
    assert issued["counts"]["issued"] == 1
    refused = host("pki_users", {"users": [{"name": "carol"}], "hsm_token_serial": "0000"}, fails=True)
    assert "no token labelled 'privatespace' with the serial '0000'" in refused.message
    assert f"(serial '{serial}')" in refused.message


def test_a_token_whose_file_was_emptied_is_mended_by_any_older_copy(host: AuthorityHost) -> None:
    """The copy was made before the key: keys lie in files of their own, which no login writes."""
    (token_file,) = host.token.objects_folder.glob("*/token.object")
    copy = token_file.read_bytes()
    with opened(host.token) as token:
        key = token.generate_key("later", "ec-p256").public_key()
    host.users("alice")
    _empty_token_file(host)
    host.users("bob", fails=True)
    token_file.write_bytes(copy)
    assert host.users("bob")["counts"]["issued"] == 1
    with opened(host.token) as token:
        assert token.find_public_key("later") == key


def _spied(host: AuthorityHost, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """OpenSC's library that stands before another one and writes down every call, and its log."""
    assert SPIES, "pkcs11-spy.so is missing: apt-get install opensc"
    log = host.token.configuration.parent / "spy.log"
    monkeypatch.setenv("PKCS11SPY", host.token.module)
    monkeypatch.setenv("PKCS11SPY_OUTPUT", str(log))
    return str(SPIES[0]), log


def _calls(log: Path) -> Counter[str]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return Counter(line.split(": ", 1)[1] for line in lines if ": C_" in line and line.split(":", 1)[0].isdigit())


def test_a_wrong_pin_is_sent_to_the_token_once(host: AuthorityHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by a spy between module and token."""
    library, log = _spied(host, monkeypatch)
    before = _store(host)
    options = {"users": [{"name": "bob"}], "hsm_module": library}
    refused = host("pki_users", {**options, "hsm_pin": "wrong-pin-4711"}, fails=True)
    assert "The PIN of the token 'privatespace' is wrong. It was tried once" in refused.message
    assert "wrong-pin-4711" not in refused.output
    assert _calls(log)["C_Login"] == 1
    assert _store(host) == before
    assert host("pki_users", options)["counts"]["issued"] == 1


def test_a_batch_asks_a_token_for_nothing_that_some_tokens_lack(
    host: AuthorityHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One login, one session, no hashing in the token, no signature in parts, no search that never ends."""
    library, log = _spied(host, monkeypatch)
    users = [{"name": f"user{number}"} for number in range(20)]
    assert host("pki_users", {"users": users, "hsm_module": library})["counts"]["issued"] == 20
    calls = _calls(log)
    assert (calls["C_Initialize"], calls["C_OpenSession"], calls["C_Login"], calls["C_CloseSession"]) == (1, 1, 1, 1)
    assert 20 <= calls["C_SignInit"] <= 22, "a signature for each, and one that proves the pair"
    assert calls["C_FindObjectsInit"] == calls["C_FindObjectsFinal"]
    for lacking in ("C_SignUpdate", "C_SignFinal", "C_DigestInit", "C_GenerateRandom", "C_CreateObject", "C_SetPIN"):
        assert calls[lacking] == 0


def _start_batch(host: AuthorityHost) -> subprocess.Popen[str]:
    """A run over many users in a process of its own, which leaves its result in a file."""
    program = (
        "import json, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "import conftest\n"
        "from pathlib import Path\n"
        "from integration.pki.authority_host import AuthorityHost\n"
        "from integration.softhsm import SoftToken\n"
        "host = AuthorityHost(SoftToken(*sys.argv[1:4], Path(sys.argv[4])), Path(sys.argv[5]))\n"
        f"result = host.users(*(f'user{{n}}' for n in range({BATCH})), fails=True)\n"
        "print(json.dumps(result.message))\n"
    )
    token = host.token
    arguments = [token.module, token.label, token.pin, str(token.configuration), str(host.folder)]
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)


def test_a_token_that_disappears_in_the_middle_of_a_batch(host: AuthorityHost) -> None:
    """The run fails and names the token; what it handed out is known, and a rerun makes the rest, each once.

    The moment is when the intention of the batch is in the store and before its last signature is.
    """
    aside = host.token.objects_folder.with_name("aside")
    started = _start_batch(host)
    _wait_for_intention(host)
    host.token.objects_folder.rename(aside)
    output, _nothing = started.communicate(timeout=TIMEOUT_SECONDS)
    assert started.returncode == 0, "the batch was done before the token was gone"
    assert "The token failed while signing: " in output
    assert "run again" in output
    aside.rename(host.token.objects_folder)
    again = host.users(*(f"user{number}" for number in range(BATCH)))
    assert sum(again["counts"][outcome] for outcome in ("issued", "kept")) == BATCH
    assert host("pki_info")["counts"]["valid"] == BATCH


def _wait_for_intention(host: AuthorityHost) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with sqlite3.connect(f"file:{host.store}?mode=ro", uri=True) as store:
        while time.monotonic() < deadline:
            if store.execute("SELECT count(*) FROM certificates").fetchone()[0] > 0:
                return
            time.sleep(DELAY_SECONDS)
    pytest.fail("the batch did not begin")


def _hang(host: AuthorityHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library block inside the kernel: it reads its configuration from a pipe that nobody writes to."""
    pipe = host.token.configuration.with_name("pipe")
    os.mkfifo(pipe)
    monkeypatch.setenv("SOFTHSM2_CONF", str(pipe))


def test_a_token_that_hangs_ends_the_run(host: AuthorityHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was issued, and no lock is left behind."""
    before = host.store.read_bytes()
    _hang(host, monkeypatch)
    refused = host("pki_users", {"users": [{"name": "bob"}], "hsm_timeout": 1}, fails=True)
    assert refused.message.startswith("The token did not answer while starting its library, and this run was ended.")
    assert host.token.pin not in refused.output
    assert host.store.read_bytes() == before
    monkeypatch.setenv("SOFTHSM2_CONF", str(host.token.configuration))
    assert host.users("bob")["counts"]["issued"] == 1


def test_a_playbook_sees_a_token_that_hangs_as_a_failed_task(
    host: AuthorityHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hang(host, monkeypatch)
    assert host.run is not None
    refused = host.run("hsm_key", {**host.token.options, "hsm_timeout": 1}, fails=True)
    assert refused.message.startswith("The token did not answer while starting its library")


def test_a_negative_timeout_is_refused(host: AuthorityHost) -> None:
    refused = host("pki_users", {"users": [{"name": "bob"}], "hsm_timeout": -1}, fails=True)
    assert "The option 'hsm_timeout' is negative." in refused.message
