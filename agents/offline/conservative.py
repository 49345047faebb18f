"""Conservative learning from a log: a policy gradient that pays for leaving the logging policy."""

from __future__ import annotations

import torch

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.learned import LearnedRanker
from recsim.agents.offline.learning import Examples, Schedule, check_log_fits, learn, new_ranker
from recsim.agents.offline.reinforce import check_discount_and_cap, weighted_advantage
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.rollout import Progress


class BehaviourRegularised(LearnedRanker):
    """Policy gradient with a price on the divergence from the logging policy (policy regularisation of Wu et al. 2019).

    What is maximised, a mean over logged slates s and a sum over their positions j, with a_j the item shown there:

        min(pi(a_j | s) / beta(a_j | s), cap) * advantage_j  -  alpha * (log beta(a_j | s) - log pi(a_j | s))

    The mean of the second term is KL(beta || pi) of whole slates. In this direction it is a mean over what was logged,
    so that the log's exact propensities estimate it without a model of the logging policy, which a slate of k among m
    items would hardly allow; and whatever was shown must keep probability, so that the policy cannot flee to items of
    which the log says nothing. Its gradient is that of behaviour cloning, as in TD3+BC (Fujimoto & Gu 2021, eq. 3).
    Penalties on Q-values (Kumar et al. 2020) would need a value of whole slates, and so a model of how users choose.

    `alpha` is in standard deviations of the advantage a nat: at 0 this is off-policy REINFORCE without the top-K
    correction, and the larger it is, the closer the policy stays to the logging policy, up to cloning it. From a cold
    start it has to be large enough to clone before there is anything to improve on: 0.3 rather than 0.03.
    """

    kind = "BehaviourRegularised"

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
        gamma: float = 0.95,
        alpha: float = 0.03,
        cap: float = 20.0,
        epochs: int = 20,
        patience: int = 4,
        batch: int = 256,
        learning_rate: float = 1e-3,
    ) -> BehaviourRegularised:
        """Learn from a log; the same log, options and seed give the same bits.

        Args:
            log: slates with the exact propensities that were in force.
            catalog: the items.
            layout: where features stand in an observation.
            seed: of the network's first weights and the order of the slates.
            progress: called with the number of passes over the log done.
            warm_start: a fitted static ranker where learning starts; without it, all items start equal.
            start_temperature: temperature of the Plackett-Luce policy around the warm start; best that of the log.
            gamma: discount of later slates of a session.
            alpha: price of a nat of divergence from the logging policy, from 0 up.
            cap: largest weight of a logged item.
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
        if not alpha >= 0.0:
            raise ValueError(f"alpha is {alpha}; a price on divergence is from 0 up.")
        check_log_fits(log, catalog, layout)
        ranker = new_ranker(catalog, layout, warm_start, start_temperature, seed)

        def objective(log_prob: torch.Tensor, examples: Examples) -> torch.Tensor:
            earned = weighted_advantage(log_prob, examples, cap=cap, top_k_correction=False)
            return earned - alpha * (examples.logged - log_prob)

        learn(ranker, log, objective, gamma=gamma, seed=seed, schedule=schedule, progress=progress)
        return cls(catalog, layout, ranker)
