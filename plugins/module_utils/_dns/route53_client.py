# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to Route 53: signed in, asked again when told to come back later, and their errors told apart."""

from __future__ import annotations

from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.missing import missing_library
from ansible_collections.privatespace.gateway.plugins.module_utils._core.redaction import redact
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.backoff import Patience
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.errors import (
    BadKeyError,
    LostRaceError,
    NameServerTimeoutError,
    NoZoneError,
    RefusedError,
    ServerFailedError,
    ThrottledError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._dns.provider_settings import ProviderSettings

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    boto3 = botocore = missing_library("boto3", remedy="Install python3-boto3, or boto3 by pip, where this runs.")

# Route 53 is one service for the whole world; its requests are signed for this region.
REGION = "us-east-1"

_THROTTLED = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
    "RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "PriorRequestNotComplete",
})  # fmt: skip
_REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"})
_BAD_KEY = frozenset({
    "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignatureException", "ExpiredToken",
    "ExpiredTokenException", "UnrecognizedClientException", "MissingAuthenticationToken", "AuthFailure",
    "MissingAuthenticationTokenException", "InvalidAccessKeyId", "IncompleteSignature", "RequestExpired",
    "RequestTimeTooSkewed", "NotSignedUp",
})  # fmt: skip
_NO_ZONE = frozenset({"NoSuchHostedZone", "HostedZoneNotFound"})
_RACE_SIGNS = ("but it was not found", "but it already exists", "do not match the current values", "values provided")
_OUTSIDE_SIGN = "is not permitted in zone"


class Route53Client:
    """A client that counts its calls."""

    def __init__(self, settings: ProviderSettings, patience: Patience) -> None:
        self.calls = 0
        self._patience = patience
        self._secrets = [one for one in (settings.secret_key,) if one]
        self._where = settings.endpoint_url or "Route 53"
        self._client = _make_client(settings)

    def call(self, operation: str, **arguments: Any) -> Any:
        """Call an operation by its name in boto3.

        :raises ThrottledError: told to come back later, each time, to the end of our patience.
        :raises CollectionError: another of those of ``_dns/errors.py``.
        """
        waits = self._patience.waits()
        while True:
            self.calls += 1
            try:
                return getattr(self._client, operation)(**arguments)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                explained = self._explain(operation, error)
                seconds = next(waits, None) if isinstance(explained, ThrottledError) else None
                if seconds is None:
                    raise explained from error
                self._patience.sleep(seconds)

    def _explain(self, operation: str, error: Exception) -> CollectionError:
        text = redact(str(error), secrets=self._secrets).rstrip(".")
        kinds = botocore.exceptions
        if isinstance(error, kinds.ClientError):
            return self._explain_answer(operation, error.response, text)
        if isinstance(error, (kinds.NoCredentialsError, kinds.PartialCredentialsError, kinds.CredentialRetrievalError)):
            return _no_credentials(text)
        if isinstance(error, (kinds.HTTPClientError, kinds.ConnectionError)):
            return NameServerTimeoutError(
                f"{self._where} did not answer ({text}).", remedy="Look whether HTTPS to it comes through from here."
            )
        return ServerFailedError(f"The call {operation} could not be made ({text}).")

    def _explain_answer(self, operation: str, response: Any, text: str) -> CollectionError:
        code = response.get("Error", {}).get("Code", "")
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _THROTTLED:
            return ThrottledError(
                f"{self._where} was asked too often ({code}).",
                remedy="All that uses this AWS account shares five requests a second: run this again later.",
            )
        if code in _REFUSED:
            return RefusedError(
                f"{self._where} does not allow {operation}: {text}.", remedy="Correct the IAM policy of this account."
            )
        if code in _BAD_KEY:
            return BadKeyError(
                f"{self._where} does not know who asks: {text}.",
                remedy="Correct the access key, the profile or the role, and see that the clock of this host is right.",
            )
        if code in _NO_ZONE:
            return NoZoneError(f"{self._where} has no such hosted zone: {text}.", remedy="Correct 'zone_id'.")
        if code == "InvalidChangeBatch":
            return _explain_batch(text)
        return ServerFailedError(f"{self._where} answered {operation} with status {status}: {text}.")


def _explain_batch(text: str) -> CollectionError:
    if _OUTSIDE_SIGN in text:
        return NoZoneError(f"A name is not in the hosted zone: {text}.", remedy="Correct 'zone' or 'zone_id'.")
    if any(sign in text for sign in _RACE_SIGNS):
        return LostRaceError(
            f"Somebody else changes the same records at the same time: {text}.",
            remedy="Run this again when that has ended.",
        )
    return RefusedError(f"Route 53 does not take the change: {text}.")


def _no_credentials(text: str) -> BadKeyError:
    return BadKeyError(
        f"There are no credentials for AWS ({text}).",
        remedy="Give 'access_key' and 'secret_key', or 'profile', or run this where there is an instance role.",
    )


def _make_client(settings: ProviderSettings) -> Any:
    config = botocore.config.Config(
        connect_timeout=settings.timeout_seconds,
        read_timeout=settings.timeout_seconds,
        # Whether to ask again is decided here, in one place.
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    try:
        session = boto3.session.Session(
            aws_access_key_id=settings.access_key or None,
            aws_secret_access_key=settings.secret_key or None,
            profile_name=settings.profile or None,
            region_name=REGION,
        )
        return session.client("route53", endpoint_url=settings.endpoint_url or None, config=config)
    except botocore.exceptions.ProfileNotFound as error:
        raise _no_credentials(str(error)) from error
    except botocore.exceptions.BotoCoreError as error:
        raise ServerFailedError(f"Route 53 cannot be used: {error}.") from error
