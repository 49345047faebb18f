"""Texts that fit their boxes."""

from recsim.catalog import Catalog
from recsim.envs.lettering import cut, width, wrapped


def test_texts_are_cut_to_their_boxes(awkward: Catalog) -> None:
    for text in awkward.table["title"]:
        assert width(cut(text, 14, 96), 14) <= 96
        lines = wrapped(text, 14, 96, 2)
        assert len(lines) <= 2
        assert all(width(line, 14) <= 96 for line in lines)
    assert cut("short", 14, 96) == "short"
    assert cut("Extraordinary machines", 14, 96).startswith("Extraordin")
    assert cut("Extraordinary machines", 14, 96).endswith("…")
    assert wrapped("one two three four five six", 14, 96, 2) == ["one two three", "four five six"]


def test_the_font_lacks_accents() -> None:
    assert width("Café", 14) == width("Cafe", 14) != width("Caf日", 14)
