"""Profiles for single platforms: what differs from the one that works everywhere, and that it is said why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.openvpn.test_profile import DELIVERY, GATEWAYS

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile import LONGEST_LINE, render_profile
from ansible_collections.privatespace.gateway.plugins.module_utils._openvpn.profile_variants import VARIANTS, quote

CHECKOUT = Path(__file__).parents[3]
ASKING = [{**gateway, "second_factor": True} for gateway in GATEWAYS]
FACTOR = ["auth-user-pass", "auth-nocache", "auth-retry interact"]


def render(variant: str, **options: Any) -> list[str]:
    """The lines of a profile, as far as its first part in PEM."""
    text = render_profile(DELIVERY, gateways=options.pop("gateways", GATEWAYS), variant=variant, **options)
    return text.partition("<ca>")[0].splitlines()


def differences(variant: str, **options: Any) -> tuple[set[str], set[str]]:
    """What a variant adds to the generic profile and what it leaves out, without comments."""
    generic, own = (
        {line for line in render(one, **options) if not line.startswith("#")} for one in ("generic", variant)
    )
    return own - generic, generic - own


def test_phones_notice_that_they_moved_and_get_time() -> None:
    for phone in ("ios", "android"):
        assert differences(phone) == (
            {"server-poll-timeout 10", 'setenv FRIENDLY_NAME "alice@laptop"'},
            {"server-poll-timeout 5", "persist-tun", "resolv-retry infinite", "connect-retry 1 5", "verb 3"},
        )
    assert "server-poll-timeout 20" in render("ios", poll_timeout_seconds=20)


def test_the_rest_only_adds_to_what_works_everywhere() -> None:
    assert differences("windows")[0] == {"setenv opt register-dns", 'setenv FRIENDLY_NAME "alice@laptop"'}
    assert differences("macos")[0] == {'setenv FRIENDLY_NAME "alice@laptop"'}
    assert differences("router")[0] == {
        "pull-filter ignore redirect-gateway", "pull-filter ignore block-outside-dns", "persist-key",
    }  # fmt: skip
    for variant in ("linux", "windows", "macos", "router"):
        assert differences(variant)[1] == set()


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "linux"])
def test_only_linux_runs_a_program(variant: str) -> None:
    assert any(line.startswith("route-up ") for line in render("linux"))
    words = {line.split()[0] for line in render(variant)}
    assert words.isdisjoint({"script-security", "up", "down", "route-up", "route-pre-down", "plugin"})


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("gateways", [GATEWAYS, ASKING])
def test_each_group_of_added_lines_has_its_reason_and_every_line_can_be_read(variant: str, gateways: Any) -> None:
    lines = render(variant, gateways=gateways)
    assert all(len(line.encode()) <= LONGEST_LINE for line in lines)
    last_common = max(number for number, line in enumerate(lines) if line == "reneg-sec 0")
    added = [line for line in lines[last_common + 1 :] if line not in ("connect-retry 1 5", "verb 3")]
    assert not added or added[0].startswith("# ")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_second_factor_is_asked_for_where_the_gateways_want_one(variant: str) -> None:
    asking = render(variant, gateways=ASKING)
    assert [line for line in asking if line in FACTOR] == FACTOR
    assert ('setenv USERNAME "alice"' in asking) == VARIANTS[variant].app
    assert render(variant, gateways=ASKING, second_factor=False) == render(variant)
    assert set(FACTOR).isdisjoint(render(variant))
    assert set(FACTOR) < set(render(variant, second_factor=True))


def test_the_user_of_a_delivery_is_asked() -> None:
    text = render_profile({**DELIVERY, "name": "alice.smith"}, gateways=ASKING, variant="ios")
    assert 'setenv USERNAME "alice.smith"' in text


def test_gateways_that_disagree_on_a_second_factor_are_named() -> None:
    with pytest.raises(InputError, match=r"\(one\) and some do not \(two\).*openvpn_second_factor"):
        render("generic", gateways=[ASKING[0], GATEWAYS[1]])


def test_a_compact_profile_connects_and_says_nothing_else() -> None:
    compact = render("android", gateways=ASKING, compact=True)
    full = render("android", gateways=ASKING)
    assert compact == [line for line in full if not line.startswith("#")]
    assert {"persist-tun", "verb 3"}.isdisjoint(render("linux", compact=True))


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no variant 'amiga'.*generic, linux, .*router"):
        render("amiga")


@pytest.mark.parametrize("value", ['x" y', "back\\slash", 'a\\"b'])
def test_a_name_stays_one_parameter(value: str) -> None:
    assert quote(value).replace("\\\\", "").replace('\\"', "").count('"') == 2
    assert f"setenv FRIENDLY_NAME {quote(value)}" in render_profile(
        {**DELIVERY, "common_name": value}, gateways=GATEWAYS, variant="ios"
    )


@pytest.mark.parametrize("change", [{"name": "alice\nup /bin/sh"}, {"common_name": "a" * 250}])
def test_a_name_that_breaks_a_line_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InputError):
        render_profile({**DELIVERY, **change}, gateways=ASKING, variant="ios")


def test_a_host_name_that_openvpn_cannot_read_is_refused() -> None:
    long = ".".join(["a" * 60] * 4)
    with pytest.raises(InputError, match="255 bytes"):
        render("generic", gateways=[{**GATEWAYS[0], "address": long}])


def test_role_and_filter_offer_the_same_variants() -> None:
    filter_options = yaml.safe_load((CHECKOUT / "plugins/filter/openvpn_profile.yml").read_text())
    role_options = yaml.safe_load((CHECKOUT / "roles/openvpn/meta/argument_specs.yml").read_text())
    profiles = role_options["argument_specs"]["profiles"]["options"]
    assert filter_options["DOCUMENTATION"]["options"]["variant"]["choices"] == list(VARIANTS)
    assert profiles["openvpn_profile_variants"]["choices"] == list(VARIANTS)
