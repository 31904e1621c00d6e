"""Lists of domains, as they are found in the wild."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._dns.blocklist import (
    merge_blocklists,
    parse_blocklist,
    render_blocklist,
)

HOSTS = """# Title: a list
127.0.0.1 localhost
::1 ip6-localhost ip6-loopback
0.0.0.0 0.0.0.0
255.255.255.255 broadcasthost
0.0.0.0 Ads.Example.com track_er.example.com # both

127.0.0.1\tmore.example.net
"""


def test_a_hosts_file() -> None:
    found = parse_blocklist(HOSTS)
    assert found.domains == {"ads.example.com", "track_er.example.com", "more.example.net"}
    assert found.bad_lines == 0


def test_plain_domains_and_lines_for_dnsmasq() -> None:
    text = "a.example.\r\n! a comment\nb.example # why\naddress=/c.example/d.example/0.0.0.0\nserver=/e.example/\n"
    text += "local=/f.example/\naddress=/g.example/#\n"
    found = parse_blocklist(text)
    assert found.domains == {f"{letter}.example" for letter in "abcdefg"}
    assert found.bad_lines == 0


@pytest.mark.parametrize(
    "line",
    [
        "address=/bank.example/203.0.113.66", "server=/bank.example/203.0.113.66", "203.0.113.66 bank.example",
        "conf-file=/etc/shadow", "com", "*.example.com", "a..example", "-a.example", "192.0.2.1", "a.example b.example",
        f"{'a' * 64}.example", "a." * 130 + "example", "\x00.example", "||ads.example^", "server=/a.example",
        "müll.example", "a.example/conf-file=x",
    ],
)  # fmt: skip
def test_a_bad_line_is_left_out_and_the_others_stay(line: str) -> None:
    found = parse_blocklist(f"first.example\n{line}\nlast.example\n")
    assert found.domains == {"first.example", "last.example"}
    assert found.bad_lines == 1


def test_only_the_first_bad_lines_are_told() -> None:
    found = parse_blocklist("bad line here\n" * 1000)
    assert (found.bad_lines, len(found.examples)) == (1000, 5)


def test_own_names_and_domains_above_them_stay_and_those_below_others_go() -> None:
    lists = [parse_blocklist("example.net\nads.example.net\ncorp.example\nads.corp.example\nx.ads.corp.example\n")]
    assert merge_blocklists(lists, own=["wiki.corp.example"]) == ("ads.corp.example", "example.net")


@pytest.mark.parametrize("own", ["ad.example", "AD.Example."])
def test_everything_below_an_own_domain_stays_however_that_is_written(own: str) -> None:
    lists = [parse_blocklist("login.ad.example\nx.login.ad.example\nad.example\nbad.example\n")]
    assert merge_blocklists(lists, own=[own]) == ("bad.example",)


def test_the_file_holds_nothing_but_domains_that_nobody_is_asked_for() -> None:
    assert render_blocklist(["a.example"]).splitlines()[1:] == ["server=/a.example/"]
