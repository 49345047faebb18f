"""PAS-IF: compare estimators by how well they do on a split of the log that resembles the real task.

The log is split at random into two parts, as if two pseudo-policies had written them: the target's part, on which the
mean reward is the truth, and the rest, from which every estimator tries to guess it. Row (x, a) goes to the target's
part with chance rho(x, a), so the pseudo-policies are pi_b rho / share and pi_b (1 - rho) / (1 - share), and their
importance ratio is w' = [rho / (1 - rho)] [(1 - share) / share]. rho is fitted so that w' mimics w = pi_e / pi_b; the
estimator that does best on many such splits should do best on the real task.

The paper fits a neural network, with a penalty that keeps the parts' sizes. Here every context has the same `share`, so
that both parts see the same contexts, and the fit is the exact optimum: of the convex problem
min sum_a pi_b(a | x) (w' - w)^2 subject to sum_a pi_b(a | x) rho(x, a) = share, whose solution satisfies
(w' - w) (1 - share + share w')^2 = mu(x) for every item.

Source: Udagawa, Kiyohara, Narita, Saito and Tateno 2023, "Policy-adaptive estimator selection for off-policy
evaluation".
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.jit import inline_kernel, kernel
from recsim.ope.action_checks import action_reward_array, code_array, refuse_rows
from recsim.ope.checks import numeric
from recsim.ope.embedding_weights import table_pair
from recsim.ope.terms import Terms
from recsim.streams import Streams, sub_seed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)

_MOST_STEPS = 100  # of Newton's method; 4 to 10 are taken
_LARGEST_RATIO = 1e100  # rho is 1 to the last digit long before, and squares still fit in float64


@dataclass(frozen=True, eq=False)
class ActionTables:
    """A log of single actions with the policies' probabilities of every item, not of the logged ones only.

    Attributes:
        reward: (n, o) float64.
        action: (n,) int64, the logged items.
        target_table: (n, m) float64, probabilities of the policy to evaluate.
        logged_table: (n, m) float64, of the policy in force.
        model_table: (n, m, o) float64, a reward model of every item, not fitted on the rows it scores; or None.
    """

    reward: Floats
    action: Integers
    target_table: Floats
    logged_table: Floats
    model_table: Floats | None = None

    @classmethod
    def of(
        cls,
        reward: ArrayLike,
        action: ArrayLike,
        target_table: ArrayLike,
        logged_table: ArrayLike,
        model_table: ArrayLike | None = None,
    ) -> ActionTables:
        """The log of these arrays, checked; `reward` may be (n,), and `model_table` (n, m).

        Raises:
            ValueError: if an array does not fit, a value cannot be, or a logged item had probability 0.
        """
        values, (target, logged) = action_reward_array(reward), table_pair(target_table, logged_table)
        codes = code_array(action, target.shape[1], "action")
        refuse_rows(reward=values, action=codes, target_table=target)
        never = np.flatnonzero(logged[np.arange(len(codes)), codes] == 0)
        if never.size:
            row = int(never[0])
            raise ValueError(
                f"row {row:,}: item {codes[row]} was logged but has probability 0 in logged_table. "
                "Drop the row or pass the probabilities that were in force."
            )
        model = None if model_table is None else _model_table(model_table, target, values)
        return cls(values, codes, target, logged, model)

    @property
    def target(self) -> Floats:
        """(n,) log-propensities of the logged items under the policy to evaluate."""
        with np.errstate(divide="ignore"):
            at_logged: Floats = np.log(self.target_table[np.arange(len(self.action)), self.action])
        return at_logged

    @property
    def logged(self) -> Floats:
        """(n,) log-propensities of the logged items under the policy in force."""
        at_logged: Floats = np.log(self.logged_table[np.arange(len(self.action)), self.action])
        return at_logged

    @property
    def model_logged(self) -> Floats:
        """(n, o) the reward model at the logged items."""
        at_logged: Floats = self._model()[np.arange(len(self.action)), self.action]
        return at_logged

    @property
    def model_target(self) -> Floats:
        """(n, o) the expectation of the reward model under the policy to evaluate."""
        expected: Floats = np.einsum("nm,nmo->no", self.target_table, self._model())
        return expected

    def rows(self, chosen: NDArray[np.bool_]) -> ActionTables:
        """The log of the rows that are `chosen` (n,)."""
        return ActionTables(
            self.reward[chosen],
            self.action[chosen],
            self.target_table[chosen],
            self.logged_table[chosen],
            None if self.model_table is None else self.model_table[chosen],
        )

    def _model(self) -> Floats:
        if self.model_table is None:
            raise ValueError("an estimator needs a reward model, but the log has no model_table. Pass one.")
        return self.model_table


def pas_if(
    log: ActionTables,
    candidates: Mapping[Key, Callable[[ActionTables], Terms]],
    *,
    seed: int,
    share: float = 0.2,
    n_splits: int = 50,
    row: ArrayLike | None = None,
) -> dict[Key, Floats]:
    """(o,) estimated mean squared error of every candidate, over splits of the log; `selection.least` picks from them.

    All candidates meet the same splits. The noise of the pseudo-truth adds the same to all, so the numbers rank
    candidates; they are too large as errors.

    Args:
        log: the log.
        candidates: functions of a log, such as `lambda log: ips(log.reward, log.target, log.logged)`.
        seed: of the splits.
        share: of the rows that go to the pseudo-target; less resembles the real task more, and says less per split.
        n_splits: number of splits.
        row: (n,) int, names of the rows, so that a shuffled log is split alike; their numbers unless given.

    Raises:
        ValueError: if `share` is not between 0 and 1, there are no splits, a part has no rows, or a candidate has no
            value on a split.
    """
    if n_splits < 1:
        raise ValueError(f"n_splits is {n_splits}; at least 1 split is needed, and 20 to be of use.")
    names = np.arange(len(log.action)) if row is None else np.asarray(row)
    refuse_rows(log=log.action, row=names)
    chance = split_chance(log.target_table, log.logged_table, share)
    rest = replace(
        log,
        target_table=log.logged_table * chance / share,
        logged_table=log.logged_table * (1 - chance) / (1 - share),
    )
    own = chance[np.arange(len(log.action)), log.action]
    errors = {name: np.zeros(log.reward.shape[1]) for name in candidates}
    for number in range(n_splits):
        chosen = Streams.of(sub_seed(seed, "PAS-IF"), names, step=number).uniform("split") < own
        if chosen.all() or not chosen.any():
            raise ValueError(
                f"the log has {len(own):,} rows, too few to split with a share of {share:g}. Collect more."
            )
        truth, part = log.reward[chosen].mean(axis=0), rest.rows(~chosen)
        for name, estimator in candidates.items():
            errors[name] += np.square(_value(name, estimator(part), number) - truth) / n_splits
    return errors


def split_chance(target_table: ArrayLike, logged_table: ArrayLike, share: float = 0.2) -> Floats:
    """(n, m) rho, the chance with which a row goes to the pseudo-target's part, if its item is the one logged.

    Its mean under the policy in force is `share` in every context, and the ratio of the pseudo-policies is as close to
    the ratio of the real ones as that allows, in mean square. It is exactly the same only where both policies agree.

    Raises:
        ValueError: if a table is none of probabilities, they do not fit, or `share` is not between 0 and 1.

    >>> split_chance([[0.25, 0.75]], [[0.25, 0.75]], share=0.2).round(9).tolist()
    [[0.2, 0.2]]
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; it must be between 0 and 1, such as 0.2.")
    target, logged = table_pair(target_table, logged_table)
    weight = np.divide(target, logged, out=np.zeros_like(target), where=logged > 0)
    weight = np.minimum(weight, _LARGEST_RATIO)
    out = np.empty_like(weight)
    _fill_chance(weight, np.ascontiguousarray(logged), float(share), out)
    return out


