"""Fitting a ranker to a log by gradient steps, with users held out to say when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsim.agents.folds import user_folds
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.networks import descend, drawn_from
from recsim.agents.offline.credit import advantage
from recsim.agents.ppo import plackett_luce
from recsim.agents.ranker import Ranker
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.rollout import Progress

_ABSENT = -1e4  # the score of an empty position: it takes no probability, and is finite, as gradients must be
_ROWS = 1024  # slates judged at once


@dataclass(frozen=True)
class Examples:
    """Logged slates as tensors.

    Attributes:
        observation: (n, d) float32.
        slate: (n, k) int64, -1 an empty position.
        logged: (n, k) float32, log-propensity of each item given those above it; 0 at an empty position.
        advantage: (n, k) float32, see `recsim.agents.offline.credit.advantage`; 0 at an empty position.
    """

    observation: torch.Tensor
    slate: torch.Tensor
    logged: torch.Tensor
    advantage: torch.Tensor

    @classmethod
    def of(cls, log: Log, advantage: NDArray[np.float64]) -> Self:
        """The slates of a log with the advantages (n, k) of their positions."""
        shown = log.slate >= 0
        logged, above = (np.where(shown, values, 0.0) for values in (log.step_log_prob, advantage))
        numbers = (torch.tensor(values, dtype=torch.float32) for values in (logged, above))
        return cls(torch.tensor(log.observation), torch.tensor(log.slate), *numbers)

    def __len__(self) -> int:
        """The number of slates n."""
        return len(self.slate)

    def at(self, rows: torch.Tensor) -> Self:
        """Some of the slates."""
        return type(self)(self.observation[rows], self.slate[rows], self.logged[rows], self.advantage[rows])


# From log-probabilities (n, k) under the policy that learns, and the slates: (n, k), what is to be maximised. Its value
# tells policies apart on held-out users; its gradient is followed on the others.
Objective = Callable[[torch.Tensor, Examples], torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        epochs: most passes over the log.
        patience: passes without a better held-out value after which to stop.
        batch: slates a gradient step.
        learning_rate: of Adam.
    """

    epochs: int = 20
    patience: int = 4
    batch: int = 256
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: if a number is not positive.
        """
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} is {value}; it must be above 0.")


def check_log_fits(log: Log, catalog: Catalog, layout: Layout) -> None:
    """Refuse a log from which nothing can be learned.

    Raises:
        ValueError: if the log shows another catalogue or has observations of another layout, or its policy was
            deterministic or did not know its propensities: a noisy 1 / propensity is too large on average.
    """
    if log.info.fingerprint != catalog.fingerprint:
        raise ValueError(
            f"the log shows items of a catalogue {log.info.catalog!r} that is not the {catalog.name!r} given; "
            "pass the catalogue with which it was collected."
        )
    if log.observation.shape[1] != layout.size:
        raise ValueError(
            f"observations of the log have {log.observation.shape[1]} columns, but the layout has {layout.size}; "
            "pass the layout of the simulator that collected it."
        )
    if not log.step_log_prob.any():
        raise ValueError(
            f"the policy {log.info.policy!r} of the log was deterministic (every propensity is 1): what other slates "
            "would have earned cannot be told from it. Log a policy with a temperature above 0."
        )
    if log.info.propensities == "estimated":
        raise ValueError(
            f"the policy {log.info.policy!r} of the log only estimated its propensities, and what was shown is weighed "
            "by 1 / propensity, in which such errors do not average out. Log a policy that knows them (Decision.exact)."
        )


def new_ranker(
    catalog: Catalog,
    layout: Layout,
    warm_start: StaticFusion | None = None,
    start_temperature: float = 0.5,
    seed: int = 0,
) -> Ranker:
    """A ranker to start from; its random weights come from `seed`, and torch's own generator stays as it is.

    Raises:
        ValueError: if the temperature is not positive.
    """
    if not start_temperature > 0.0:
        raise ValueError(f"start_temperature is {start_temperature}; it must be above 0.")
    with drawn_from(seed):
        return Ranker(catalog, layout, warm_start, start_temperature=start_temperature)


def slate_log_prob(scores: torch.Tensor, slate: torch.Tensor) -> torch.Tensor:
    """(n, k) Plackett-Luce log-probability of each item given those above it, from scores (n, m); 0 at -1."""
    absent = scores.shape[1]
    padded = nn.functional.pad(scores, (0, 1), value=_ABSENT)
    found = plackett_luce.log_prob(padded, torch.where(slate < 0, absent, slate))
    return found.masked_fill(slate < 0, 0.0)


def learn(
    ranker: Ranker,
    log: Log,
    objective: Objective,
    *,
    gamma: float,
    seed: int,
    schedule: Schedule,
    progress: Progress,
) -> None:
    """Fit `ranker` in place: Adam on shuffled slates of four users in five, then the weights that did best on the rest.

    Args:
        ranker: what learns; where no pass does better than its start, it stays there.
        log: what was shown and earned.
        objective: what to maximise; summed over positions, averaged over slates.
        gamma: discount of later slates.
        seed: of the order of the slates.
        schedule: how long and how fast.
        progress: called with the number of passes done.

    Raises:
        ValueError: if training diverges, or the log gives nothing to learn (see `advantage`).
    """
    examples = Examples.of(log, advantage(log, gamma))
    learned_from, held = learned_and_held(log)
    held_out = examples.at(held)

    def gain(rows: torch.Tensor) -> torch.Tensor:
        batch = examples.at(rows)
        return objective(slate_log_prob(ranker(batch.observation), batch.slate), batch).sum(dim=1)

    climb(
        ranker,
        learned_from,
        gain,
        lambda: _value(ranker, held_out, objective),
        seed=seed,
        schedule=schedule,
        progress=progress,
    )


def learned_and_held(log: Log) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers of four users in five, from whom is learned, and of the others, who say when to stop."""
    held = torch.tensor(user_folds(log) == 0)
    return torch.nonzero(~held).squeeze(1), torch.nonzero(held).squeeze(1)


