# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the configuration of the certificate may say, and what it means for certbot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.privatespace.gateway.plugins.filter.acme_settings import acme_settings
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.certbot_calls import (
    certificate_arguments,
    environment,
    is_lost_nonce,
    read_problem,
    read_retry_after,
    render_rfc2136_file,
    render_settings_file,
    was_asked,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._acme.settings import (
    LETS_ENCRYPT,
    LETS_ENCRYPT_STAGING,
    AcmeSettings,
    parse_settings,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError

NAME = "ely.example.net"
NOW = 1_790_000_000
SECRET = "c2VjcmV0LWNhbmFyeQ"


def settings(**changes: Any) -> AcmeSettings:
    return parse_settings({"names": [NAME], **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": []}, "acme_names for this gateway"),
        ({"names": ["ely"]}, "in full"),
        ({"names": ["192.0.2.1"]}, "addresses cannot be certified"),
        ({"names": ["2001:db8::1"]}, "addresses cannot be certified"),
        ({"names": ["ely.example.net\nx"]}, "control character"),
        ({"names": ["-ely.example.net"]}, "no name of a host"),
        ({"names": ["a." * 130 + "net"]}, "no name of a host"),
        ({"names": ["*.example.net"]}, "dns-01 only"),
        ({"names": [f"h{n}.example.net" for n in range(101)]}, "at most 100"),
        ({"directory": "http://ca.example/dir"}, "begins with https"),
        ({"directory": "https://user@ca.example/dir"}, "begins with https"),
        ({"directory": "https://ca.example/dir --x"}, "begins with https"),
        ({"directory": "https://ca.example/dir", "staging": True}, "leave acme_staging off"),
        ({"email": "nobody"}, "no e-mail address"),
        ({"email": "a@b.example --x"}, "no e-mail address"),
        ({"challenge": "tls-alpn-01"}, "http-01, dns-01"),
        ({"challenge": "dns-01", "dns_provider": "rfc2136"}, "dns_servers"),
        ({"challenge": "dns-01", "dns_provider": "hosts"}, "rfc2136, route53"),
        ({"key_type": "dsa"}, "ecdsa, rsa"),
        ({"key_bits": 1024}, "2048, 3072, 4096"),
        ({"curve": "secp521r1"}, "secp256r1, secp384r1"),
        ({"profile": "short lived"}, "which no CA has"),
        ({"eab_key_id": "x"}, "needs both"),
        ({"eab_key_id": "x", "eab_hmac_key": "*"}, "base64url"),
        ({"addresses": ["192.0.2.300"]}, "acme_addresses"),
        ({"propagation_seconds": -1}, "from 0 to 3600"),
        ({"http_port": "x"}, "from 1 to 65535"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings(**changes)


def test_names_are_taken_once_and_in_their_order() -> None:
    assert settings(names=["B.example.net.", "a.example.net", "b.example.net"]).names == (
        "b.example.net",
        "a.example.net",
    )
    made = settings(names=["*.example.net"], challenge="dns-01", dns_provider="route53")
    assert made.names == ("*.example.net",)


def test_staging_is_another_ca_whose_certificate_is_never_taken_for_a_real_one() -> None:
    real, test = settings(), settings(staging=True)
    assert (real.directory, test.directory) == (LETS_ENCRYPT, LETS_ENCRYPT_STAGING)
    assert (real.is_staging, test.is_staging) == (False, True)
    assert real.lineage != test.lineage
    assert (real.caa_identity, test.caa_identity) == ("letsencrypt.org", "letsencrypt.org")


@pytest.mark.parametrize(
    ("changes", "another"),
    [
        ({"key_type": "rsa"}, True), ({"curve": "secp384r1"}, True), ({"profile": "shortlived"}, True),
        ({"directory": "https://ca.example/dir"}, True),
        # A size is nothing to a key on a curve; names and who proves them are compared by certbot.
        ({"key_bits": 4096}, False), ({"names": ["bath.example.net"]}, False), ({"email": "a@b.example"}, False),
        ({"challenge": "dns-01", "dns_provider": "route53"}, False),
    ],
)  # fmt: skip
def test_what_certbot_does_not_compare_makes_another_certificate(changes: dict[str, Any], another: bool) -> None:
    assert (settings(**changes).lineage != settings().lineage) is another
    assert settings(**changes).mark != settings().mark


def test_one_call_for_everything() -> None:
    words = certificate_arguments(settings(email="it@example.net", profile="tlsserver"))
    text = " ".join(words)
    for part in (
        "certonly", "--keep-until-expiring --renew-with-new-domains", "--elliptic-curve secp256r1", "--non-interactive",
        f"--server {LETS_ENCRYPT}", "--webroot-path /var/lib/privatespace/web/challenges", f"--domain {NAME}",
        "--email it@example.net --no-eff-email", "--preferred-profile tlsserver", "--no-directory-hooks",
    ):  # fmt: skip
        assert part in text
    assert "--force-renewal" in certificate_arguments(settings(), force=True)
    assert "--register-unsafely-without-email" in certificate_arguments(settings())
    assert "--rsa-key-size 4096" in " ".join(certificate_arguments(settings(key_type="rsa", key_bits=4096)))


def test_no_secret_is_on_the_command_line() -> None:
    made = settings(
        eab_key_id="kid", eab_hmac_key=SECRET, challenge="dns-01", dns_provider="route53", access_key="AKIA",
        secret_key=SECRET, endpoint_url="https://route53.example", ca_bundle="/etc/ca.pem",
    )  # fmt: skip
    assert SECRET not in " ".join(certificate_arguments(made))
    assert render_settings_file(made) == f"eab-kid = kid\neab-hmac-key = {SECRET}\n"
    assert environment(made) == {
        "REQUESTS_CA_BUNDLE": "/etc/ca.pem", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL_ROUTE_53": "https://route53.example",
    }  # fmt: skip
    assert made.secrets == (SECRET, SECRET)
    assert environment(settings()) == {}


def test_dns_is_written_with_the_key_of_the_gateway() -> None:
    made = settings(
        challenge="dns-01", dns_provider="rfc2136", servers=["192.0.2.53"], port=5353, propagation_seconds=7
    )
    text = " ".join(certificate_arguments(made))
    assert "--dns-rfc2136-credentials /etc/privatespace/acme/rfc2136.ini --dns-rfc2136-propagation-seconds 7" in text
    key = {"key_name": NAME, "key_algorithm": "hmac-sha256", "key_secret": SECRET}
    assert render_rfc2136_file(made, key, server="192.0.2.53").splitlines() == [
        "dns_rfc2136_server = 192.0.2.53", "dns_rfc2136_port = 5353", f"dns_rfc2136_name = {NAME}.",
        f"dns_rfc2136_secret = {SECRET}", "dns_rfc2136_algorithm = HMAC-SHA256", "dns_rfc2136_sign_query = true",
    ]  # fmt: skip


POOL = "HTTPSConnectionPool(host='acme.example', port=14000): "
REFUSED = (
    f"requests.exceptions.ConnectionError: {POOL}Max retries exceeded with url: /dir (Caused by NewConnectionError("
    "\"HTTPSConnection(host='acme.example', port=14000): Failed to establish a new connection: [Errno 111] Connection "
    'refused"))'
)
SLOW = f"requests.exceptions.ReadTimeout: {POOL}Read timed out. (read timeout=45)"
UNTRUSTED = (
    f"requests.exceptions.SSLError: {POOL}Max retries exceeded with url: /dir (Caused by SSLError("
    "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "unable to get local issuer certificate (_ssl.c:992)')))"
)
FAILED = """
Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported:
  Domain: ely.example.net
  Type:   unauthorized
  Detail: Non-200 status code from HTTP: 404

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.
"""


@pytest.mark.parametrize(
    ("output", "errors", "words"),
    [
        (FAILED, "Some challenges have failed.\n", "could not validate ely.example.net: Non-200 status code"),
        ("", "An unexpected error occurred:\nThe server is gone\nAsk for help or search\n", "The server is gone"),
        ("", "Saving debug log to /x\n", "without a word"),
        (
            "",
            f"{REFUSED}\nAsk for help\n",
            "The CA at acme.example, port 14000, cannot be reached: Connection refused.",
        ),
        ("", f"{SLOW}\nAsk for help\n", "cannot be reached: timed out."),
        ("", f"{UNTRUSTED}\nAsk for help\n", "certificate verify failed: unable to get local issuer certificate."),
    ],
)
def test_what_went_wrong_is_said_in_the_words_of_the_ca(output: str, errors: str, words: str) -> None:
    assert words in read_problem(output, errors)


def answer(status: int, *headers: str) -> str:
    rows = "".join(f"{one}\n" for one in headers)
    return f"2026-11-23 06:00:00,1:DEBUG:acme.client:Received response:\nHTTP {status}\nServer: x\n{rows}\n{{}}\n"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (answer(429, "Retry-After: 120"), NOW + 120),
        (answer(503, "retry-after: 60"), NOW + 60),
        (answer(429, "Retry-After: Mon, 21 Sep 2026 14:38:40 GMT"), NOW + 1520),
        (answer(429, "Retry-After: 99999999"), NOW + 8 * 86400),
        (answer(429, "Retry-After: soon"), None),
        (answer(429), None),
        # Of an answer that went well it is about renewal information.
        (answer(200, "Retry-After: 21600"), None),
        (answer(429, "Retry-After: 9") + answer(429, "Retry-After: 120"), NOW + 120),
        ("", None),
    ],
)
def test_the_ca_says_when_it_wants_to_be_asked_again(log: str, expected: float | None) -> None:
    assert read_retry_after(log, now=NOW) == expected


def test_an_order_counts_and_the_directory_does_not() -> None:
    assert was_asked("Sending POST request to https://acme-v02.api.letsencrypt.org/acme/new-order:\n")
    assert was_asked("Sending POST request to https://pebble/order-plz:\n")
    assert not was_asked("Sending GET request to https://acme-v02.api.letsencrypt.org/directory.\n")
    assert is_lost_nonce("JWS has an invalid anti-replay nonce: x")
    assert not is_lost_nonce("too many new orders recently")


def test_what_the_role_writes_is_what_the_program_reads() -> None:
    raw = {"names": ["Ely.example.net"], "staging": True, "key_type": "rsa", "key_bits": 2048}
    assert parse_settings(json.loads(json.dumps(acme_settings(raw)))) == parse_settings(raw)
