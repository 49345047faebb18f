"""Counterfactual learning to rank: the policy that an off-policy estimator values most, found by its gradient."""

from __future__ import annotations

from typing import Literal, get_args

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.credit import advantage
from recsim.agents.offline.item_model import ItemModel
from recsim.agents.offline.learned import LearnedRanker
from recsim.agents.offline.learning import Examples, Schedule, check_log_fits, climb, learned_and_held, new_ranker
from recsim.agents.offline.reinforce import check_discount_and_cap
from recsim.agents.offline.value import Ratio, Value, Weighting
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.rollout import Progress

Estimator = Literal["ips", "snips", "dr"]


class CounterfactualRanker(LearnedRanker):
    """The Plackett-Luce policy pi of highest estimated value, by one of three estimators (`estimator`).

    With advantages A_ij, what position j of logged slate i and the rest of the session earned above what the situation
    lets expect (`recsim.agents.offline.credit`), and weights w_ij = min(pi / beta, cap):

    - `ips`: (1/n) sum_ij w_ij A_ij (Bottou et al. 2013, section 4). Taking off what the situation lets expect leaves
      its maximum in expectation, and spares it from avoiding whatever was logged where all rewards are positive.
    - `snips`: sum_j [sum_i w_ij A_ij / sum_i w_ij] (Swaminathan & Joachims 2015, "The self-normalized estimator for
      counterfactual learning"). A ratio over the whole log is no mean over batches: before each pass the ratios V_j and
      their denominators D_j are computed over all logged slates from which is learned, and the steps of the pass climb
      w_ij (A_ij - V_j) / D_j, of which the sum over the log is the ratio's gradient (Dinkelbach 1967; V_j is the
      Lagrange multiplier of Joachims et al. 2018). It does not care about a constant in the rewards.
    - `dr`: (1/n) sum_ij [w_i,j-1 sum_a pi(a | x_i, items above) q_ij(a) + w_ij (A_ij - q_ij)], w_i0 = 1, with a linear
      model q fitted on other users (Dudik et al. 2014; the weights of Kiyohara et al. 2022, section 3.1). It alone also
      learns of items that were not shown, from those that are like them.

    `weight` says which choices pi / beta is the ratio of. `position`: the item with those above it (`recsim.ope.rips`),
    unbiased if users read from the top and do not stay for what stands below. `slate`: the whole slate
    (`recsim.ope.sips`), unbiased for any user, of a variance that grows with every position; not for `dr`, whose model
    adds up over positions.

    `cap` clips weights: a slate whose weight has reached it pulls no further, which costs bias and bounds the variance
    (Ionides 2008). A value without a trust region may be climbed by luck: the weights are kept whose value by the same
    estimator was highest on users from whom was not learned. Start it at the policy that was logged (`warm_start` and
    its temperature), where all weights are 1; far from there a log of a few thousand slates may tell it nothing, and
    then it stays where it started.
    """

    kind = "CounterfactualRanker"

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        seed: int = 0,
        progress: Progress = None,
        warm_start: StaticFusion | None = None,
        start_temperature: float = 0.5,
        estimator: Estimator = "dr",
        weight: Weighting = "position",
        gamma: float = 0.95,
        cap: float = 20.0,
        epochs: int = 20,
        patience: int = 4,
        batch: int = 256,
        learning_rate: float = 1e-3,
    ) -> CounterfactualRanker:
        """Learn from a log; the same log, options and seed give the same bits.

        Args:
            log: slates with the exact propensities that were in force.
            catalog: the items.
            layout: where features stand in an observation.
            seed: of the network's first weights and the order of the slates.
            progress: called with the number of passes over the log done.
            warm_start: a fitted static ranker where learning starts; without it, all items start equal.
            start_temperature: temperature of the Plackett-Luce policy around the warm start; best that of the log.
            estimator: `ips`, `snips` or `dr`.
            weight: `position` or `slate`.
            gamma: discount of later slates of a session.
            cap: largest weight.
            epochs: most passes over the log.
            patience: passes without a better held-out value after which to stop.
            batch: slates a gradient step.
            learning_rate: of Adam.

        Raises:
            ValueError: if an option cannot be, the log belongs to another catalogue or layout, was collected by a
                deterministic policy or one that estimated its propensities, has a single user or says nothing, or the
                loss stops being finite.
        """
        schedule = Schedule(epochs, patience, batch, learning_rate)
        check_discount_and_cap(gamma, cap)
        _check_choices(estimator, weight)
        check_log_fits(log, catalog, layout)
        ranker = new_ranker(catalog, layout, warm_start, start_temperature, seed)
        above = advantage(log, gamma, divided=weight == "slate")
        model = ItemModel.fit(log, above, catalog, layout) if estimator == "dr" else None
        value = Value(ranker, Examples.of(log, above), weight, cap, model)
        learned_from, held = learned_and_held(log)
        if estimator == "snips":
            ratio = Ratio(value, learned_from)
            climb(
                ranker,
                learned_from,
                ratio.gain,
                lambda: value.ratio(held),
                seed=seed,
                schedule=schedule,
                progress=progress,
                before_pass=ratio.look,
            )
        else:
            climb(
                ranker,
                learned_from,
                lambda rows: value.parts(rows)[0].sum(dim=1),
                lambda: value.mean(held),
                seed=seed,
                schedule=schedule,
                progress=progress,
            )
        return cls(catalog, layout, ranker)


def _check_choices(estimator: str, weight: str) -> None:
    for name, given, known in (("estimator", estimator, Estimator), ("weight", weight, Weighting)):
        if given not in get_args(known):
            raise ValueError(f"{name} is {given!r}; choose from {', '.join(get_args(known))}.")
    if (estimator, weight) == ("dr", "slate"):
        raise ValueError(
            "weight is 'slate' with estimator 'dr', whose model adds up over positions; choose position or "
            "another estimator."
        )
