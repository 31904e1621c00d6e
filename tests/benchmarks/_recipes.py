"""What others write into server.conf and client.conf, as texts: the peers of the throughput benchmark.

Each recipe is a whole pair of files, so that nothing of ours slips in: how to reach each other, the keys, and then
the lines that are the recipe's own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A way to set up OpenVPN that people use.

    :param name: As it is called in a row.
    :param server: Lines of the server besides network and keys.
    :param client: Lines of the client besides the remote and keys.
    """

    name: str
    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a recipe is set up.

    :param protocol: ``udp`` or ``tcp``.
    :param network: The tunnel's network and netmask, as the directive ``server`` wants them.
    :param address: The server's address outside the tunnel, as the client reaches it.
    """

    protocol: str
    port: int
    device: str
    network: str
    address: str


# The sample files of OpenVPN 2.6 without their comments.
_SAMPLE_SERVER = ("topology subnet", "keepalive 10 120", "tls-auth ta.key 0", "persist-key", "persist-tun", "verb 3")
_SAMPLE_CLIENT = (
    "resolv-retry infinite",
    "nobind",
    "persist-key",
    "persist-tun",
    "remote-cert-tls server",
    "tls-auth ta.key 1",
    "verb 3",
)
_FIXED = ("sndbuf 393216", "rcvbuf 393216")
FIXED_BUFFER_LINES = (*_FIXED, *(f'push "{line}"' for line in _FIXED))


def _sample(name: str, *more: str, client: tuple[str, ...] = ()) -> Recipe:
    return Recipe(name, (*_SAMPLE_SERVER, *more), (*_SAMPLE_CLIENT, *client))


STOCK = _sample("stock")
OPENVPN_INSTALL = Recipe(
    "openvpn-install",
    (
        "user nobody",
        "group nogroup",
        "persist-key",
        "persist-tun",
        "keepalive 10 120",
        "topology subnet",
        "ecdh-curve prime256v1",
        "tls-crypt ta.key",
        "auth SHA256",
        "cipher AES-128-GCM",
        "data-ciphers AES-128-GCM",
        "tls-version-min 1.2",
        "tls-cipher TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
        "verb 3",
    ),
    (
        "resolv-retry infinite",
        "nobind",
        "persist-key",
        "persist-tun",
        "remote-cert-tls server",
        "auth SHA256",
        "auth-nocache",
        "cipher AES-128-GCM",
        "data-ciphers AES-128-GCM",
        "tls-crypt ta.key",
        "tls-version-min 1.2",
        "tls-cipher TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
        "verb 3",
    ),
)
FIXED_BUFFERS = _sample("buffers 393216, txqueuelen 10000", *FIXED_BUFFER_LINES, "txqueuelen 10000")
COMPRESSED = _sample(
    "compress lz4-v2",
    "allow-compression yes",
    "compress lz4-v2",
    'push "compress lz4-v2"',
    client=("allow-compression yes", "compress lz4-v2"),
)
SMALL_MTU = _sample("tun-mtu 1400, mssfix 1360", "tun-mtu 1400", "mssfix 1360", client=("tun-mtu 1400", "mssfix 1360"))


def server_text(recipe: Recipe, place: Place) -> str:
    """The file ``server.conf``, for a working folder that has the keys."""
    lines = [
        f"port {place.port}",
        f"proto {place.protocol}",
        f"dev {place.device}",
        "dev-type tun",
        "ca ca.crt",
        "cert server.crt",
        "key server.key",
        "dh none",
        f"server {place.network}",
        *recipe.server,
    ]
    if place.protocol == "udp":
        lines.append("explicit-exit-notify 1")
    return "\n".join(lines) + "\n"


def client_text(recipe: Recipe, place: Place, identity: str) -> str:
    """The file ``client.conf``, for a working folder that has the keys.

    :param identity: The client's certificate and key have this name, with ``.crt`` and ``.key``.
    """
    lines = [
        "client",
        f"dev {place.device}",
        "dev-type tun",
        f"proto {place.protocol}",
        f"remote {place.address} {place.port}",
        "ca ca.crt",
        f"cert {identity}.crt",
        f"key {identity}.key",
        *recipe.client,
    ]
    return "\n".join(lines) + "\n"
