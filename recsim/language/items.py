"""Items in words, for prompts."""

from __future__ import annotations

from recsim.catalog import Catalog
from recsim.language.quoting import quoted

TITLE, CATEGORY = 100, 40  # most characters of each


class ItemTexts:
    """What a language model is told about each item of a catalogue: title, category, price and text.

    All that sellers wrote stands in quotation marks (see `quoted`).
    """

    def __init__(self, catalog: Catalog, *, characters: int = 300) -> None:
        """Texts of the items; of the column ``text``, at most so many `characters`, none with 0.

        Raises:
            ValueError: if `characters` is below 0.
        """
        if characters < 0:
            raise ValueError(f"characters of an item's text is {characters}: it is 0 or more.")
        self._catalog, self._characters = catalog, characters
        self._known: dict[int, str] = {}

    def __getitem__(self, item: int) -> str:
        """The words for an item, the same whatever the other items are."""
        if item not in self._known:
            self._known[item] = self._words(item)
        return self._known[item]

    def _words(self, item: int) -> str:
        title, text = self._cell("title", item), self._cell("text", item)
        words = f"Title: {quoted(title, TITLE)}. Category: {quoted(self._cell('category', item), CATEGORY)}."
        words += f" Price: {self._catalog.price[item]:.2f}."
        if not self._characters or text.rstrip(". ") == title:
            return words
        return f"{words} Text: {quoted(text, self._characters)}."

    def _cell(self, column: str, item: int) -> str:
        return str(self._catalog.table[column].iloc[item])


NOTHING = f"Title: {quoted('N/A')}. Category: {quoted('N/A')}. Price: N/A. Text: {quoted('N/A')}."
