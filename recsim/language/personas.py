"""People in words: what their hidden interests would make them say about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.language.items import CATEGORY, TITLE
from recsim.language.quoting import quoted

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

SENSES = {
    "text": "what is written about them",
    "image": "how they look",
    "behaviour": "what people with similar tastes chose",
}
CHEAP, CARELESS = 1.5, 0.3  # times the mean price sensitivity; 22 and 26 in a hundred people of an exponential
CURIOUS = 0.5  # standard deviations of the appetite for the new; 31 in a hundred people above, as many below


@dataclass
class Tastes:
    """What personas are written from, a row a user.

    Attributes:
        liked: (n, 3) int64, the categories liked most, best first; a third of all at most, and then -1.
        disliked: (n, 1) int64, the category liked least; -1 where there is only one.
        drawn_to: (n, M) int64, the category liked most by each modality.
        example: (n, M, e) int64, the items liked most by each modality, best first.
        weight: (n, M) float32, what each modality counts, 0 to 1.
        price_sensitivity: (n,) float32, in multiples of its mean over people.
        appetite: (n,) float32, for the new, in standard deviations over people.
    """

    liked: Items
    disliked: Items
    drawn_to: Items
    example: Items
    weight: Floats
    price_sensitivity: Floats
    appetite: Floats

    def __len__(self) -> int:
        """The number of users n."""
        return len(self.liked)


LIKED = 3  # categories that a persona names at most


class _Person(NamedTuple):
    """A row of `Tastes`, in plain Python numbers."""

    liked: list[int]
    disliked: list[int]
    drawn_to: list[int]
    example: list[list[int]]
    weight: list[float]
    price_sensitivity: float
    appetite: float


class Personas:
    """Tastes of people in a catalogue, and what they sound like, always the same words for the same tastes.

    A category is liked by how well its items match a person's interests on average, as the built-in users feel it:
    sum over modalities M of weight[u, M] <interest[u, M], mean taste[category, M]>.
    """

    def __init__(self, catalog: Catalog, *, examples: int = 0) -> None:
        """Personas of people who like items of `catalog`.

        Args:
            catalog: the items.
            examples: e, items that a persona names for each modality. They tell a model more than categories do; but
                then the title of one item stands in prompts about others.

        Raises:
            ValueError: if there are to be fewer than 0 examples, or more than items.
        """
        if not 0 <= examples <= len(catalog):
            raise ValueError(f"examples of a persona is {examples}; the catalogue has 0 to {len(catalog)} to give.")
        self._catalog, self._examples = catalog, examples
        self._centre = np.zeros((len(catalog.categories), catalog.taste.shape[1]))  # (C, D)
        np.add.at(self._centre, catalog.category, catalog.taste)
        self._centre /= np.bincount(catalog.category)[:, None]
        self._names = [quoted(name, CATEGORY) for name in catalog.categories]
        self._senses = [SENSES.get(name, f"their {name.replace('_', ' ')}") for name in catalog.modalities]

    def tastes(self, interest: Floats, weight: Floats, price_sensitivity: Floats, appetite: Floats) -> Tastes:
        """What people like, one at a time, so that nobody's tastes depend on who else is asked about.

        Args:
            interest: (n, D), of unit length in every modality.
            weight: (n, M).
            price_sensitivity: (n,), in multiples of its mean.
            appetite: (n,), in standard deviations.
        """
        people = [self._liking(row, share) for row, share in zip(interest, weight, strict=True)]
        liked, drawn_to, example = (np.array(part, np.int64) for part in zip(*people, strict=True))
        known = min(LIKED, max(1, liked.shape[1] // 3))
        liked, disliked = liked[:, :known], liked[:, known:][:, -1:]
        return Tastes(
            liked=_filled(liked, LIKED),
            disliked=_filled(disliked, 1),
            drawn_to=drawn_to,
            example=example,
            weight=weight.astype(np.float32),
            price_sensitivity=price_sensitivity.astype(np.float32),
            appetite=appetite.astype(np.float32),
        )

    def _liking(self, interest: Floats, weight: Floats) -> tuple[Items, Items, Items]:
        """Categories (C,) from the most to the least liked, the first (M,) by modality, and examples (M, e)."""
        offsets, wish = self._catalog.offsets, interest.astype(np.float64)
        parts = [slice(start, stop) for start, stop in pairwise(offsets)]
        match = np.array([self._centre[:, part] @ wish[part] for part in parts])  # (M, C)
        order = np.argsort(-(weight.astype(np.float64)[:, None] * match).sum(axis=0), kind="stable")
        example = np.zeros((len(parts), self._examples), np.int64)
        if self._examples:
            for row, part in enumerate(parts):
                near = self._catalog.taste[:, part] @ interest[part]
                example[row] = np.argsort(-near, kind="stable")[: self._examples]
        return order, match.argmax(axis=1), example

    def texts(self, tastes: Tastes) -> list[str]:
        """The persona of each user, a few plain sentences about "this person"."""
        columns = (getattr(tastes, name).tolist() for name in _Person._fields)
        return [self._text(_Person(*row)) for row in zip(*columns, strict=True)]

    def _text(self, person: _Person) -> str:
        sentences = [f"This person likes {_listed([self._names[c] for c in person.liked if c >= 0])}"]
        disliked = [self._names[c] for c in person.disliked if c >= 0]
        sentences[0] += f" and has no time for {_listed(disliked)}." if disliked else "."
        order = sorted(range(len(person.weight)), key=lambda modality: -person.weight[modality])
        sentences += [self._drawn(person, modality) for modality in order]
        sentences += [_thrift(person.price_sensitivity), _curiosity(person.appetite)]
        return " ".join(filter(None, sentences))

    def _drawn(self, person: _Person, modality: int) -> str:
        weight, sense = person.weight[modality], self._senses[modality]
        title = self._catalog.table["title"]
        named = list(dict.fromkeys(quoted(str(title.iloc[item]), TITLE) for item in person.example[modality]))
        such = f", such as {_listed(named)}" if named else ""
        drawn = f"which draws them to {self._names[person.drawn_to[modality]]}{such}"
        if len(person.weight) == 1:
            return f"They judge items by {sense}, {drawn}."
        if weight < 0.1:
            return f"They hardly care about {sense}."
        return f"They judge items {'mostly' if weight > 0.6 else 'partly'} by {sense}, {drawn}."


def _filled(columns: Items, count: int) -> Items:
    """(n, count) int64: the columns, and -1 behind them."""
    return np.pad(columns, ((0, 0), (0, count - columns.shape[1])), constant_values=-1)


def _listed(names: list[str]) -> str:
    """Names as a sentence lists them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _thrift(price_sensitivity: float) -> str:
    if price_sensitivity > CHEAP:
        return "They buy only what is cheap."
    return "They hardly look at prices." if price_sensitivity < CARELESS else "They compare prices."


def _curiosity(appetite: float) -> str:
    if appetite > CURIOUS:
        return "They look for what few people know."
    return "They prefer what most people know." if appetite < -CURIOUS else ""
