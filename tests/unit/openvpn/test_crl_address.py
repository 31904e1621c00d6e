"""Where a gateway finds the CRL: never at itself, unless it is the authority's host, too."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.privatespace.gateway.plugins.filter.openvpn_crl_pull import openvpn_crl_pull
from ansible_collections.privatespace.gateway.plugins.filter.openvpn_published_crl import openvpn_published_crl
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.crl_address import is_this_host

EVERY_IPV4 = "0.0.0.0"


@pytest.mark.parametrize(
    ("addresses", "more", "url"),
    [
        ([], {}, "http://ca.example.net/crl.pem"),
        ([EVERY_IPV4], {}, "http://ca.example.net/crl.pem"),
        (["::"], {"port": "8080"}, "http://ca.example.net:8080/crl.pem"),
        (["[::1]", "127.0.0.1", "192.0.2.7"], {}, "http://192.0.2.7/crl.pem"),
        (["127.0.0.1", "2001:db8::7"], {"port": 81}, "http://[2001:db8::7]:81/crl.pem"),
        ([EVERY_IPV4], {"authority": "2001:db8::1"}, "http://[2001:db8::1]/crl.pem"),
        (["127.0.0.1"], {}, "http://ca.example.net/crl.pem"),
        ([], {"same_host": True}, "http://127.0.0.1/crl.pem"),
        ([EVERY_IPV4, "192.0.2.7"], {"same_host": True}, "http://127.0.0.1/crl.pem"),
        (["::"], {"same_host": True}, "http://[::1]/crl.pem"),
        (["192.0.2.7", "127.0.0.1"], {"same_host": True, "port": 81}, "http://192.0.2.7:81/crl.pem"),
        (["127.0.0.1"], {"same_host": True}, "http://127.0.0.1/crl.pem"),
    ],
)
def test_a_gateway_is_sent_to_an_address_that_it_can_reach(addresses: list[str], more: Any, url: str) -> None:
    assert openvpn_published_crl(addresses, **{"authority": "ca.example.net", **more}) == url


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST.", "ca.localhost", "ip6-localhost"),
        *("127.0.0.1", "127.9.9.9", "127.1", "0", EVERY_IPV4),
        *("::1", "[::1]", "::", "::ffff:127.0.0.1"),
    ],
)
def test_this_host_has_many_names(host: str) -> None:
    assert is_this_host(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost.example.net", "mylocalhost", "2001:db8::1", "10.127.0.1", ""])
def test_another_host_is_another_host(host: str) -> None:
    assert not is_this_host(host)


@pytest.mark.parametrize("url", ["http://127.0.0.1/crl.pem", "https://[::]:8443/x.pem", "http://localhost:81/crl.pem"])
def test_a_gateway_that_would_ask_itself_is_refused_before_anything_is_written(url: str) -> None:
    good = "http://192.0.2.1/crl.pem"
    with pytest.raises(AnsibleFilterError, match=r"openvpn_crl_urls: at .* the gateway would ask itself"):
        openvpn_crl_pull({"urls": [good, url]})
    assert openvpn_crl_pull({"urls": [good, url]}, same_host=True)["urls"] == [good, url]


@pytest.mark.parametrize(("addresses", "port"), [("192.0.2.7", 80), (["192.0.2.7"], "http"), (7, 80)])
def test_what_is_no_list_of_addresses_is_refused(addresses: Any, port: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="openvpn_published_crl: "):
        openvpn_published_crl(addresses, authority="ca", port=port)
