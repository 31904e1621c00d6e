# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway has to know to have certificates that browsers trust, checked on the controller and by the program."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import require_single_line, shown

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
# What stands for a CA in CAA records.
IDENTITIES = {LETS_ENCRYPT: "letsencrypt.org", LETS_ENCRYPT_STAGING: "letsencrypt.org"}
HTTP, DNS = "http-01", "dns-01"
RFC2136, ROUTE53 = "rfc2136", "route53"
ECDSA, RSA = "ecdsa", "rsa"
CURVES = ("secp256r1", "secp384r1")
KEY_BITS = (2048, 3072, 4096)
# As many as Let's Encrypt puts into one certificate.
MOST_NAMES = 100
LONGEST_NAME = 253
LONGEST_PROPAGATION_SECONDS = 3600
# Errors do not show them.
_SECRETS = ("eab_hmac_key", "secret_key")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_URL = re.compile(r"https://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#]*)?")
_EMAIL = re.compile(r"[^\s@<>,;\"']+@[^\s@<>,;\"']+\.[^\s@<>,;\"']+")


@dataclass(frozen=True)
class Places:
    """Files and folders of the gateway.

    :param certbot: The program that speaks to the CA.
    :param config_folder: Of certbot: accounts, keys and certificates.
    :param log_folder: Of certbot.
    :param tls_folder: What the web server reads; ``live`` in it leads to the certificate in use.
    :param webroot: Where the web server takes the answers to challenges from.
    :param site: The part of the web server's configuration that needs a certificate.
    :param enabled_site: The link that has it read.
    """

    certbot: str = "/opt/privatespace/acme/bin/certbot"
    config_folder: str = "/etc/privatespace/acme"
    work_folder: str = "/var/lib/privatespace/acme"
    log_folder: str = "/var/log/privatespace/acme"
    tls_folder: str = "/etc/privatespace/tls"
    webroot: str = "/var/lib/privatespace/web/challenges"
    site: str = "/etc/privatespace/web/available/https.conf"
    enabled_site: str = "/etc/privatespace/web/enabled/https.conf"
    announcement: str = "/etc/privatespace/announce.json"


