"""What a language model thinks of showing an item to somebody who clicked these others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.language.cache import RememberedModel
from recsim.language.items import TITLE, ItemTexts
from recsim.language.model import LanguageModel
from recsim.language.quoting import quoted
from recsim.observation import Layout

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

ANSWERS, CHAT_ANSWERS = (" yes", " no"), ("Yes", "No")
UNKNOWN = quoted("N/A")  # the content-free history


class ClickJudge:
    """Log-odds of a click, as a language model answers yes or no about one item at a time.

    log P(yes) - log P(no) after the titles that the user clicked last and the item in question, less the same with a
    history of "N/A" (Zhao et al. 2021, "Calibrate before use", section 5; Holtzman et al. 2021, "Surface form
    competition"): what the item's own text makes the model say to everybody is taken off. Every item has a prompt of
    its own, and all that sellers wrote stands in quotation marks; so an item's text can say anything, and changes the
    answers about that item, and about others for those who clicked it, but nobody else's.
    """

    def __init__(
        self,
        model: LanguageModel,
        catalog: Catalog,
        layout: Layout,
        *,
        history: int = 5,
        characters: int = 0,
        answers: tuple[str, str] = ANSWERS,
    ) -> None:
        """What `model` thinks of the items of `catalog`.

        Args:
            model: which is asked about a history and an item once.
            catalog: the items.
            layout: where features stand in an observation; it must tell what was `clicked`.
            history: clicked items that are named, the newest.
            characters: of an item's text that are quoted beside title, category and price.
            answers: what counts as yes and as no; in a chat, an answer begins without a space.

        Raises:
            ValueError: if observations do not tell what was clicked, or a number cannot be.
        """
        if "clicked" not in layout.columns:
            raise ValueError(
                "observations do not tell which items a user clicked, from which a language model is to judge; make "
                "the world, and collect the log, with recent above 0."
            )
        if history < 1:
            raise ValueError(f"history is {history}; at least 1 clicked item must be named.")
        self.model, self.layout, self.history, self.characters = model, layout, history, characters
        self._answers = answers
        self._asked = model if isinstance(model, RememberedModel) else RememberedModel(model)
        self._texts, self._titles = ItemTexts(catalog, characters=characters), catalog.table["title"]

    def knows(self, observation: Observation) -> NDArray[np.bool_]:
        """(n,) bool, whose last clicks are told, so that there is something to judge by."""
        return np.asarray((self.layout.read(observation, "clicked") >= 0).any(axis=1))

    def log_odds(self, observation: Observation, items: Items) -> Floats:
        """(n, c) float64, calibrated log-odds of `items` (n, c); 0 for users who clicked nothing and at -1."""
        found, asked = np.zeros(items.shape), self.knows(observation)[:, None] & (items >= 0)
        rows, columns = np.nonzero(asked)
        if rows.size:
            histories = [self._history(row) for row in self.layout.read(observation, "clicked")]
            of = items[rows, columns]
            told = [self._question(histories[row], item) for row, item in zip(rows, of, strict=True)]
            free = [self._question(UNKNOWN, item) for item in of]
            odds = self._yes_or_no([*told, *free])
            found[rows, columns] = odds[: len(told)] - odds[len(told) :]
        return found

    def _yes_or_no(self, prompts: list[str]) -> Floats:
        yes, no = self._asked.log_probs(prompts, self._answers).T
        odds: Floats = yes - no
        return odds

    def _history(self, clicked: NDArray[np.float32]) -> str:
        """Titles of the items clicked last, newest first, none twice."""
        items = dict.fromkeys(int(item) for item in clicked if item >= 0)
        return ", ".join(quoted(str(self._titles.iloc[item]), TITLE) for item in list(items)[: self.history])

    def _question(self, history: str, item: int) -> str:
        return (
            f"A person clicked on these items, the latest first: {history}.\n"
            f"Another item: {self._texts[int(item)]}\n"
            "Would this person click on that item? Answer yes or no.\nAnswer:"
        )
