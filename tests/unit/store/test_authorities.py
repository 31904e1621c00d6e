"""Authorities in the store."""

from __future__ import annotations

import pytest
from unit.store.store_bench import NOON, YEAR, Bench, OpenStore

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._store import authorities


def test_an_intended_authority_cannot_sign(opened: OpenStore) -> None:
    with opened(create=True) as session:
        authorities.intend_authority(session, label="ca", common_name="A", algorithm="ec-p256", crl_validity_days=30)
        with pytest.raises(StateError, match=r"no active authority with the key label 'ca' \(it has none\)"):
            authorities.active_authority(session, "ca")


def test_an_intention_that_is_taken_up_again_is_one_authority(opened: OpenStore) -> None:
    with opened(create=True) as session:
        for name in ("first try", "second try"):
            authorities.intend_authority(
                session, label="ca", common_name=name, algorithm="ec-p256", crl_validity_days=30
            )
        (authority,) = authorities.load_authorities(session)
        assert (authority.common_name, authority.state, authority.certificate) == ("second try", "intended", b"")


def test_an_active_authority_has_its_certificate(bench: Bench) -> None:
    assert bench.authority.certificate == b"ca der"
    assert bench.authority.not_after == (NOON + 10 * YEAR).replace(microsecond=0)


def test_an_active_authority_cannot_be_overwritten(bench: Bench) -> None:
    authorities.intend_authority(
        bench.session, label="ca", common_name="Other", algorithm="ed25519", crl_validity_days=1
    )
    authorities.activate_authority(bench.session, "ca", certificate=b"other", not_after=NOON)
    assert authorities.active_authority(bench.session, "ca") == bench.authority


def test_a_wrong_label_names_the_right_one(bench: Bench) -> None:
    with pytest.raises(StateError, match=r"no active authority with the key label 'root' \(it has 'ca'\)"):
        authorities.active_authority(bench.session, "root")


def test_the_life_of_crls_can_change(bench: Bench) -> None:
    authorities.change_crl_validity(bench.session, bench.authority, 7)
    assert authorities.active_authority(bench.session, "ca").crl_validity_days == 7
