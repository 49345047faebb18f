"""A language model re-ranks what the static fusion likes best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.agents.folds import cross_fitted
from recsim.agents.fusion.scorers import Scorers
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.language.judge import ANSWERS, CHAT_ANSWERS, ClickJudge
from recsim.agents.language.mixing import mixing_weight
from recsim.agents.storage import load_arrays, load_options, save_arrays
from recsim.catalog import Catalog
from recsim.language.cache import RememberedModel
from recsim.language.model import CausalLM, LanguageModel
from recsim.logs import Log
from recsim.observation import Layout
from recsim.policy import top_k
from recsim.rollout import Progress

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]


@dataclass(frozen=True)
class LLMReranker:
    """A ranker in two stages: static fusion chooses candidates, and a language model has a say in their order.

    score(u, i) = fusion(u, i) + weight * a(u, i) for the `candidates` items of highest fusion score, where a is the
    judge's log-odds held within ± `bound`; fusion(u, i) - weight * bound for all others, which so stay below them.
    Neither what others' texts say nor who else is served changes a score. Users who have clicked nothing yet get the
    fusion's scores. Pointwise yes or no: Nogueira and Cho 2019; with a language model's own log probabilities: Sachan
    et al. 2022, Zhuang et al. 2023.

    Attributes:
        fusion: the first stage.
        judge: the second.
        weight: logits of a click that a logit of the judge is worth, from 0 up.
        candidates: items that the judge is asked about.
        bound: the most that its log-odds count, so that no text wins by more.
        opened: arguments that open the judge's model again.
    """

    fusion: StaticFusion
    judge: ClickJudge
    weight: float
    candidates: int
    bound: float
    opened: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError(f"candidates is {self.candidates}; at least 1 item is re-ranked.")
        if not (np.isfinite(self.weight) and self.weight >= 0.0 and np.isfinite(self.bound) and self.bound > 0.0):
            raise ValueError(
                f"weight is {self.weight} and bound {self.bound}; they are finite numbers, from 0 up and above 0."
            )

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        model: str,
        weight: float | None = None,
        candidates: int = 20,
        history: int = 5,
        characters: int = 0,
        bound: float = 3.0,
        fitted_on: int = 200,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int = 16,
        max_length: int = 1024,
        chat: bool = False,
        scores: str | None = None,
        seed: int = 0,
        progress: Progress = None,
    ) -> LLMReranker:
        """Fit the static fusion and, unless it is given, the weight of the judge beside it (`mixing_weight`).

        The weight is fitted on slates of the log that follow a click, drawn by chance; the fusion's scores of a slate
        are counted from other users' sessions (cross-fitted).

        Args:
            log: what is learned from, in a world that tells `clicked`.
            catalog: the items.
            layout: where features stand in an observation.
            model: folder of a causal language model (`recsim.language.model.CausalLM`).
            weight: of the judge; None fits it.
            candidates: items that it is asked about for each user.
            history: clicked items that it is told, the newest.
            characters: of an item's text that it is told beside title, category and price.
            bound: the most that its log-odds count.
            fitted_on: slates on which the weight is fitted.
            device: where the model runs, such as ``cuda``.
            dtype: of its weights.
            batch_size: prompts that it reads at once.
            max_length: tokens of a prompt and its answer.
            chat: whether prompts are written as messages in its chat template.
            scores: SQLite file that keeps what the model answered from run to run; None keeps it in memory.
            seed: of the draw of slates.
            progress: called with the number of slates explained so far.

        Raises:
            FileNotFoundError: if there is no such model.
            ValueError: if an option cannot be, the log has no contrast in clicks or no slate after a click, or the
                observations do not tell what was clicked.
        """
        opened = {
            "path": model, "device": device, "dtype": dtype, "batch_size": batch_size, "max_length": max_length,
            "chat": chat, "scores": scores,
        }  # fmt: skip
        judge = _judge(opened, catalog, layout, history, characters)
        fusion = StaticFusion.fit(log, catalog, layout)
        if weight is None:
            weight = fitted_weight(log, fusion, judge, bound, fitted_on, seed, progress)
        return cls(fusion, judge, float(weight), candidates, bound, opened)

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64."""
        first = self.fusion.scores(observation)
        if self.weight == 0.0:
            return first
        best = top_k(first, min(self.candidates, first.shape[1]))
        said = np.clip(self.judge.log_odds(observation, best), -self.bound, self.bound)
        mixed = np.take_along_axis(first, best, axis=1) + self.weight * said
        found = first - self.weight * self.bound * self.judge.knows(observation)[:, None]
        np.put_along_axis(found, best, mixed, axis=1)
        return found

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all; of the language model only where it lies."""
        scorers = self.fusion.scorers
        arrays = {"weights": self.fusion.weights, "weight": np.array([self.weight]), **scorers.arrays()}
        told = {
            "own": list(scorers.own), "candidates": self.candidates, "bound": self.bound,
            "history": self.judge.history, "characters": self.judge.characters,
            "opened": dict(self.opened), "model": self.judge.model.fingerprint,
        }  # fmt: skip
        save_arrays(path, "LLMReranker", arrays, scorers.catalog, told)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> LLMReranker:
        """What `save` wrote, for the same catalogue and with the same language model.

        Raises:
            FileNotFoundError: if the language model is no longer where it was.
            ValueError: if the file holds something else or belongs to another catalogue, the language model is another
                now, or observations do not tell what was clicked.
        """
        arrays, told = load_arrays(path, "LLMReranker", catalog), load_options(path)
        judge = _judge(told["opened"], catalog, layout, told["history"], told["characters"])
        if judge.model.fingerprint != told["model"]:
            raise ValueError(
                f"{path} was fitted with another language model than {told['opened']['path']!r} holds now; put the "
                "former one back, or train the policy again."
            )
        fusion = StaticFusion(Scorers.of_arrays(arrays, catalog, layout, told["own"]), arrays["weights"])
        return cls(fusion, judge, float(arrays["weight"][0]), told["candidates"], told["bound"], told["opened"])


def weight_of(path: Path, catalog: Catalog) -> float:
    """The judge's weight in a file that `LLMReranker.save` wrote; its language model is not needed.

    Raises:
        ValueError: if the file holds something else or belongs to another catalogue.
    """
    return float(load_arrays(path, "LLMReranker", catalog)["weight"][0])


def open_model(opened: Mapping[str, Any]) -> LanguageModel:
    """The language model at `path`, which remembers what it answered, in the file `scores` where there is one."""
    options = {name: value for name, value in opened.items() if name not in ("path", "scores")}
    return RememberedModel(CausalLM(opened["path"], **options), opened["scores"])


def _judge(opened: Mapping[str, Any], catalog: Catalog, layout: Layout, history: int, characters: int) -> ClickJudge:
    answers = CHAT_ANSWERS if opened["chat"] else ANSWERS
    return ClickJudge(open_model(opened), catalog, layout, history=history, characters=characters, answers=answers)


def fitted_weight(
    log: Log, fusion: StaticFusion, judge: ClickJudge, bound: float, most: int, seed: int, progress: Progress = None
) -> float:
    """The weight of the judge beside the fusion, from at most `most` slates that follow a click.

    Raises:
        ValueError: if `most` is below 1, there are no such slates, or they have no contrast in clicks.
    """
    if most < 1:
        raise ValueError(f"fitted_on is {most}; the weight is fitted on at least 1 slate.")
    later = np.flatnonzero(judge.knows(log.observation))
    if not later.size:
        raise ValueError("no slate of the log follows a click, so nothing can be judged; collect more, or set weight.")

    def terms_of(others: Log, slates: Log) -> Floats:
        fitted = StaticFusion.fit(others, fusion.catalog, judge.layout)
        return fitted.scores(slates.observation, slates.slate)[..., None]

    luck = np.random.Generator(np.random.Philox(seed))
    rows = np.sort(luck.choice(later, min(most, later.size), replace=False))
    first = cross_fitted(log, terms_of, progress)[rows, :, 0]
    drawn = log[rows]
    said = np.clip(judge.log_odds(drawn.observation, drawn.slate), -bound, bound)
    return mixing_weight(first, said, drawn)
