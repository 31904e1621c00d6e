# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's profile made fit for a measurement: one way to one gateway, and nothing that changes the host."""

from __future__ import annotations

# What would choose another way, run a program, or change routes, names or the place of the log.
DROPPED = frozenset(
    {
        "askpass", "bind", "cd", "chroot", "connect-retry", "connect-retry-max", "connect-timeout", "daemon", "dev",
        "dev-node", "dev-type", "dhcp-option", "dns", "dns-updown", "down", "down-pre", "explicit-exit-notify", "group",
        "hand-window", "http-proxy", "http-proxy-option", "ifconfig", "ifconfig-ipv6", "ifconfig-noexec", "inactive",
        "ipchange", "iproute", "local", "log", "log-append", "lport", "machine-readable-output", "management", "mute",
        "nobind", "persist-tun", "ping-exit", "plugin", "port", "proto", "proto-force", "pull-filter",
        "redirect-gateway", "redirect-private", "remote", "remote-random", "remote-random-hostname", "resolv-retry",
        "route", "route-delay", "route-gateway", "route-ipv6", "route-metric", "route-noexec", "route-nopull",
        "route-pre-down", "route-up", "rport", "script-security", "server-poll-timeout", "socks-proxy", "status",
        "suppress-timestamps", "syslog", "tls-verify", "tmp-dir", "up", "up-delay", "up-restart", "user", "verb",
        "writepid",
    }
)  # fmt: skip


def plan_client_profile(text: str) -> str:
    """The profile without what a measurement decides itself. It holds the private key if the profile does."""
    kept: list[str] = []
    block = ""
    for line in text.splitlines():
        words = line.split()
        first = words[0].lstrip("-") if words else ""
        if block:
            if block != "connection":
                kept.append(line)
            if first == f"</{block}>":
                block = ""
        elif first.startswith("<") and first.endswith(">") and len(first) > len("<>"):
            block = first[1:-1]
            if block != "connection":
                kept.append(line)
        elif first and first not in DROPPED and not first.startswith(("management-", "#", ";")):
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)
