"""What a log and a policy hold for estimators: propensities, models fitted on the log, marginals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsim.ope import reward_model
from recsim.ope.checks import logged_array, target_array
from recsim.ope.dice import dice_ratio
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.inputs import Inputs, target_of
from recsim.ope.fqe import FittedQ, fitted_q
from recsim.ope.pseudo_inverse import product_weight, uniform_weight
from recsim.ope.reward_model import Features, RewardModel
from recsim.ope.visitation import Visits, visit_ratio

if TYPE_CHECKING:
    from recsim.logs import Log
    from recsim.policy import Policy
    from recsim.streams import Streams

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Observation = NDArray[np.float32]


STATES = 20  # clusters of observations that count as one state each


@runtime_checkable
class NextItems(Protocol):
    """A policy that can go on from any items above."""

    def next_items(self, observation: Observation, slate: Items, streams: Streams) -> Items:
        """(n, k), for every position an item drawn given the items of `slate` above it."""
        ...


@runtime_checkable
class Marginals(Protocol):
    """A policy that knows how likely each item is at each position, whatever stands elsewhere."""

    def marginal_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k), of the items of `slate` at their positions."""
        ...


@runtime_checkable
class Placing(Protocol):
    """A policy that knows how likely each item is at every position."""

    def position_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k, k), of each item of `slate` at each position."""
        ...


@runtime_checkable
class FirstProbability(Protocol):
    """A policy that knows the chance of every item at the top of a slate."""

    def first_probability(self, observation: Observation) -> Floats:
        """(n, m)."""
        ...


@dataclass(frozen=True, eq=False)
class Evidence:
    """A log, with the reward model that was fitted on it.

    Attributes:
        log: the log.
        inputs: its checked arrays.
        logging: the policy that was in force, if it is known.
        groups: (m,) the group of every item, if there are any.
        examination: (k,) how often users look at each position, if that is known.
        model: of the objectives without their weighted sum, which follows from them; None without features.
        model_logged: (n, k, o + 1) float64, its values of the logged slates.
        seed: of draws from target policies.
        n_samples: slates drawn a context.
    """

    log: Log
    inputs: Inputs
    logging: Policy | None
    groups: Items | None
    examination: Floats | None
    model: RewardModel | None
    model_logged: Floats | None
    seed: int
    n_samples: int

    @classmethod
    def of(
        cls,
        log: Log,
        inputs: Inputs,
        logging: Policy | None,
        groups: Items | None,
        examination: Floats | None,
        features: Features | None,
        seed: int,
        n_samples: int,
        n_folds: int,
        tick: Callable[[str], None],
    ) -> Evidence:
        """Fit what `features` allow on the log; arguments as in `recsim.ope.evaluate`."""
        if features is None:
            return cls(log, inputs, logging, groups, examination, None, None, seed, n_samples)
        model = reward_model.cross_fit(
            log.observation,
            log.slate,
            inputs.reward[:, :, : len(inputs.weights)],
            inputs.cluster,
            features=features,
            seed=seed,
            n_folds=n_folds,
            order=inputs.order,
            on_fold=lambda: tick("fitting the reward model"),
        )
        logged = inputs.with_total(reward_model.predict_logged(model, log.observation, log.slate))
        return cls(log, inputs, logging, groups, examination, model, logged, seed, n_samples)

    def case(self, policy: Policy) -> Case:
        """One target policy on this log."""
        case = Case(self.inputs, target_of(policy, self.log))
        if self.model is not None and self.model_logged is not None:
            model, logged = self.model, self.model_logged
            case.makers["model"] = lambda: (logged, self._under(policy, model))
            shown = cache(lambda: self._shown(policy, model.features))
            case.makers["fitted"] = lambda: self._fitted(*shown())
            case.makers["dice"] = lambda: dice_ratio(*map(_with_constant, shown()), **self._rows(), by_step=True)
            if isinstance(policy, NextItems):
                case.makers["to_go"] = lambda: self._to_go(policy, model, case)
        case.makers["visits"] = lambda: lambda n_folds: self._visits(case.target, n_folds)
        both: tuple[Any, ...] = (policy, self.logging)
        known = [one for one in both if isinstance(one, Marginals)]
        if len(known) == 2:
            case.makers["marginal"] = lambda: self._marginals(*known)
            case.makers["pseudo_inverse"] = lambda: product_weight(*case.marginal)
        n_items = uniform_over(self.inputs.logged)
        if n_items and isinstance(both[0], Placing):
            case.makers["pseudo_inverse"] = lambda: uniform_weight(self._places(both[0]), n_items)
        if self.examination is not None and all(isinstance(one, Placing) for one in both):
            looked = self.examination
            case.makers["exposure"] = lambda: (*(self._places(one) for one in both), looked)
        if self.groups is not None:
            group = self.groups
            case.makers["groups"] = lambda: (group, self.log.slate[:, 0])
        tabled = [one for one in both if isinstance(one, FirstProbability)]
        if len(tabled) == 2 and self.log.slate.shape[1] == 1:
            case.makers["table"] = lambda: tuple(one.first_probability(self.log.observation) for one in tabled)
        return case

    def _under(self, policy: Policy, model: RewardModel) -> Floats:
        """(n, k, o + 1) expectation under the slates of `policy`; every policy draws with the same luck."""
        log = self.log
        streams = reward_model.sample_streams(self.seed, log.user, log.session, log.step)
        size = log.slate.shape[1]
        return self.inputs.with_total(
            reward_model.expected_under(policy, model, log.observation, size, streams, self.n_samples)
        )

    def _to_go(self, policy: NextItems, model: RewardModel, case: Case) -> tuple[Floats, Floats]:
        """Q_k = q_k(x, a_k) + what the target earns below, V_k its expectation over the target's next item.

        What the target earns below position k is taken over its own slates, whatever stands above: a cruder Q than one
        fitted for every prefix, but one expectation for Q and V, so that it cancels where the weights are right.
        """
        log, (logged, under_target) = self.log, case.model
        below = np.flip(np.cumsum(np.flip(under_target, axis=1), axis=1), axis=1) - under_target  # (n, k, o + 1)
        streams = reward_model.sample_streams(self.seed, log.user, log.session, log.step)
        draws = []
        for sample in range(self.n_samples):
            draws.append(
                self.inputs.with_total(self._in_blocks(partial(self._next_worth, policy, model, streams(sample))))
            )
        expected: Floats = np.mean(draws, axis=0)
        return logged + below, expected + below

    def _next_worth(self, policy: NextItems, model: RewardModel, streams: Streams, rows: slice) -> Floats:
        """(rows, k, o) the reward model at items that the policy may show below those logged above."""
        seen = self.log.observation[rows]
        return model.predict(seen, policy.next_items(seen, self.log.slate[rows], streams[rows]), rows)

    def _fitted(self, shown: Floats, drawn: Floats) -> FittedQ:
        """Fitted Q evaluation on summaries of slates."""
        inputs = self.inputs
        reward = inputs.reward.sum(axis=1)[:, : len(inputs.weights)]
        fitted = fitted_q(shown, drawn, reward, **self._rows(), model="ridge")
        q, v = (inputs.with_total(values[:, None])[:, 0] for values in (fitted.q_logged, fitted.v_target))
        return replace(fitted, q_logged=q, v_target=v)

    def _visits(self, target: Floats, n_folds: int) -> Visits:
        """How much likelier the target gets to states that are alike, in clusters of observations."""
        seen = self.log.observation
        distinct = min(len(np.unique(seen[train], axis=0)) for train, _ in self.inputs.steps.splits(n_folds))
        n_clusters = min(STATES, distinct)
        slates = target.sum(axis=1), self.inputs.logged.sum(axis=1)
        return visit_ratio(seen, *slates, **self._rows(), n_clusters=n_clusters, n_folds=n_folds, seed=self.seed)

    def _rows(self) -> dict[str, Any]:
        return {"session": self.inputs.cluster, "step": self.inputs.step}

    def _shown(self, policy: Policy, features: Features) -> tuple[Floats, Floats]:
        """Summaries of the logged slates (n, 2 f), and of slates of the policy (n, draws, 2 f)."""
        log = self.log
        streams = reward_model.sample_streams(self.seed, log.user, log.session, log.step)
        drawn = [self._summaries(features, self._drawn(policy, streams(draw))) for draw in range(self.n_samples)]
        return self._summaries(features, log.slate), np.stack(drawn, axis=1)

    def _drawn(self, policy: Policy, streams: Streams) -> Items:
        """(n, k) a slate of the policy for every row of the log."""
        found: Items = self._in_blocks(lambda rows: policy.act(self.log.observation[rows], streams[rows]).slate)
        return found

    def _in_blocks(self, ask: Callable[[slice], Any]) -> Any:
        """What `ask` says of all rows of the log, of as many at once as fit into memory."""
        return np.concatenate([ask(rows) for rows in reward_model.row_blocks(len(self.log))])

    def _summaries(self, features: Features, slate: Items) -> Floats:
        """(n, 2 f) of slates shown in the situations of the log: mean and spread of their items' features."""

        def of_rows(rows: slice) -> NDArray[np.float32]:
            design = reward_model.design_of(features, self.log.observation[rows], slate[rows], rows)[:, :, :-1]
            return np.concatenate([design.mean(axis=1), design.std(axis=1)], axis=1)

        found: Floats = self._in_blocks(of_rows).astype(np.float64)
        return found

    def _places(self, policy: Placing) -> Floats:
        """(n, k, k) of one policy."""
        seen, slate = self.log.observation, self.log.slate
        found: Floats = self._in_blocks(lambda rows: policy.position_log_prob(seen[rows], slate[rows]))
        return found

    def _marginals(self, policy: Marginals, logging: Marginals) -> tuple[Floats, Floats]:
        """(n, k) each: the target's and the logging policy's."""
        seen, slate = self.log.observation, self.log.slate
        target = self._in_blocks(lambda rows: policy.marginal_log_prob(seen[rows], slate[rows]))
        logged = self._in_blocks(lambda rows: logging.marginal_log_prob(seen[rows], slate[rows]))
        return (
            target_array(target, "marginal_log_prob of the target"),
            logged_array(logged, "marginal_log_prob of the logging policy"),
        )


def _with_constant(features: Floats) -> Floats:
    return np.concatenate([features, np.ones((*features.shape[:-1], 1))], axis=-1)


def uniform_over(logged: Floats) -> int:
    """How many items a policy chose from that showed every slate without repeats alike; 0 if it did not.

    >>> uniform_over(np.log([[1 / 4, 1 / 3], [1 / 4, 1 / 3]])), uniform_over(np.log([[1 / 4, 1 / 3], [1 / 4, 1 / 2]]))
    (4, 0)
    """
    n_items = round(float(np.exp(-logged[0, 0])))
    left = n_items - np.arange(logged.shape[1])
    return n_items if left[-1] > 0 and np.allclose(logged, -np.log(left), rtol=0.0, atol=1e-9) else 0
