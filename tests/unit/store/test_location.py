"""Where a store may be, and who may reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.errors import StoreError, StoreMissingError
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import (
    StoreLocation,
    make_file,
    make_folder,
    parse_location,
    require_private,
)


@pytest.mark.parametrize("value", ["/srv/pki/a.db", "sqlite:////srv/pki/a.db", "/srv/../srv/pki//a.db"])
def test_a_path_and_its_url_are_one_place(value: str) -> None:
    assert parse_location(value) == StoreLocation(path=Path("/srv/pki/a.db"))


def test_a_database_is_taken_by_its_url() -> None:
    location = parse_location("postgresql+psycopg://authority@db.example.net/authority")
    assert location.path is None
    assert location.lock_path is None
    assert not location.is_missing()
    assert location.shown == "postgresql+psycopg://authority@db.example.net/authority"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "not the absolute path"),
        ("authority.db", "not the absolute path"),
        ("sqlite:///authority.db", "not the absolute path"),
        ("/srv/pki/", "not the absolute path"),
        ("/srv/a\n.db", "control character"),
        ("mysql://db/authority", "no kind of store 'mysql'"),
        ("postgresql+pg8000://db/authority", "no kind of store .postgresql.pg8000."),
        ("postgresql://authority:secret@db/authority", "holds a password"),
        ("postgresql://db/authority?password=secret", "holds a password"),
    ],
)
def test_other_places_are_refused(value: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_location(value)
    assert "secret" not in str(caught.value)


def test_folder_and_file_are_made_for_their_owner_only(location: StoreLocation) -> None:
    make_folder(location)
    make_file(location)
    assert location.path is not None
    assert location.path.parent.stat().st_mode & 0o7777 == 0o700
    assert location.path.stat().st_mode & 0o7777 == 0o600
    require_private(location)


def test_a_file_that_is_there_is_left_as_it_is(location: StoreLocation) -> None:
    make_folder(location)
    assert location.path is not None
    location.path.write_bytes(b"content")
    make_file(location)
    assert location.path.read_bytes() == b"content"


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(StoreError, match=r"can be reached by others \(mode 0755\)"):
        make_folder(StoreLocation(path=tmp_path / "authority.db"))


def test_a_file_that_others_can_read_is_refused(location: StoreLocation) -> None:
    make_folder(location)
    make_file(location)
    assert location.path is not None
    location.path.chmod(0o640)
    with pytest.raises(StoreError, match="chmod 0600"):
        require_private(location)


def test_a_missing_store_names_the_module_that_makes_it(location: StoreLocation) -> None:
    with pytest.raises(StoreMissingError, match="pki_authority"):
        require_private(location)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Cannot make the folder"):
        make_folder(StoreLocation(path=tmp_path / "file" / "folder" / "authority.db"))
