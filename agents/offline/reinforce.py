"""Off-policy REINFORCE: the policy gradient from a log, with what was logged weighed by how much likelier it is now."""

from __future__ import annotations

import torch

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.learned import LearnedRanker
from recsim.agents.offline.learning import Examples, Schedule, check_log_fits, learn, new_ranker
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.rollout import Progress


class OffPolicyReinforce(LearnedRanker):
    """REINFORCE with off-policy and top-K correction (Chen et al. 2019, "Top-K Off-Policy Correction", section 4).

    The gradient, a mean over logged slates s and a sum over their positions j, with a_j the item shown there:

        min(pi(a_j | s) / beta(a_j | s), cap) * lambda_K(a_j | s) * advantage_j * grad log pi(a_j | s)
        lambda_K(a | s) = K (1 - pi(a | s))^(K - 1)

    pi is Plackett-Luce over the ranker's scores and beta the logging policy, both given the items above a_j, so that
    the log's exact step-wise propensities are the denominators. As in the paper, earlier positions and earlier slates
    go without weights of their own (a first-order approximation) and weights are capped. An advantage is what the
    position and the rest of the session earned above expectation: see `recsim.agents.offline.credit`.

    lambda_K lets an item be that is shown anyway, in favour of what else could be shown beside it. The paper derives it
    for K independent draws of one softmax, a little different from Plackett-Luce.

    With few logged users the weights fit luck after some passes: those are kept that earn most on held-out users.
    """

    kind = "OffPolicyReinforce"

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
        top_k_correction: bool = True,
        cap: float = 20.0,
        epochs: int = 20,
        patience: int = 4,
        batch: int = 256,
        learning_rate: float = 1e-3,
    ) -> OffPolicyReinforce:
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
            top_k_correction: whether lambda_K counts.
            cap: largest weight of a logged item; 20 is about the paper's e^3.
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
        check_log_fits(log, catalog, layout)
        ranker = new_ranker(catalog, layout, warm_start, start_temperature, seed)

        def objective(log_prob: torch.Tensor, examples: Examples) -> torch.Tensor:
            return weighted_advantage(log_prob, examples, cap=cap, top_k_correction=top_k_correction)

        learn(ranker, log, objective, gamma=gamma, seed=seed, schedule=schedule, progress=progress)
        return cls(catalog, layout, ranker)


def weighted_advantage(
    log_prob: torch.Tensor, examples: Examples, *, cap: float, top_k_correction: bool
) -> torch.Tensor:
    """(n, k): its value is min(pi / beta, cap) * advantage, and its gradient the corrected policy gradient.

    A capped weight is a constant, so that the gradient of the value alone would vanish there; Chen et al. cap the
    weight of the gradient, which goes on.
    """
    now = log_prob.detach()
    ratio = (now - examples.logged).exp().clamp(max=cap)
    weight = ratio * top_k_multiplier(now, log_prob.shape[1]) if top_k_correction else ratio
    return examples.advantage * (ratio + weight * (log_prob - now))


def top_k_multiplier(log_prob: torch.Tensor, k: int) -> torch.Tensor:
    """lambda_K = K (1 - pi)^(K - 1), the derivative of 1 - (1 - pi)^K by pi (Chen et al. 2019, section 4.3).

    >>> top_k_multiplier(torch.tensor([0.5]).log(), 3).tolist()  # 3 * 0.5^2
    [0.75]
    """
    return k * (1.0 - log_prob.exp()) ** (k - 1)


def check_discount_and_cap(gamma: float, cap: float) -> None:
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma is {gamma}; a discount is from 0 to 1.")
    if not cap > 0.0:
        raise ValueError(f"cap is {cap}; the largest weight must be above 0.")