def climb(
    ranker: Ranker,
    learned_from: torch.Tensor,
    gain: Callable[[torch.Tensor], torch.Tensor],
    value: Callable[[], float],
    *,
    seed: int,
    schedule: Schedule,
    progress: Progress,
    before_pass: Callable[[], None] | None = None,
) -> None:
    """Adam on shuffled rows, and in the end the weights whose held-out value was highest.

    Args:
        ranker: what learns; where no pass does better than its start, it stays there.
        learned_from: row numbers.
        gain: of some of these rows, (b,); its mean is maximised.
        value: of the ranker as it is, on rows held out.
        seed: of the order of the rows.
        schedule: how long and how fast.
        progress: called with the number of passes done.
        before_pass: called before every pass.

    Raises:
        ValueError: if training diverges.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(ranker.parameters(), lr=schedule.learning_rate)
    best, weights, waited = value(), _copy(ranker), 0
    for epoch in range(schedule.epochs):
        if before_pass:
            before_pass()
        order = learned_from[torch.randperm(len(learned_from), generator=generator)]
        for step, rows in enumerate(torch.split(order, schedule.batch), 1):
            descend(optimizer, -gain(rows).mean(), f"at step {step} of pass {epoch + 1}")
        now = value()
        waited = 0 if now > best else waited + 1
        if now > best:
            best, weights = now, _copy(ranker)
        if progress:
            progress(epoch + 1)
        if waited == schedule.patience:
            break
    ranker.load_state_dict(weights)


def _value(ranker: Ranker, examples: Examples, objective: Objective) -> float:
    """The objective's mean over slates."""
    total = 0.0
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(examples)), _ROWS):
            part = examples.at(rows)
            total += objective(slate_log_prob(ranker(part.observation), part.slate), part).double().sum().item()
    return total / len(examples)


def _copy(ranker: Ranker) -> dict[str, torch.Tensor]:
    return {name: values.clone() for name, values in ranker.state_dict().items()}
