# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform needs besides the one profile that works everywhere, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._core.text import shown

GENERIC = "generic"
# Phones wake their radio first, and core 3 waits ten seconds by itself.
PHONE_POLL_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Directive:
    """A line of a profile with its reason, which is written above it as a comment."""

    text: str
    why: str = ""


@dataclass(frozen=True)
class Variant:
    """How a profile differs from the generic one.

    :param directives: What is added.
    :param without: First words of generic directives that are left out.
    :param app: Whether it is read by OpenVPN Connect, which shows a name and knows the user from the profile.
    :param least_poll_timeout: Seconds that one gateway gets at least before the next is tried.
    """

    directives: tuple[Directive, ...] = ()
    without: frozenset[str] = frozenset()
    app: bool = False
    least_poll_timeout: int = 1


# In a file, these are what every client needs.
BASE = (
    Directive("client"),
    Directive("dev tun"),
    Directive("nobind"),
    Directive("persist-tun"),
    Directive("resolv-retry infinite"),
    Directive("remote-cert-tls server"),
    Directive("verify-x509-name gateway- name-prefix"),
    Directive("tls-version-min 1.2"),
    Directive("tls-cert-profile preferred"),
    # The gateway decides when keys are renegotiated.
    Directive("reneg-sec 0"),
    # Keep trying often: a gateway that comes back is found within seconds, not minutes.
    Directive("connect-retry 1 5"),
    Directive("verb 3"),
)
# What a profile that has to be short can do without, and what is left out for phones: apps retry in their own way and
# ignore these, and a tunnel that persists keeps a phone from noticing that it has moved to another network.
COMFORT = frozenset(("persist-tun", "resolv-retry", "connect-retry", "verb"))

# The user's name, and the code as the password. No static-challenge, which wants a third answer and which
# NetworkManager does not know.
SECOND_FACTOR = (
    Directive("auth-user-pass", "A second factor: the name of the user, and the code of the moment as the password."),
    Directive("auth-nocache", "A code is good for one time: nothing is gained by keeping it."),
    Directive("auth-retry interact", "A mistyped code is asked for again."),
)

# A line holds 255 characters at most, so the script comes in parts. "foreign_option_N" is what the gateway pushed.
_READ_DNS = (
    'd() { env | sed -n "s/^foreign_option_[0-9]*=dhcp-option $1 //p"; }; names=$(d "DOMAIN[-A-Z]*"); '
    'all=; test "$redirect_gateway" = 1 && all="~."; rest=yes; test "$names" && test -z "$all" && rest=no'
)
_SET_DNS = (
    'test "$foreign_option_1" || exit 0; resolvectl dns $dev $(d "DNS6*") && resolvectl domain $dev $names $all && '
    "resolvectl default-route $dev $rest && exit 0"
)
_SET_DNS_OTHERWISE = (
    "test -x /sbin/resolvconf && script_type=up /etc/openvpn/update-resolv-conf && exit 0; "
    'echo "The DNS servers of the VPN are not in use: neither systemd-resolved nor resolvconf took them."'
)
_LINUX = (
    Directive(
        "script-security 2",
        "OpenVPN sets DNS by itself from 2.7 on only; before, this does it. NetworkManager leaves this out.",
    ),
    Directive(
        f"setenv vpn_dns_1 '{_READ_DNS}'", "Split tunnel: only the names of the VPN go there. Full tunnel: all of them."
    ),
    Directive(f"setenv vpn_dns_2 '{_SET_DNS}'"),
    Directive(f"setenv vpn_dns_3 '{_SET_DNS_OTHERWISE}'"),
    Directive('route-up \'/bin/sh -c "eval \\"$vpn_dns_1; $vpn_dns_2; $vpn_dns_3\\""\''),
    Directive("route-pre-down '/bin/sh -c \"script_type=down /etc/openvpn/update-resolv-conf; exit 0\"'"),
    Directive("pull-filter ignore block-outside-dns", "It is for Windows; others log an error that is none."),
)
_PHONE = Variant(
    without=COMFORT,
    app=True,
    least_poll_timeout=PHONE_POLL_TIMEOUT_SECONDS,
)

VARIANTS: Mapping[str, Variant] = {
    GENERIC: Variant(),
    "linux": Variant(_LINUX),
    "windows": Variant(
        (
            Directive(
                "setenv opt register-dns", "Windows forgets what it had resolved before, and asks the VPN at once."
            ),
        ),
        app=True,
    ),
    "macos": Variant(app=True),
    "ios": _PHONE,
    "android": _PHONE,
    "router": Variant(
        (
            Directive(
                "pull-filter ignore redirect-gateway",
                "A router would send everybody behind it through the VPN; without this line it does.",
            ),
            Directive("pull-filter ignore block-outside-dns", "It is for Windows; others log an error that is none."),
            Directive("persist-key", "Firmware keeps keys in files and gives up root; 2.7 does this by itself."),
        ),
    ),
}


def find_variant(name: str) -> Variant:
    """The variant of that name.

    :raises InputError: naming those that exist.
    """
    if name not in VARIANTS:
        raise InputError(
            f"There is no variant '{shown(str(name))}' of a profile.", remedy=f"There are {', '.join(VARIANTS)}."
        )
    return VARIANTS[name]


def quote(value: str) -> str:
    """A value as one parameter of a directive."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def app_directives(common_name: str, user: str, *, second_factor: bool) -> tuple[Directive, ...]:
    """What OpenVPN Connect shows instead of an address, and the user's name so that nobody types it."""
    shown_name = Directive(f"setenv FRIENDLY_NAME {quote(common_name)}", "OpenVPN Connect shows this name.")
    asked = Directive(f"setenv USERNAME {quote(user)}", "OpenVPN Connect asks for the code alone.")
    return (shown_name, asked) if second_factor else (shown_name,)