@dataclass(frozen=True)
class AcmeSettings:
    """The configuration of this gateway.

    :param caa_identity: What CAA records call the CA; empty where nobody knows.
    :param addresses: Those of this gateway, given by hand; empty where it looks for them.
    :param servers: The name server that takes dynamic updates, for ``rfc2136``.
    :param key_file: The TSIG key for it.
    :param ca_bundle: Certificates that are trusted instead of those of certbot when the CA is asked; empty for those.
    :param test_command: What has the web server judge its configuration; empty where ``reload_command`` does.
    :param retry_unit: The unit that is started again after a failure; empty where nobody does.
    """

    names: tuple[str, ...]
    directory: str
    email: str = ""
    challenge: str = HTTP
    key_type: str = ECDSA
    key_bits: int = 3072
    curve: str = "secp256r1"
    profile: str = ""
    eab_key_id: str = ""
    eab_hmac_key: str = ""
    caa_identity: str = ""
    check_names: bool = True
    addresses: tuple[str, ...] = ()
    http_port: int = 80
    dns_provider: str = ""
    servers: tuple[str, ...] = ()
    port: int = 53
    key_file: str = ""
    access_key: str = ""
    secret_key: str = ""
    endpoint_url: str = ""
    propagation_seconds: int = 30
    ca_bundle: str = ""
    test_command: tuple[str, ...] = ()
    reload_command: tuple[str, ...] = ("systemctl", "try-reload-or-restart", "privatespace-web.service")
    retry_unit: str = ""
    places: Places = Places()

    @property
    def lineage(self) -> str:
        """What certbot calls the certificate.

        Whatever of it certbot does not compare by itself, when it decides whether a certificate is as it is wanted,
        makes another one: the CA, the key and the profile. So nothing ever has to be forced, a certificate for tests
        is never served in place of a real one, and one that fits again is taken up again without asking the CA.
        """
        key = self.curve if self.key_type == ECDSA else str(self.key_bits)
        text = f"{self.directory}\n{self.key_type}\n{key}\n{self.profile}"
        return f"gateway-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def is_staging(self) -> bool:
        """Whether no browser trusts what this CA signs, as far as that is known."""
        return self.directory == LETS_ENCRYPT_STAGING

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return tuple(filter(None, (self.eab_hmac_key, self.secret_key)))

    @property
    def ca_mark(self) -> str:
        """Tells what a CA counts attempts by."""
        return hashlib.sha256(repr((self.directory, sorted(self.names), self.email)).encode()).hexdigest()

    @property
    def mark(self) -> str:
        """Tells one configuration from another, and no secret."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()


def parse_settings(raw: Mapping[str, Any]) -> AcmeSettings:
    """Check what the configuration says.

    :raises InputError: for the first that is wrong.
    """
    challenge = _choice(raw, "challenge", (HTTP, DNS), HTTP)
    directory = choose_directory(_line(raw, "directory") or LETS_ENCRYPT, staging=bool(raw.get("staging")))
    settings = AcmeSettings(
        names=parse_names(raw.get("names") or (), challenge=challenge),
        directory=directory,
        email=_email(_line(raw, "email")),
        challenge=challenge,
        key_type=_choice(raw, "key_type", (ECDSA, RSA), ECDSA),
        key_bits=int(_choice(raw, "key_bits", tuple(map(str, KEY_BITS)), "3072")),
        curve=_choice(raw, "curve", CURVES, CURVES[0]),
        profile=_token(_line(raw, "profile"), what="acme_profile"),
        eab_key_id=_line(raw, "eab_key_id"),
        eab_hmac_key=_eab_key(_line(raw, "eab_hmac_key")),
        caa_identity=_line(raw, "caa_identity").lower() or IDENTITIES.get(directory, ""),
        check_names=bool(raw.get("check_names", True)),
        addresses=_addresses(raw.get("addresses") or ()),
        http_port=_number(raw, "http_port", 80, 1, 65535),
        propagation_seconds=_number(raw, "propagation_seconds", 30, 0, LONGEST_PROPAGATION_SECONDS),
        ca_bundle=_line(raw, "ca_bundle"),
        test_command=tuple(map(str, raw.get("test_command") or ())),
        reload_command=tuple(map(str, raw.get("reload_command") or AcmeSettings.reload_command)),
        retry_unit=_line(raw, "retry_unit"),
        places=Places(**{name: str(path) for name, path in (raw.get("places") or {}).items()}),
        **_provider(raw, challenge),
    )
    if bool(settings.eab_key_id) != bool(settings.eab_hmac_key):
        raise InputError("External account binding needs both acme_eab_key_id and acme_eab_hmac_key.")
    return settings


def choose_directory(directory: str, *, staging: bool) -> str:
    """The CA that is asked.

    :raises InputError: it is no URL, or a test directory is wanted of a CA of which none is known.
    """
    if not _URL.fullmatch(directory):
        raise InputError(f"acme_directory is '{shown(directory)}', and has to be a URL that begins with https://.")
    if not staging:
        return directory
    if directory not in (LETS_ENCRYPT, LETS_ENCRYPT_STAGING):
        raise InputError(
            "acme_staging is known for Let's Encrypt only.",
            remedy="Give the test directory of this CA in acme_directory, and leave acme_staging off.",
        )
    return LETS_ENCRYPT_STAGING


def parse_names(names: Sequence[Any], *, challenge: str) -> tuple[str, ...]:
    """The names of the certificate, each once, in their order.

    :raises InputError: there is none, too many, or one that no certificate is given for.
    """
    parsed = tuple(dict.fromkeys(_name(str(one), challenge) for one in names))
    if not parsed:
        raise InputError("There is no name for a certificate.", remedy="Set dns_zone, or acme_names for this gateway.")
    if len(parsed) > MOST_NAMES:
        raise InputError(f"acme_names holds {len(parsed)} names; a certificate has at most {MOST_NAMES}.")
    return parsed


def _name(text: str, challenge: str) -> str:
    value = require_single_line(text, what="acme_names").lower().rstrip(".")
    plain = value.removeprefix("*.")
    labels = plain.split(".")
    # The last label of a name is never a number: that would be an address.
    if len(plain) > LONGEST_NAME or len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise InputError(
            f"acme_names: '{shown(text)}' is no name of a host in the public DNS.",
            remedy="Give it in full, for example cambridge2.example.net; addresses cannot be certified here.",
        )
    if plain != value and challenge != DNS:
        raise InputError(f"acme_names: '{shown(value)}' can be validated by acme_challenge dns-01 only.")
    return value


def _provider(raw: Mapping[str, Any], challenge: str) -> dict[str, Any]:
    if challenge != DNS:
        return {}
    provider = _choice(raw, "dns_provider", (RFC2136, ROUTE53), "")
    servers = tuple(require_single_line(str(one), what="acme_dns_servers") for one in raw.get("servers") or ())
    if provider == RFC2136 and not servers:
        raise InputError(
            "acme_challenge dns-01 with rfc2136 needs the name server that takes updates.", remedy="Set dns_servers."
        )
    return {
        "dns_provider": provider,
        "servers": servers,
        "port": _number(raw, "port", 53, 1, 65535),
        "key_file": _line(raw, "key_file"),
        "access_key": _line(raw, "access_key"),
        "secret_key": _line(raw, "secret_key"),
        "endpoint_url": _line(raw, "endpoint_url"),
    }


def _line(raw: Mapping[str, Any], name: str) -> str:
    if name in _SECRETS and not str(raw.get(name) or "").isprintable():
        raise InputError(f"acme_{name} holds a control character.", remedy="Give it as one line of visible characters.")
    return require_single_line(str(raw.get(name) or ""), what=f"acme_{name}").strip()


def _choice(raw: Mapping[str, Any], name: str, choices: Sequence[str], default: str) -> str:
    value = _line(raw, name) or default
    if value not in choices:
        raise InputError(f"acme_{name} is '{shown(value)}', and has to be one of: {', '.join(choices)}.")
    return value


def _number(raw: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = raw.get(name)
    try:
        number = default if value is None else int(value)
    except (TypeError, ValueError):
        number = least - 1
    if not least <= number <= most:
        raise InputError(f"acme_{name} is '{shown(str(value))}', and has to be a number from {least} to {most}.")
    return number


def _token(text: str, *, what: str) -> str:
    if text and not _TOKEN.fullmatch(text):
        raise InputError(f"{what} is '{shown(text)}', which no CA has.")
    return text


def _email(text: str) -> str:
    if text and not _EMAIL.fullmatch(text):
        raise InputError(f"acme_email is '{shown(text)}', which is no e-mail address.")
    return text


def _eab_key(text: str) -> str:
    try:
        base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("acme_eab_hmac_key is not base64url, as CAs give it.") from error
    return text


def _addresses(given: Sequence[Any]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(str(one))) for one in given)
    except ValueError as error:
        raise InputError(f"acme_addresses: {error}.") from error
