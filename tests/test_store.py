"""What is kept in a file, by whom it was made and of what; damage and foreign files are in the tests of the caches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsim.store import Store, Table

WORDS = Table("words", maker="author", key="number", value="letters", holds="words", elsewhere="name another file")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "words.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, WORDS) as store:
        yield store


def test_what_was_put_is_got_by_its_maker_and_key(store: Store, path: Path) -> None:
    store.put("ann", {b"1": b"one", b"2": b"two"})
    store.put("bob", {b"1": b"uno"})
    assert store.get("ann", [b"2", b"9", b"1", b"2"], 3) == {b"1": b"one", b"2": b"two"}
    assert store.get("bob", [b"1", b"2"], 3) == {b"1": b"uno"}
    assert store.get("ann", [], 3) == {}
    with Store(path, WORDS) as again:
        assert again.get("ann", [b"1"], 3) == {b"1": b"one"}


def test_what_is_there_stays(store: Store) -> None:
    store.put("ann", {b"1": b"one"})
    store.put("ann", {b"1": b"two", b"2": b"two"})
    assert store.get("ann", [b"1", b"2"], 3) == {b"1": b"one", b"2": b"two"}


def test_more_keys_than_a_query_takes(store: Store) -> None:
    numbers = {f"{number}".encode(): f"{number:09}".encode() for number in range(1234)}
    store.put("ann", numbers)
    assert store.get("ann", list(numbers), 9) == numbers


def test_a_put_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(OverflowError, match="too large"):
        store.put("ann", {b"1": b"one", 2**70: b"two"})  # type: ignore[dict-item]
    assert store.get("ann", [b"1"], 3) == {}
    store.put("ann", {b"1": b"one"})
    assert store.get("ann", [b"1"], 3) == {b"1": b"one"}


def test_a_value_of_another_size_is_damage(store: Store) -> None:
    store.put("ann", {b"1": b"one"})
    with pytest.raises(
        ValueError,
        match=r"words\.sqlite is no usable cache of words \(a value of 3 bytes in place of 8\): name another",
    ):
        store.get("ann", [b"1"], 8)


def test_a_store_of_another_table_is_refused(store: Store, path: Path) -> None:
    other = Table("numbers", maker="author", key="word", value="number", holds="numbers", elsewhere="name another file")
    with pytest.raises(
        ValueError, match="no usable cache of numbers .it was written by another program or another rel"
    ):
        Store(path, other)
