"""Users played by a language model: hidden interests become a persona, and the model is asked what it would click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from recsim.catalog import Catalog
from recsim.language.cache import RememberedModel
from recsim.language.items import ItemTexts
from recsim.language.model import CausalLM, LanguageModel
from recsim.language.personas import Personas, Tastes
from recsim.language.questions import YesNoQuestion
from recsim.streams import Streams
from recsim.users.choice import choice_model
from recsim.users.contract import Appeal, ChoiceModel, Items, Response
from recsim.users.interest import InterestUsers, interest_users

CLICK = "Would this person click on the item?"
CONVERSION = "This person has clicked on the item. Would this person buy it?"
PEOPLE = (  # the options of the built-in users that say who people are
    "anchors", "interest_noise", "weight_concentration", "personas", "persona_strength", "profile_share", "patience",
    "patience_limit",
)  # fmt: skip


@dataclass
class Mind(Tastes):
    """Hidden state of users: their tastes, of which the persona is written, and what changes in a session.

    Attributes:
        declared: (n,) int64, the category that each tells openly to like; -1 for none.
        patience: (n,) float32, what is left of it.
    """

    declared: Items
    patience: NDArray[np.float32]


class LLMUsers:
    """Users whose clicks and conversions are a language model's answers to questions about them.

    Who people are is sampled as for the built-in users and written out as a persona (`recsim.language.personas`). For
    every pair of a user and an item the model is asked, in a prompt of its own, whether this person would click:

        P(click | examined)    = logistic(click_offset + answer / temperature)
        P(conversion | click)  = logistic(conversion_offset + answer to the second question / temperature)

    where an answer is log p(yes) - log p(no) less the model's bias (`YesNoQuestion`). How a slate turns into clicks is
    a choice model, as for the built-in users; satisfaction, which only the dynamic Bayesian network reads, is the
    conversion. A slate costs patience, a click gives some back, and without patience the user leaves. Tastes stay.

    Answers are remembered, so that an oracle which asks about every item does so once a user.

    Attributes:
        catalog: the items.
        model: the language model, whose answers are remembered.
        item_texts: what it is told about each item.
        choice: how appeal turns into clicks.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        model: str | PathLike[str] | LanguageModel,
        language: Mapping[str, Any] | None = None,
        cache: str | PathLike[str] | None = None,
        click_question: str = CLICK,
        conversion_question: str = CONVERSION,
        answers: Sequence[str] | None = None,
        calibrated: bool = True,
        temperature: float = 1.0,
        click_offset: float = -1.0,
        conversion_offset: float = -1.0,
        boredom: float = 1.0,
        enjoyment: float = 0.6,
        characters: int = 300,
        examples: int = 0,
        people: Mapping[str, Any] | None = None,
        choice: str | Mapping[str, Any] | ChoiceModel = "pbm",
        seed: int = 0,
    ) -> None:
        """Users of `catalog`, played by `model`.

        Args:
            catalog: the items.
            model: a folder or a name on the hub (see `CausalLM`), or a ready language model.
            language: further options of `CausalLM`, where `model` is a folder or a name.
            cache: file in which answers are kept from run to run; by default they are kept in memory only.
            click_question: asked about a person and an item.
            conversion_question: asked about a person and an item that was clicked.
            answers: what counts as yes and as no; by default " yes" and " no", and "Yes" and "No" in a chat.
            calibrated: whether the model's bias toward yes or no is taken out.
            temperature: by what answers are divided; above 1, people are less sure than the model.
            click_offset: logits of a click where the model has nothing to say for or against it.
            conversion_offset: the same of a conversion, once clicked.
            boredom: patience that a slate costs.
            enjoyment: patience that a click gives back.
            characters: most characters of an item's text that the model is told.
            examples: items that a persona names for each modality (see `Personas`).
            people: options of the built-in users that say who people are, those in `PEOPLE`.
            choice: how appeal turns into clicks (see `recsim.users.choice`).
            seed: decides who the personas are that `people` may ask for.

        Raises:
            FileNotFoundError: if there is no such model.
            ModuleNotFoundError: if transformers is not installed.
            ValueError: if an option cannot be.
        """
        _check(temperature, boredom, enjoyment, answers, people)
        self.catalog, self.choice = catalog, choice_model(choice)
        self.model = RememberedModel(_opened(model, dict(language or {})), cache)
        yes, no = answers or (("Yes", "No") if (language or {}).get("chat") else (" yes", " no"))
        self._click, self._conversion = (
            YesNoQuestion(self.model, question, answers=(yes, no), calibrated=calibrated)
            for question in (click_question, conversion_question)
        )
        self._temperature, self._boredom, self._enjoyment = temperature, boredom, enjoyment
        self._click_offset, self._conversion_offset = click_offset, conversion_offset
        self._people: InterestUsers = interest_users(catalog, seed=seed, **(people or {}))
        self._personas, self.item_texts = (
            Personas(catalog, examples=examples),
            ItemTexts(catalog, characters=characters),
        )
        self._categories = np.arange(len(catalog.categories))

    def sample(self, users: Streams) -> Mind:
        """Hidden state of n new users."""
        born, config = self._people.sample(users), self._people.config
        tastes = self._personas.tastes(
            born.interest,
            born.weight,
            born.price_sensitivity / np.float32(config.price_sensitivity),
            born.appetite / np.float32(config.appetite),
        )
        parts = {f.name: getattr(tastes, f.name) for f in fields(tastes)}
        return Mind(**parts, declared=born.declared, patience=born.patience)

    def profile(self, state: Mind) -> NDArray[np.float32]:
        """(n, C) float32: the declared favourite category as a one-hot row, zeros for users who declare none."""
        told: NDArray[np.float32] = (state.declared[:, None] == self._categories).astype(np.float32)
        return told

    def personas(self, state: Mind) -> list[str]:
        """What the model is told about each user."""
        return self._personas.texts(state)

    def prompts(self, state: Mind, items: Items) -> list[str]:
        """What the model is asked about clicks on `items` (n, c), row by row, for people to read."""
        return self._click.prompts(*self._pairs(state, items))

    def appeal(self, state: Mind, items: Items) -> Appeal:
        """Probabilities of click and conversion of `items` (n, c), -1 for none."""
        click, conversion = np.zeros((2, *items.shape))
        there, pairs = items >= 0, self._pairs(state, items)
        click[there] = expit(self._click_offset + self._click.logits(*pairs) / self._temperature)
        conversion[there] = expit(self._conversion_offset + self._conversion.logits(*pairs) / self._temperature)
        return Appeal(click, conversion, conversion)

    def respond(self, state: Mind, slate: Items, users: Streams) -> tuple[Response, Mind]:
        """Response to a slate, and the state after it."""
        appeal = self.appeal(state, slate)
        examined, click = self.choice.sample(appeal, slate, users)
        conversion = click & (users.uniform("conversion", items=slate) < appeal.conversion)
        gained = np.float32(self._enjoyment) * click.sum(axis=1, dtype=np.float32) - np.float32(self._boredom)
        patience = np.minimum(state.patience + gained, np.float32(self._people.config.patience_limit))
        return Response(click, conversion, patience <= 0, examined), replace(state, patience=patience)

    def _pairs(self, state: Mind, items: Items) -> tuple[list[str], list[str]]:
        """The persona and the item's words of each user and item, row by row."""
        there, personas = items >= 0, self.personas(state)
        words = [self.item_texts[item] for item in items[there].tolist()]
        return [personas[row] for row in np.nonzero(there)[0]], words


def _opened(model: str | PathLike[str] | LanguageModel, options: dict[str, Any]) -> LanguageModel:
    """The language model that is named or given."""
    if isinstance(model, str | PathLike):
        return CausalLM(model, **options)
    if options:
        raise ValueError(f"language is {options}, but the language model is ready: set them where it is made.")
    return model


def _check(
    temperature: float,
    boredom: float,
    enjoyment: float,
    answers: Sequence[str] | None,
    people: Mapping[str, Any] | None,
) -> None:
    """Refuse options that cannot be."""
    if answers is not None and (isinstance(answers, str) or len(answers) != 2 or answers[0] == answers[1]):
        raise ValueError(
            f"answers of the language users are {answers!r}: they are two, yes first, as in [' yes', ' no']."
        )
    if not temperature > 0.0:
        raise ValueError(f"temperature of the language users is {temperature}: it is above 0.")
    for name, value in (("boredom", boredom), ("enjoyment", enjoyment)):
        if not value >= 0.0:
            raise ValueError(f"{name} of the language users is {value}: it is 0 or more.")
    unknown = sorted(set(people or {}) - set(PEOPLE))
    if unknown:
        raise ValueError(f"people have no option {unknown[0]!r}; the options are {', '.join(PEOPLE)}.")
