"""Signatures by a process of their own: in order, with every failure told, and nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pkcs11.types
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from integration.softhsm import SoftToken

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._host.locks import exclusive_lock
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.errors import TokenError
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.signing_process import (
    MESSAGES_A_PART,
    PARTS_AHEAD,
    signing_process,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.software_keys import generate_private_key
from ansible_collections.privatespace.gateway.plugins.module_utils._hsm.token import TokenSettings, open_token
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.leaf_template import signing_function

MANY = (PARTS_AHEAD + 3) * MESSAGES_A_PART + 7


def settings(token: SoftToken, **more: Any) -> TokenSettings:
    return TokenSettings(token.module, token.label, **{"pin": token.pin, **more})


def opened(token: SoftToken, **more: Any) -> Any:
    return signing_process(settings(token, **more), lock=exclusive_lock, signing_function=signing_function)


def make_key(token: SoftToken, algorithm: str = "ec-p256") -> Any:
    with open_token(settings(token), lock=exclusive_lock) as session:
        return session.generate_key("ca", algorithm).public_key()


def messages(count: int) -> Iterator[bytes]:
    return (b"message %d" % number for number in range(count))


def children() -> list[int]:
    """The processes that this one started and that did not end."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return [int(pid) for pid in found]


@pytest.fixture
def failing_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Let the library do something else after so many signatures; the other process inherits that."""

    def arrange(signatures: int, then: Callable[[], None]) -> None:
        real, left = pkcs11.types.SignMixin.sign, [signatures]

        def sign(self: Any, *arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                then()
            return real(self, *arguments, **options)

        monkeypatch.setattr(pkcs11.types.SignMixin, "sign", sign)

    return arrange


@pytest.mark.parametrize("count", [0, 1, MESSAGES_A_PART, MESSAGES_A_PART + 1, MANY])
def test_every_message_is_signed_in_its_order(soft_token: SoftToken, count: int) -> None:
    public_key = make_key(soft_token)
    before = children()
    with opened(soft_token) as use_key:
        signatures = list(use_key("ca", public_key, pss=False)(messages(count)))
    assert len(signatures) == count
    for message, signature in zip(messages(count), signatures, strict=True):
        public_key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    assert children() == before


def test_large_signatures_and_large_messages_do_not_block_each_other(soft_token: SoftToken) -> None:
    """Both pipes fill at once: more is under way than they take."""
    public_key = make_key(soft_token, "rsa-2048")
    large = [bytes([number % 256]) * 20_000 for number in range(300)]
    with opened(soft_token) as use_key:
        signatures = list(use_key("ca", public_key, pss=True)(large))
    form = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    for message, signature in zip(large, signatures, strict=True):
        public_key.verify(signature, message, form, hashes.SHA256())


def test_what_is_under_way_is_bounded(soft_token: SoftToken) -> None:
    """Messages are made while others are signed, and not all of them before the first."""
    public_key, made = make_key(soft_token), 0

    def counted() -> Iterator[bytes]:
        nonlocal made
        for message in messages(MANY):
            made += 1
            yield message

    with opened(soft_token) as use_key:
        signatures = use_key("ca", public_key, pss=False)(counted())
        next(signatures)
        assert made <= PARTS_AHEAD * MESSAGES_A_PART
        assert len(list(signatures)) == MANY - 1


def test_a_wrong_pin_is_told(soft_token: SoftToken) -> None:
    public_key = make_key(soft_token)
    with opened(soft_token, pin="wrong") as use_key, pytest.raises(CollectionError, match=r"PIN .* is wrong"):
        use_key("ca", public_key, pss=False)


def test_a_key_that_is_not_there_or_not_the_right_one_is_told(soft_token: SoftToken) -> None:
    public_key = make_key(soft_token)
    with opened(soft_token) as use_key, pytest.raises(CollectionError, match="has no key 'other'"):
        use_key("other", public_key, pss=False)
    stranger = generate_private_key("ec-p256").public_key()
    with opened(soft_token) as use_key, pytest.raises(CollectionError, match="does not belong"):
        use_key("ca", stranger, pss=False)


def collect(signatures: Iterator[bytes]) -> tuple[int, str]:
    """How many came, and what ended them."""
    count = 0
    try:
        for _signature in signatures:
            count += 1
    except TokenError as error:
        return count, str(error)
    pytest.fail("nothing failed")


@pytest.mark.parametrize("signed", [0, 1, MESSAGES_A_PART, 2 * MESSAGES_A_PART + 50])
def test_a_token_that_fails_gives_what_it_signed_before(
    soft_token: SoftToken, failing_after: Callable[..., None], signed: int
) -> None:
    def fail() -> None:
        raise pkcs11.DeviceRemoved

    public_key = make_key(soft_token)
    failing_after(1 + signed, fail)
    with opened(soft_token) as use_key:
        count, message = collect(use_key("ca", public_key, pss=False)(messages(MANY)))
    assert count == signed
    assert "DeviceRemoved" in message
    assert "run again" in message


def test_a_token_that_hangs_ends_the_other_process_only(
    soft_token: SoftToken, failing_after: Callable[..., None]
) -> None:
    def fail() -> None:
        raise AssertionError

    public_key = make_key(soft_token)
    failing_after(1 + MESSAGES_A_PART, lambda: time.sleep(60))
    before = children()
    with opened(soft_token, timeout_seconds=1.0, give_up=lambda _message: fail()) as use_key:
        count, message = collect(use_key("ca", public_key, pss=False)(messages(MANY)))
    assert count == MESSAGES_A_PART
    assert "did not answer" in message
    assert children() == before


def test_a_process_that_is_killed_is_told(soft_token: SoftToken) -> None:
    public_key = make_key(soft_token)
    before = set(children())
    with opened(soft_token) as use_key:
        sign = use_key("ca", public_key, pss=False)
        (other,) = set(children()) - before
        os.kill(other, signal.SIGKILL)
        count, message = collect(sign(messages(MANY)))
    assert count == 0
    assert "has ended" in message


def test_an_error_in_the_block_leaves_no_process_behind(soft_token: SoftToken) -> None:
    public_key, before = make_key(soft_token), children()

    def fail() -> None:
        with opened(soft_token) as use_key:
            next(use_key("ca", public_key, pss=False)(messages(MANY)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert children() == before
    with open_token(settings(soft_token), lock=exclusive_lock) as session:
        assert session.has_key("ca"), "the lock of the token is free again"
