"""A session with a real SoftHSM token."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from integration.hsm.authority import opened, settings
from integration.softhsm import SoftToken, make_token

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    BusyError,
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.keys import prove_pair
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import open_token
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.algorithms import ALGORITHM_NAMES, algorithm_of


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHM_NAMES if name != "rsa-4096"])
def test_a_key_signs_in_the_session_that_made_it_and_in_the_next(soft_token: SoftToken, algorithm: str) -> None:
    with opened(soft_token) as token:
        public_key = token.generate_key("ca", algorithm).public_key()
        assert algorithm_of(public_key).value == algorithm
    with opened(soft_token) as token:
        key = token.get_key("ca", public_key=public_key)
        prove_pair(public_key, key)
        assert algorithm_of(key).value == algorithm


@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048", "ed25519"])
def test_the_key_can_do_nothing_but_sign_and_never_leaves(soft_token: SoftToken, algorithm: str) -> None:
    """Asked of the token itself, not of our code: attributes, and an attempt to read the secret."""
    with opened(soft_token) as token:
        token.generate_key("ca", algorithm)
        private = next(token._session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}))
        yes = ("SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "SIGN", "PRIVATE", "TOKEN")
        no = ("EXTRACTABLE", "DECRYPT", "UNWRAP", "DERIVE")
        assert {name: bool(private[pkcs11.Attribute[name]]) for name in (*yes, *no)} == {
            **dict.fromkeys(yes, True),
            **dict.fromkeys(no, False),
        }
        secret = pkcs11.Attribute.PRIVATE_EXPONENT if algorithm == "rsa-2048" else pkcs11.Attribute.VALUE
        with pytest.raises(pkcs11.AttributeSensitive):
            private[secret]


def test_pkcs11_tool_agrees(soft_token: SoftToken) -> None:
    """OpenSC's view of the key: usage sign; always sensitive, never extractable, local."""
    with opened(soft_token) as token:
        token.generate_key("ca", "ec-p256")
    command = ["pkcs11-tool", "--module", soft_token.module, "--token-label", soft_token.label, "--list-objects"]
    pin = {**os.environ, "TEST_PIN": soft_token.pin}
    shown = subprocess.run(
        [*command, "--login", "--pin", "env:TEST_PIN"], env=pin, check=True, capture_output=True, text=True
    )
    assert "Usage:      sign\n" in shown.stdout
    assert "Access:     sensitive, always sensitive, never extractable, local" in shown.stdout