@kernel
def _fill_chance(weight: Floats, logged: Floats, share: float, out: Floats) -> None:
    """Newton's method for mu: the mean of rho is concave in mu, so that steps up from mu = 0 never overshoot."""
    for row in range(len(weight)):
        mu = 0.0
        for _ in range(_MOST_STEPS):
            mean, slope = 0.0, 0.0
            for item in range(weight.shape[1]):
                ratio = _ratio_at(mu, weight[row, item], share)
                grown = 1 - share + share * ratio
                mean += logged[row, item] * share * ratio / grown
                by_ratio = share * (1 - share) / (grown * grown)
                slope += logged[row, item] * by_ratio / (grown * (grown + 2 * share * (ratio - weight[row, item])))
            step = (share - mean) / slope
            if mu + step <= mu:
                break
            mu += step
        for item in range(weight.shape[1]):
            ratio = _ratio_at(mu, weight[row, item], share)
            out[row, item] = share * ratio / (1 - share + share * ratio)


@inline_kernel
def _ratio_at(mu: float, weight: float, share: float) -> float:
    """The w' with (w' - w) (1 - share + share w')^2 = mu, convex in w' >= w, so that Newton's steps fall to it."""
    least = 1 - share + share * weight
    ratio = min(weight + mu / (least * least), max(1.0, weight + mu))
    for _ in range(_MOST_STEPS):
        grown = 1 - share + share * ratio
        step = ((ratio - weight) * grown - mu / grown) / (grown + 2 * share * (ratio - weight))
        if ratio - step >= ratio:
            break
        ratio = max(ratio - step, weight)
    return ratio


def _value(name: Hashable, terms: Terms, split: int) -> Floats:
    value = terms.value
    if np.isnan(value).any():
        raise ValueError(f"candidate {name!r} has no value on split {split}: nothing there bears on it. Leave it out.")
    return value


def _model_table(model_table: ArrayLike, target: Floats, reward: Floats) -> Floats:
    model = numeric(model_table, "model_table", "biuf")
    model = model[:, :, None] if model.ndim == 2 else model
    wanted = (*target.shape, reward.shape[1])
    if model.shape != wanted:
        raise ValueError(f"model_table has shape {model.shape}; it must be {wanted}, (rows, items, objectives).")
    if not np.isfinite(model).all():
        row, item, objective = (int(i) for i in np.argwhere(~np.isfinite(model))[0])
        raise ValueError(
            f"row {row:,}, item {item}, objective {objective} of model_table is {model[row, item, objective]}; "
            "a model's values must be finite."
        )
    return model
