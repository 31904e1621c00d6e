# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of nginx on a gateway, and how a copy of it is tried before it replaces the one in place.

Everything is included by relative names, so that a copy of the folder is as good as the folder itself. The pages come
into it by a link in ``enabled``, once there is a certificate; nobody's handshake is accepted before, nor ever for a
name that is not ours.
"""

from __future__ import annotations

import re

from ansible_collections.privatespace.gateway.plugins.module_utils._web.settings import (
    CERTIFICATE_FOLDER,
    STATE_FOLDER,
    USER,
    WebSettings,
)

MARKER = "# Managed by Ansible (privatespace.gateway.web): what is changed here by hand will be overwritten."
MAIN, PAGES, HEADERS = "nginx.conf", "available/https.conf", "headers.conf"
ENABLED = "enabled/https.conf"
CONTEXTS = ("http", "server80", "server443")
RUN_FOLDER = f"{STATE_FOLDER}/run"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# Mozilla's intermediate profile without DHE, for which nginx would need parameters of its own.
_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_GROUPS = "X25519:prime256v1:secp384r1"
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_NOT_PERMITTED = ("accelerometer", "camera", "geolocation", "gyroscope", "magnetometer", "microphone", "payment", "usb")


def render_files(settings: WebSettings) -> dict[str, str]:
    """All files of ours, by name relative to their folder."""
    return {MAIN: _main(settings), PAGES: _pages(settings), HEADERS: _headers(settings)}


def fragment_name(context: str, name: str) -> str:
    """The file of a part that another role adds."""
    return f"{context}.d/{name}.conf"


def as_trial(text: str, *, folder: str) -> str:
    """A file as it is tried in a copy: the certificate is left out of it, and nothing outside the copy is written.

    :param folder: Where the trial may write.
    """
    text = text.replace(RUN_FOLDER, folder)
    text = re.sub(rf"^user {USER};", "user root;", text, flags=re.MULTILINE)
    text = re.sub(r"^( *)ssl_certificate .*;", r"\1ssl_reject_handshake on;", text, flags=re.MULTILINE)
    return re.sub(r"^ *ssl_certificate_key .*;\n", "", text, flags=re.MULTILINE)


def _main(settings: WebSettings) -> str:
    head = [
        MARKER,
        f"user {USER};",
        "worker_processes 2;",
        "worker_shutdown_timeout 30s;",
        f"pid {RUN_FOLDER}/nginx.pid;",
        "# Requests are part of lesser messages, and may hold what nobody is to read.",
        "error_log stderr crit;",
        "",
        "events { worker_connections 4096; }",
        "",
    ]
    http = [*_limits(), "", *_log(), "", *_tls(settings), "", "include http.d/*.conf;", "", *_servers(settings)]
    return _text([*head, *_block("http", [*http, "include enabled/*.conf;"])])


def _limits() -> list[str]:
    return [
        "include /etc/nginx/mime.types;",
        "default_type application/octet-stream;",
        "charset utf-8;",
        "server_tokens off;",
        "sendfile on;",
        "tcp_nopush on;",
        "# Behind OpenVPN the port is another one than visitors use.",
        "absolute_redirect off;",
        *(f"{name}_temp_path {RUN_FOLDER}/{name};" for name in _TEMPORARY),
        "client_max_body_size 16k;",
        "client_header_timeout 15s;",
        "client_body_timeout 15s;",
        "send_timeout 30s;",
        "keepalive_timeout 30s;",
    ]


def _log() -> list[str]:
    return [
        "# A visit is noted without what follows a question mark, and without a path that could be somebody's secret.",
        "log_not_found off;",
        "map $request_uri $shown_path {",
        r'    "~^(?<kept>(/[a-z0-9._-]{0,24}){1,6})(\?|$)" $kept;',
        r'    "~^(?<kept>/\.well-known/acme-challenge/)" $kept[...];',
        "    default [...];",
        "}",
        "log_format visits '$remote_addr $request_method $shown_path $server_protocol $status $body_bytes_sent';",
        "access_log syslog:server=unix:/dev/log,nohostname,tag=web visits;",
    ]


def _tls(settings: WebSettings) -> list[str]:
    modern = settings.tls_profile == "modern"
    groups = f"X25519MLKEM768:{_GROUPS}" if settings.has_hybrid_group else _GROUPS
    return [
        f"ssl_protocols {'TLSv1.3' if modern else 'TLSv1.2 TLSv1.3'};",
        *([] if modern else [f"ssl_ciphers {_CIPHERS};"]),
        f"ssl_ecdh_curve {groups};",
        "ssl_prefer_server_ciphers off;",
        "ssl_session_cache shared:sessions:10m;",
        "ssl_session_timeout 1d;",
        "ssl_session_tickets off;",
    ]


def _servers(settings: WebSettings) -> list[str]:
    return [
        "# Names that are not ours.",
        *_server(*_listen(settings.http_sockets, "default_server"), *_challenges(), "location / { return 404; }"),
        *_server(*_listen(settings.https_sockets, f"ssl{_http2(settings)} default_server"), "ssl_reject_handshake on;"),
        "",
        "# Ours.",
        *_server(
            *_listen(settings.http_sockets),
            _server_name(settings),
            *_challenges(),
            "include server80.d/*.conf;",
            f"location / {{ return 301 https://$host{_port_suffix(settings)}$request_uri; }}",
        ),
    ]


def _pages(settings: WebSettings) -> str:
    http2 = ["http2 on;"] if settings.has_http2_directive else []
    lines = _server(
        *_listen(settings.https_sockets, f"ssl{_http2(settings)}"),
        *http2,
        _server_name(settings),
        f"ssl_certificate {CERTIFICATE_FOLDER}/fullchain.pem;",
        f"ssl_certificate_key {CERTIFICATE_FOLDER}/privkey.pem;",
        f"include {HEADERS};",
        "",
        f"root {STATE_FOLDER}/pages;",
        "index index.html;",
        "try_files $uri $uri.html $uri/index.html =404;",
        "include server443.d/*.conf;",
    )
    return _text([MARKER, "# Linked from the folder enabled while there is a certificate.", *lines])


def _headers(settings: WebSettings) -> str:
    headers = {
        "Strict-Transport-Security": f"max-age={settings.hsts_seconds}",
        "Content-Security-Policy": _CONTENT_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": ", ".join(f"{one}=()" for one in _NOT_PERMITTED),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    note = "# A location that has an add_header of its own loses these, unless it includes this file, too."
    return _text([MARKER, note, *(f'add_header {name} "{value}" always;' for name, value in headers.items())])


def _challenges() -> list[str]:
    """The certification authority asks under any name that a certificate is wanted for."""
    return [
        r"location ~ ^/\.well-known/acme-challenge/(?<token>[A-Za-z0-9_-]+)$ {",
        f"    root {STATE_FOLDER}/challenges;",
        "    default_type text/plain;",
        "    try_files $uri /$token =404;",
        "}",
    ]


def _listen(sockets: tuple[str, ...], words: str = "") -> list[str]:
    return [f"listen {socket} {words}".rstrip() + ";" for socket in sockets]


def _http2(settings: WebSettings) -> str:
    return "" if settings.has_http2_directive else " http2"


def _server_name(settings: WebSettings) -> str:
    return f"server_name {' '.join(settings.server_names)};"


def _port_suffix(settings: WebSettings) -> str:
    return "" if settings.https_port == 443 else f":{settings.https_port}"


def _server(*lines: str) -> list[str]:
    return _block("server", list(lines))


def _block(name: str, lines: list[str]) -> list[str]:
    return [f"{name} {{", *(f"    {line}".rstrip() for line in lines), "}"]


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