def test_a_label_is_taken_once(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        token.generate_key("ca", "ec-p256")
        with pytest.raises(StateError, match="already holds a key labelled 'ca'"):
            token.generate_key("ca", "ec-p256")
        assert token.delete_key("ca")
        assert not token.delete_key("ca")
        assert token.find_key("ca") is None


def _raw_pair(token: Any, label: str, identifier: bytes, *, extractable: bool = False) -> tuple[Any, Any]:
    """A pair made behind our back, as another program would."""
    private = {pkcs11.Attribute.EXTRACTABLE: extractable}
    public_half, private_half = token._session.generate_keypair(
        pkcs11.KeyType.RSA, 2048, store=True, label=label, id=identifier, private_template=private
    )
    return public_half, private_half


def test_nothing_chooses_between_keys_of_one_label(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        for identifier in (b"1", b"2"):
            _raw_pair(token, "ca", identifier)
        for ask in (token.find_key, token.get_key, token.find_public_key, token.delete_key, token.has_key):
            with pytest.raises(StateError, match="holds 2 keys labelled 'ca', and nothing tells which"):
                ask("ca")


def test_half_a_pair_is_an_error_and_not_an_absent_key(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        _public, private = _raw_pair(token, "ca", b"1")
        private.destroy()
        with pytest.raises(StateError, match="the public half of the key 'ca', and not its private half"):
            token.find_key("ca")
        assert token.delete_key("ca")


def test_halves_of_two_pairs_are_not_one(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        _raw_pair(token, "ca", b"1")[0].destroy()
        _raw_pair(token, "ca", b"2")[1].destroy()
        with pytest.raises(StateError, match="are not halves of one pair"):
            token.find_key("ca")


def test_a_token_without_public_halves_takes_them_from_the_certificate(soft_token: SoftToken) -> None:
    """RSA private keys tell their public half, EC ones do not."""
    with opened(soft_token) as token:
        public_key = token.generate_key("ec", "ec-p256").public_key()
        token.generate_key("rsa", "rsa-2048")
        for public in list(token._session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY})):
            public.destroy()
        prove_pair(public_key, token.get_key("ec", public_key=public_key))
        prove_pair(token.get_key("rsa").public_key(), token.get_key("rsa"))
        with pytest.raises(StateError, match="Give the certificate of the key"):
            token.get_key("ec")
        with pytest.raises(StateError, match="does not belong to the public key"):
            token.get_key("ec", public_key=ec.generate_private_key(ec.SECP256R1()).public_key())


def test_a_foreign_key_that_can_leave_is_refused_where_that_matters(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        _raw_pair(token, "loose", b"1", extractable=True)
        with pytest.raises(StateError, match=r"not one that signs and never leaves it \(CKA_EXTRACTABLE\)"):
            token.require_unextractable("loose")


def test_a_missing_key_is_named(soft_token: SoftToken) -> None:
    with opened(soft_token) as token, pytest.raises(StateError, match="'privatespace' holds no key labelled 'nope'"):
        token.get_key("nope")


@pytest.mark.parametrize("label", ["", "x" * 65])
def test_a_bad_label_is_refused(soft_token: SoftToken, label: str) -> None:
    with opened(soft_token) as token, pytest.raises(InputError, match="must have 1 to 64 characters"):
        token.find_key(label)


def test_public_keys_are_seen_without_a_login_and_nothing_else(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        public_key = token.generate_key("ca", "ec-p256").public_key()
    with open_token(settings(soft_token, pin=None), lock=exclusive_lock, login=False) as token:
        assert token.find_public_key("ca") == public_key
        assert token.find_public_key("nope") is None
        with pytest.raises(StateError, match="nobody logged in"):
            token.find_key("ca")


def test_a_wrong_pin_is_tried_once(soft_token: SoftToken) -> None:
    """... and the right one works afterwards: one wrong attempt was made, and it left no session behind."""
    with (
        pytest.raises(TokenError, match=r"is wrong\. It was tried once") as refused,
        open_token(settings(soft_token, pin="wrong-pin-4711"), lock=exclusive_lock),
    ):
        pass
    assert "wrong-pin-4711" not in f"{refused.value!r} {refused.value.__context__!r}"
    with opened(soft_token) as token:
        assert token.find_key("ca") is None


def test_a_token_made_after_the_library_was_loaded_is_seen(soft_token: SoftToken) -> None:
    with opened(soft_token):
        pass
    other = make_token(soft_token.configuration.parent, label="later")
    with opened(other) as token:
        assert token.find_key("ca") is None


def test_a_second_process_waits_and_then_says_so(soft_token: SoftToken) -> None:
    """... with an error that names the token, instead of corrupting it."""
    with (
        opened(soft_token),
        pytest.raises(BusyError, match=r"The token 'privatespace' is in use by another run"),
        open_token(settings(soft_token, lock_wait_seconds=0.1), lock=exclusive_lock),
    ):
        pass


def test_several_processes_make_all_their_keys(soft_token: SoftToken, tmp_path: Path) -> None:
    """SoftHSM loses operations of concurrent processes; under the lock none is lost."""
    program = tmp_path / "make.py"
    program.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "import conftest\n"
        "from integration.softhsm import SoftToken\n"
        "from integration.hsm.authority import opened\n"
        "from pathlib import Path\n"
        "for number in range(10):\n"
        "    with opened(SoftToken(*sys.argv[2:5], Path(sys.argv[5]))) as token:\n"
        "        token.generate_key(f'{sys.argv[1]}-{number}', 'ec-p256')\n",
        encoding="utf-8",
    )
    arguments = [soft_token.module, soft_token.label, soft_token.pin, str(soft_token.configuration)]
    started = [subprocess.Popen([sys.executable, str(program), str(which), *arguments]) for which in range(3)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    with opened(soft_token) as token:
        assert all(token.find_key(f"{which}-{number}") for which in range(3) for number in range(10))


def test_a_token_that_disappears_is_a_clear_error(soft_token: SoftToken) -> None:
    """Signing on a closed session is what a pulled token looks like."""
    with opened(soft_token) as token:
        key = token.generate_key("ca", "ec-p256")
    with pytest.raises(CollectionError, match="The token failed while signing: "):
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))


def test_a_token_that_is_taken_away_from_an_open_session(soft_token: SoftToken) -> None:
    """The files of SoftHSM's token go while somebody is logged in: the next signature fails with what to do."""
    with opened(soft_token) as token:
        key = token.generate_key("ca", "ec-p256")
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))
        shutil.rmtree(soft_token.objects_folder)
        with pytest.raises(TokenError, match="The token failed while signing: ") as failed:
            key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    assert "Check that the token is connected" in failed.value.remedy
    assert "run again" in failed.value.remedy


def test_blanks_at_the_end_of_a_label_do_not_count(soft_token: SoftToken) -> None:
    """PKCS#11 pads labels with them, and some tools show the padding."""
    padded = replace(settings(soft_token), token=f"{soft_token.label}   ")
    assert padded.lock_path == settings(soft_token).lock_path, "one lock for one token"
    with open_token(padded, lock=exclusive_lock) as token:
        assert token.find_key("ca") is None


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_pss_in_the_token(soft_token: SoftToken, digest: Any) -> None:
    form = padding.PSS(padding.MGF1(digest), digest.digest_size)
    with opened(soft_token) as token:
        key = token.generate_key("ca", "rsa-2048")
        key.public_key().verify(key.sign(b"x", form, digest), b"x", form, digest)


def test_a_run_with_a_deadline_works_like_one_without(soft_token: SoftToken) -> None:
    """The thread that watches never talks to the token, and is gone when the token is closed."""
    threads = threading.active_count()
    never = settings(soft_token, timeout_seconds=60.0, give_up=pytest.fail)
    for _round in range(3):
        with open_token(never, lock=exclusive_lock) as token:
            assert threading.active_count() == threads + 1
            key = token.find_key("ca") or token.generate_key("ca", "ec-p256")
            for _signature in range(100):
                key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    assert threading.active_count() == threads


def test_the_public_half_is_an_ordinary_key(soft_token: SoftToken) -> None:
    with opened(soft_token) as token:
        pem = token.generate_key("ca", "ec-p384").public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )  # fmt: skip
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----")
