"""How well hidden interests are told from histories: `recsim bench interests`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.agents.fusion.collaborative import ItemFactors
from recsim.agents.fusion.static import StaticFusion
from recsim.catalog import Catalog, load_catalog
from recsim.experiments.bench.machine import machine
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.progress import Advance, Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.language.interest import (
    InterestPredictor,
    TaughtInterests,
    UntaughtInterests,
    category_affinity,
)
from recsim.language.interest_features import (
    Features,
    Source,
    by_category,
    category_counts,
    mean_embeddings,
    model_scores,
)
from recsim.language.interest_histories import Histories
from recsim.language.interest_scores import METRICS, intervals, less, scores_of
from recsim.language.model import LanguageModel
from recsim.logs import collect
from recsim.policy import Policy, Ranking, popularity, uniform
from recsim.simulator import Simulator
from recsim.streams import sub_seed
from recsim.users.interest import InterestUsers, interest_users

Floats = NDArray[np.float64]

NOTHING, COUNTS, ALS, LANGUAGE, FUSED = "nothing", "category counts", "ALS", "language model", "fusion"
POLICIES = ("uniform", "static fusion")
# Nobody leaves, so that all histories are whole; and no click moves an interest, which would then be told by the very
# clicks that made it.
PATIENT = {"boredom": 0.0, "monotony": 0.0, "disappointment": 0.0, "drift": 0.0}


@dataclass(frozen=True)
class InterestSize:
    """How much is measured.

    Attributes:
        catalog: name or path.
        taught: users of each world whose interests predictors are told.
        asked: other users, about whom they are asked.
        slates: lengths of the histories.
        seeds: worlds.
        n_launch: users of the log on which the static fusion is fitted.
        slate_size: k.
        level: of all intervals.
        seed: of the first world.
    """

    catalog: str = "openclipart"
    taught: int = 600
    asked: int = 600
    slates: tuple[int, ...] = (5, 10, 30)
    seeds: int = 10
    n_launch: int = 500
    slate_size: int = 10
    level: float = 0.95
    seed: int = 0


def interests(size: InterestSize, model: LanguageModel | None, display: Display) -> dict[str, Any]:
    """Scores of every predictor for every policy that made the histories and every length of these.

    Raises:
        UserError: if a size cannot be, or there is no such catalogue.
    """
    _check(size)
    with input_errors():
        catalog = load_catalog(size.catalog)
    started, scores, by_name = time.process_time(), {}, sources(catalog, model)
    with threads(1):
        for number in range(size.seeds):
            for policy in POLICIES:
                world = _World(catalog, size, size.seed + number, by_name)
                with display.stage(f"interests: {policy}, world {number}", len(size.slates)) as progress:
                    scores[policy, number] = world.scores(policy, progress)
    rows = [row for policy in POLICIES for row in _rows(policy, [scores[policy, s] for s in range(size.seeds)], size)]
    return {
        **asdict(size),
        "language_model": None if model is None else {"name": model.name, "fingerprint": model.fingerprint},
        "without_a_language_model": model is None,
        "metrics": list(METRICS),
        "rows": rows,
        "cpu_seconds": round(time.process_time() - started, 1),
        "machine": machine(),
        "versions": all_versions(),
    }


def lengths(told: str) -> tuple[int, ...]:
    """The lengths of histories in a text such as "5,10,30".

    Raises:
        UserError: if one is no whole number.
    """
    try:
        return tuple(int(part) for part in told.split(","))
    except ValueError as error:
        raise UserError(f"slates are {told!r}; name lengths of histories with commas, such as 5,10,30.") from error


def sources(catalog: Catalog, model: LanguageModel | None) -> dict[str, Source]:
    """Name to features of a history; the last ones only where there is a language model."""
    found = {
        COUNTS: category_counts(catalog),
        ALS: by_category(_als_scores(catalog), catalog),
        **{name: mean_embeddings(part.embedding, len(catalog)) for name, part in catalog.modalities.items()},
    }
    return found if model is None else found | {LANGUAGE: model_scores(model, catalog)}


class _World:
    """The users of one seed, none of whom leaves, and what they are shown."""

    def __init__(self, catalog: Catalog, size: InterestSize, seed: int, by_name: Mapping[str, Source]) -> None:
        self._catalog, self._size, self._seed, self._sources = catalog, size, seed, by_name
        self._users = interest_users(catalog, seed=seed, **PATIENT)

    def scores(self, policy: str, progress: Advance) -> dict[int, dict[str, Any]]:
        """Length to predictor to metric to (n,) float64."""
        found: dict[int, dict[str, Any]] = {}
        moments = self._moments(self._policy(policy))
        for done, slates in enumerate(self._size.slates, 1):
            everybody, affinity = moments[slates]
            first, others = slice(self._size.taught), slice(self._size.taught, None)
            predictors = _predictors(everybody[first], affinity[first], self._sources)
            found[slates] = {
                name: scores_of(one.predict(everybody[others]), affinity[others]) for name, one in predictors.items()
            }
            progress(done)
        return found

    def _simulator(self, part: str) -> Simulator:
        k, horizon = self._size.slate_size, max(self._size.slates)
        seed = sub_seed(self._seed, part)
        return Simulator(self._catalog, self._users, slate_size=k, horizon=horizon, seed=seed)

    def _policy(self, name: str) -> Policy:
        k = self._size.slate_size
        if name == "uniform":
            return uniform(self._catalog, k)
        simulator = self._simulator("launch log")
        log = collect(simulator, popularity(self._catalog, k, 1.0), self._size.n_launch)
        return Ranking(name, StaticFusion.fit(log, self._catalog, simulator.layout), k, 1.0)

    def _moments(self, policy: Policy) -> dict[int, tuple[Histories, Floats]]:
        """Length to what users, first those to be told of and then the others, were shown, and their affinities."""
        number = np.arange(self._size.taught + self._size.asked)
        simulator = self._simulator("users")
        observation, shown, clicked = simulator.reset(number), [], []
        found = {}
        for slate in range(1, max(self._size.slates) + 1):
            step = simulator.step(policy.act(observation, simulator.streams).slate)
            observation = step.observation
            shown.append(step.slate)
            clicked.append(step.response.click)
            if slate in self._size.slates:
                histories = Histories(number, np.concatenate(shown, axis=1), np.concatenate(clicked, axis=1))
                found[slate] = histories, _rested_affinity(self._users, simulator.state, self._catalog)
        return found


def _rested_affinity(users: InterestUsers, state: Any, catalog: Catalog) -> Floats:
    """(n, C) float64, affinities as they are once satiation has passed."""
    return category_affinity(users, replace(state, satiation=np.zeros_like(state.satiation)), catalog)


def _predictors(histories: Histories, affinity: Floats, by_name: Mapping[str, Source]) -> dict[str, InterestPredictor]:
    """Name to predictor, taught with users and their affinities (n, C)."""
    found: dict[str, InterestPredictor] = {
        name: TaughtInterests.fit(source, histories, affinity)
        for name, source in {NOTHING: _nothing, **by_name}.items()
    }
    for name, several in fusions(by_name).items():
        found[name] = TaughtInterests.stacked(several, histories, affinity)
    if LANGUAGE in by_name:
        found["language model, untaught"] = UntaughtInterests(by_name[LANGUAGE](histories))
    return found


def fusions(by_name: Mapping[str, Source]) -> dict[str, list[Source]]:
    """Name to what is fused: counts of clicks with one other view of the items each, and everything."""
    beside = {f"{COUNTS} + {name}": [by_name[COUNTS], by_name[name]] for name in by_name if name not in (COUNTS, ALS)}
    return {**beside, FUSED: [*by_name.values()]}


def _rows(policy: str, worlds: list[dict[int, dict[str, Any]]], size: InterestSize) -> list[dict[str, Any]]:
    """A record for each length and predictor, with its difference from counts of clicks by category."""
    found = []
    for slates in size.slates:
        parts = [world[slates] for world in worlds]
        for name in parts[0]:
            more = [less(part[name], part[COUNTS]) for part in parts]
            found.append(
                {
                    "policy": policy,
                    "slates": slates,
                    "predictor": name,
                    "scores": intervals([part[name] for part in parts], size.level),
                    "more_than_counts": intervals(more, size.level) if name != COUNTS else None,
                }
            )
    return found


def _nothing(others: Histories) -> Features:
    """No features: what is known of users of whom nothing was seen."""
    return lambda histories: np.zeros((len(histories), 1))


def _als_scores(catalog: Catalog) -> Source:
    """Scores (n, m) of a matrix factorisation of the other users' clicks, the user's own folded in."""

    def source(others: Histories) -> Features:
        model = ItemFactors.fit(others.clicked(len(catalog)).astype(np.float32))
        return lambda histories: model.scores(histories.clicked(len(catalog)).astype(np.float32))

    return source


def _check(size: InterestSize) -> None:
    if not 0 < size.level < 1:
        raise UserError(f"level is {size.level}; it is between 0 and 1.")
    for name in ("taught", "asked", "seeds", "n_launch"):
        least = 10 if name == "taught" else 2
        if getattr(size, name) < least:
            raise UserError(f"{name} is {getattr(size, name)}; at least {least} are needed.")
    if not size.slates or min(size.slates) < 1:
        raise UserError(f"slates are {list(size.slates)}; name lengths of histories from 1 up, such as 5,10,30.")
