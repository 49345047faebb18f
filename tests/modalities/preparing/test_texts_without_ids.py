"""Texts without what looks like an id."""

import pytest

from recsim.modalities.preparing.texts import looks_like_id, without_ids


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("cat, DSC00123, animal", "cat, animal"),
        ("a3f90b12cc, cat", "cat"),
        ("cat, 20061231, 12345678", "cat"),
        ("cat 1984 mp3 IMG_20481", "cat 1984 mp3"),
        ("chair; 550e8400-e29b-41d4", "chair"),
        ("cat DSC00123, animal ;)", "cat, animal ;)"),
        ("DSC00123", ""),
    ],
)
def test_ids_are_taken_out_with_their_places(raw: str, clean: str) -> None:
    assert without_ids(raw) == clean


@pytest.mark.parametrize("word", ["cat", "beaded", "defaced", "2024", "mp3", "iphone15", "covid-19", "b2b", ""])
def test_words_are_no_ids(word: str) -> None:
    assert not looks_like_id(word)
