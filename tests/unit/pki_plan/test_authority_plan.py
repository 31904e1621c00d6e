"""What has to be done to set up an authority, and when nothing may be done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import (
    CollectionError,
    InputError,
    StateError,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.authority_plan import (
    ACCEPT,
    CHAIN_CRLS,
    CRL_VALIDITY,
    ESTABLISH,
    REQUEST,
    RETIRE,
    SERVER_KEY,
    SERVER_KEY_MODE,
    SETTINGS,
    TAKE_OVER,
    WantedAuthority,
    plan_authority,
    require_algorithm,
    require_key_may_be_used,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Known:
    label: str = "ca"
    common_name: str = "Example"
    algorithm: str = "ec-p256"
    state: str = "active"
    crl_validity_days: int = 30
    not_after: datetime | None = datetime(2036, 1, 1, tzinfo=UTC)
    replaces: str = ""
    chain_crls: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


WANTED = WantedAuthority("ca", "Example", "ec-p256", 3650, 30, server_key=True)
NEXT = replace(WANTED, label="ca2", common_name="Example 2", replaces="ca", server_key=False)
OFFLINE = replace(WANTED, offline_root=True, server_key=False)
CASES: dict[str, tuple[Known | None, int | None, tuple[str, ...]]] = {
    "fresh host": (None, None, (ESTABLISH, SERVER_KEY)),
    "server key is there": (None, 0o600, (ESTABLISH,)),
    "broke off": (Known(state="intended", common_name="Other"), 0o600, (ESTABLISH,)),
    "as wanted": (Known(), 0o600, ()),
    "server key lost": (Known(), None, (SERVER_KEY,)),
    "server key open to others": (Known(), 0o644, (SERVER_KEY_MODE,)),
    "other CRL validity": (Known(crl_validity_days=7), 0o600, (CRL_VALIDITY,)),
}


@pytest.mark.parametrize(("known", "mode", "steps"), CASES.values(), ids=CASES.keys())
def test_what_is_done(known: Known | None, mode: int | None, steps: tuple[str, ...]) -> None:
    change = plan_authority(WANTED, [known] if known else [], server_key_mode=mode)
    assert change.steps == steps
    assert change.needed == (change.before != change.after)


OLD, RETIRING, RETIRED = Known(), Known(state="retiring"), Known(state="retired")
NEW = Known("ca2", "Example 2", replaces="ca")
STANDBY = replace(NEW, state="standby")
STANDING_BY, RETIRES = replace(NEXT, state="standby"), replace(WANTED, state="retired", server_key=False)
CRL, OLDER_CRL, OTHER_CRL = (
    f"-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n" for text in ("AA", "BB", "CC")
)
CHAIN = replace(OFFLINE, chain="certificates", chain_crls=CRL)
LIFE: dict[str, tuple[WantedAuthority, list[Known], tuple[str, ...]]] = {
    "a new one stands by": (STANDING_BY, [OLD], (ESTABLISH,)),
    "and goes on standing by": (STANDING_BY, [OLD, STANDBY], ()),
    "until it takes over": (NEXT, [OLD, STANDBY], (TAKE_OVER,)),
    "once": (NEXT, [RETIRING, NEW], ()),
    "a new one takes over at once": (NEXT, [OLD], (ESTABLISH, TAKE_OVER)),
    "a run that broke off before": (NEXT, [OLD, replace(NEW, state="intended")], (ESTABLISH, TAKE_OVER)),
    "a third one, while the first retires": (
        replace(NEXT, label="ca3", common_name="Example 3", replaces="ca2"),
        [RETIRING, NEW],
        (ESTABLISH, TAKE_OVER),
    ),
    "an inventory that names the old one": (replace(WANTED, server_key=False), [RETIRING, NEW], ()),
    "whose settings are those of the new one": (
        replace(WANTED, server_key=False, crl_validity_days=9, settings={"rsa_pss": False}),
        [RETIRING, NEW],
        (CRL_VALIDITY, SETTINGS),
    ),
    "the old one retires": (RETIRES, [RETIRING, NEW], (RETIRE,)),
    "once and for all": (RETIRES, [RETIRED, NEW], ()),
    "an offline root is asked": (OFFLINE, [], (REQUEST,)),
    "and asked once": (OFFLINE, [Known(state="requested")], ()),
    "until it answers": (CHAIN, [Known(state="requested")], (ACCEPT,)),
    "once, too": (CHAIN, [Known(chain_crls=CRL)], ()),
    "its CRLs are renewed": (CHAIN, [Known(chain_crls=OLDER_CRL)], (CHAIN_CRLS,)),
    "not for another order or line ends": (
        replace(CHAIN, chain_crls=f"{OTHER_CRL}text\n{CRL}".rstrip().replace("\n", "\r\n")),
        [Known(chain_crls=CRL + OTHER_CRL)],
        (),
    ),
    "a successor below the offline root": (replace(NEXT, offline_root=True), [OLD], (REQUEST,)),
    "takes over with its answer": (
        replace(NEXT, offline_root=True, chain="certificates"),
        [OLD, replace(NEW, state="requested")],
        (ACCEPT, TAKE_OVER),
    ),
    "or stands by with it": (
        replace(STANDING_BY, offline_root=True, chain="certificates"),
        [OLD, replace(NEW, state="requested")],
        (ACCEPT,),
    ),
    "other URLs in certificates": (
        replace(WANTED, server_key=False, settings={"crl_urls": ["http://a"]}),
        [Known(settings={"crl_urls": []})],
        (SETTINGS,),
    ),
}


@pytest.mark.parametrize(("wanted", "known", "steps"), LIFE.values(), ids=LIFE.keys())
def test_the_life_of_authorities(wanted: WantedAuthority, known: list[Known], steps: tuple[str, ...]) -> None:
    change = plan_authority(wanted, known, server_key_mode=None)
    assert change.steps == steps
    assert change.needed == (change.before != change.after)


REFUSED: dict[str, tuple[WantedAuthority, list[Known], str]] = {
    "a second one beside the first": (replace(NEXT, replaces=""), [OLD], "already belongs to the authority .* 'ca'"),
    "a third one while one stands by": (
        replace(NEXT, label="ca3", common_name="Example 3"),
        [OLD, STANDBY],
        "already belongs to the authority .* 'ca2'",
    ),
    "a successor of nobody": (NEXT, [], "is not the authority that issues now"),
    "a successor of one that retires": (
        replace(NEXT, label="ca3", common_name="Example 3"),
        [RETIRING, NEW],
        r"is not the authority that issues now \(ca2 does\)",
    ),
    "a successor of the same name": (replace(NEXT, common_name="Example"), [OLD], "common_name 'Example' already"),
    "a first one that stands by": (replace(WANTED, state="standby"), [], "The first authority cannot stand by"),
    "an active one that stands by": (replace(WANTED, state="standby"), [OLD], "is active and cannot stand by"),
    "an active one that retires": (RETIRES, [OLD], "is the one that issues"),
    "one that retires and never was": (RETIRES, [NEW], "knows no authority with the key label 'ca'"),
    "an answer that nobody asked for": (CHAIN, [], "no request was made"),
    "other name constraints": (
        replace(WANTED, settings={"permitted_dns": ["b.example"]}),
        [Known(settings={"permitted_dns": ["a.example"]})],
        "has the permitted_dns 'a.example', not 'b.example'",
    ),
}


@pytest.mark.parametrize(("wanted", "known", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_make_no_sense_is_refused(wanted: WantedAuthority, known: list[Known], says: str) -> None:
    with pytest.raises(CollectionError, match=says):
        plan_authority(wanted, known, server_key_mode=0o600)


def test_nobody_is_locked_out_by_a_retirement() -> None:
    with pytest.raises(StateError, match="3 certificates of the authority 'ca' can still be used"):
        plan_authority(RETIRES, [RETIRING, NEW], server_key_mode=None, usable=3)


def test_no_server_key_is_made_where_none_is_wanted() -> None:
    change = plan_authority(replace(WANTED, server_key=False), [OLD], server_key_mode=None)
    assert not change.needed
    assert "tls_crypt_v2_server_key" not in change.after


@pytest.mark.parametrize(("field", "value"), [("common_name", "Other"), ("algorithm", "ed25519")])
def test_an_authority_keeps_its_name_and_algorithm(field: str, value: str) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(StateError, match=f"has the {field} "):
        plan_authority(replace(WANTED, **changed), [OLD], server_key_mode=0o600)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"common_name": ""}, "common_name"),
        ({"common_name": "   "}, "common_name"),
        ({"common_name": "a" * 65}, "65 characters|must have 1 to 64"),
        ({"common_name": "a\nb"}, "control character"),
        ({"validity_days": 0}, "validity_days"),
        ({"crl_validity_days": 0}, "crl_validity_days"),
        ({"replaces": "ca"}, "cannot replace itself"),
        ({"settings": {"rsa_pss": True}}, "rsa_pss"),
        ({"chain": "x"}, "offline_root"),
    ],
)
def test_what_no_certificate_can_hold_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(WANTED, **changed).check()


def test_a_common_name_of_64_characters_fits() -> None:
    replace(WANTED, common_name="a" * 64).check()


@pytest.mark.parametrize(
    ("in_token", "intended", "adopt"),
    [(False, False, False), (True, True, False), (True, False, True), (False, True, False)],
)
def test_keys_that_may_be_used(in_token: bool, intended: bool, adopt: bool) -> None:
    require_key_may_be_used("ca", in_token=in_token, intended=intended, adopt=adopt)


def test_a_key_without_a_store_means_that_the_store_was_lost() -> None:
    with pytest.raises(StateError, match="restore it from its backup"):
        require_key_may_be_used("ca", in_token=True, intended=False, adopt=False)


def test_a_key_of_another_kind_is_not_adopted() -> None:
    require_algorithm(WANTED, found="ec-p256")
    with pytest.raises(StateError, match="of the kind rsa-2048, not ec-p256"):
        require_algorithm(WANTED, found="rsa-2048")
