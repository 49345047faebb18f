"""Texts without what is no text."""

import pytest

from recsim.modalities.preparing.texts import cleaned, looks_like_id


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("LÃ©zard", "Lézard"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("a&amp;amp;b", "a&b"),
        ("<b>Cat</b><br/>and <i>dog</i>", "Cat and dog"),
        ("if x < 3 and y > 4", "if x < 3 and y > 4"),
        ("one \n\t two\u00a0three", "one two three"),
        ("Cani e gatti , Cat", "Cani e gatti, Cat"),
        ("bubbles ;)", "bubbles ;)"),
        ("", ""),
        ("already clean.", "already clean."),
    ],
)
def test_cleaning(raw: str, clean: str) -> None:
    assert cleaned(raw) == clean
    assert cleaned(clean) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("cat, DSC00123, animal", "cat, animal"),
        ("a3f90b12cc, cat", "cat"),
        ("cat, 20061231, 12345678", "cat"),
        ("cat 1984 mp3 IMG_20481", "cat 1984 mp3"),
        ("chair; 550e8400-e29b-41d4", "chair"),
        ("DSC00123", ""),
    ],
)
def test_ids_are_taken_out_on_request(raw: str, clean: str) -> None:
    assert cleaned(raw, ids=True) == clean
    assert cleaned(raw) == raw


@pytest.mark.parametrize("word", ["cat", "beaded", "defaced", "2024", "mp3", "iphone15", "covid-19", "b2b", ""])
def test_words_are_no_ids(word: str) -> None:
    assert not looks_like_id(word)
