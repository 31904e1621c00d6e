"""The module hsm_key against a real SoftHSM token."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from integration.run_module import RunModule
from integration.softhsm import SoftToken, make_token


def _files(token: SoftToken) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in token.objects_folder.rglob("*") if path.is_file()}


def test_a_key_is_made_once_and_destroyed_once(run_module: RunModule, soft_token: SoftToken) -> None:
    """Check, real, check, real for both states: the change is told before, made once, and never again."""
    options = {**soft_token.options, "hsm_key_label": "ca"}

    planned = run_module("hsm_key", options, check=True, diff=True)
    assert planned.changed
    assert "public_key" not in planned.values
    made = run_module("hsm_key", options)
    assert made.changed
    assert made["extractable"] is False
    key = load_pem_public_key(made["public_key"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    checked = run_module("hsm_key", options, check=True)
    assert (checked.changed, checked["public_key"]) == (False, made["public_key"])
    again = run_module("hsm_key", options)
    assert (again.changed, again["fingerprint"], again["extractable"]) == (False, made["fingerprint"], False)

    absent = {**options, "state": "absent"}
    assert run_module("hsm_key", absent, check=True).changed
    assert run_module("hsm_key", absent).changed
    assert not run_module("hsm_key", absent).changed


def test_check_mode_neither_logs_in_nor_writes(run_module: RunModule, soft_token: SoftToken) -> None:
    """A wrong PIN goes unnoticed because it is not used, and no byte of the token changes."""
    before = _files(soft_token)
    run_module("hsm_key", {**soft_token.options, "hsm_pin": "not-the-pin"}, check=True)
    assert _files(soft_token) == before


@pytest.mark.parametrize("algorithm", ["ec-p384", "rsa-2048", "ed25519"])
def test_other_kinds_and_the_diff(run_module: RunModule, soft_token: SoftToken, algorithm: str) -> None:
    options = {**soft_token.options, "algorithm": algorithm, "hsm_key_label": algorithm}
    result = run_module("hsm_key", options, diff=True)
    assert result["algorithm"] == algorithm
    assert algorithm in result["diff"]["after"]
    assert "PRIVATE" not in result.output


def test_a_key_of_another_kind_is_not_replaced(run_module: RunModule, soft_token: SoftToken) -> None:
    made = run_module("hsm_key", soft_token.options)
    refused = run_module("hsm_key", {**soft_token.options, "algorithm": "ec-p384"}, fails=True)
    assert refused.message == (
        "The key 'ca' in the token is of the kind ec-p256, not ec-p384. "
        "It is not replaced. Correct 'algorithm', or choose another label for a new key."
    )
    assert run_module("hsm_key", soft_token.options)["fingerprint"] == made["fingerprint"]


def test_the_pin_comes_from_a_file_or_the_environment(
    run_module: RunModule, soft_token: SoftToken, tmp_path: Path
) -> None:
    """... and a file that others can read is refused, as is having no PIN at all."""
    options = {"hsm_module": soft_token.module, "hsm_token": soft_token.label}
    path = tmp_path / "pin"
    path.write_text(f"{soft_token.pin}\n", encoding="utf-8")

    path.chmod(0o640)
    refused = run_module("hsm_key", {**options, "hsm_pin_file": str(path)}, fails=True)
    assert "is open to others (mode 0640). Run: chmod 0400" in refused.message
    path.chmod(0o400)
    assert run_module("hsm_key", {**options, "hsm_pin_file": str(path)}).changed
    assert not run_module("hsm_key", options, environment={"PRIVATESPACE_HSM_PIN": soft_token.pin}).changed
    missing = run_module("hsm_key", options, fails=True)
    assert missing.message.startswith("There is no PIN for the token 'privatespace'. Give hsm_pin or hsm_pin_file")


def test_a_wrong_pin_is_one_clear_error_and_shown_nowhere(run_module: RunModule, soft_token: SoftToken) -> None:
    canary = "canary-pin-58231"
    refused = run_module("hsm_key", {**soft_token.options, "hsm_pin": canary}, diff=True, fails=True)
    assert refused.message.startswith("The PIN of the token 'privatespace' is wrong. It was tried once")
    assert canary not in refused.output


def test_a_missing_token_is_named_with_those_there_are(run_module: RunModule, soft_token: SoftToken) -> None:
    make_token(soft_token.configuration.parent, label="other")
    refused = run_module("hsm_key", {**soft_token.options, "hsm_token": "nowhere"}, fails=True)
    assert "There is no token labelled 'nowhere'" in refused.message
    assert "'privatespace'" in refused.message
    assert "'other'" in refused.message


def test_a_missing_library_is_named(run_module: RunModule, soft_token: SoftToken) -> None:
    refused = run_module("hsm_key", {**soft_token.options, "hsm_module": "/nonexistent/lib.so"}, fails=True)
    assert refused.message == (
        "There is no PKCS#11 library at '/nonexistent/lib.so'. "
        "Install the software of the token on this host, or correct hsm_module."
    )
