import numpy as np
import pytest
import torch

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.learning import Examples
from recsim.agents.offline.reinforce import OffPolicyReinforce, top_k_multiplier, weighted_advantage
from recsim.logs import Log
from recsim.policy import Ranking
from recsim.rollout import rollout
from recsim.simulator import Simulator

LOGGED = torch.tensor([[0.1, 0.5, 0.001]], dtype=torch.float64)
ADVANTAGE = torch.tensor([[2.0, -1.0, 3.0]], dtype=torch.float64)


def examples() -> Examples:
    return Examples(torch.zeros(1, 1), torch.zeros(1, 3, dtype=torch.int64), LOGGED.log(), ADVANTAGE)


@pytest.mark.parametrize("top_k_correction", [True, False])
def test_value_and_gradient_are_those_of_the_paper(top_k_correction: bool) -> None:
    """Weights pi / beta of 3, 0.4 and 200, of which the last is capped at 20."""
    now = torch.tensor([[0.3, 0.2, 0.2]], dtype=torch.float64)
    log_prob = now.log().requires_grad_()
    found = weighted_advantage(log_prob, examples(), cap=20.0, top_k_correction=top_k_correction)
    weight = torch.tensor([[3.0, 0.4, 20.0]], dtype=torch.float64)
    torch.testing.assert_close(found.detach(), weight * ADVANTAGE)
    multiplier = 3.0 * (1.0 - now) ** 2 if top_k_correction else torch.ones_like(now)
    found.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_prob.grad, weight * multiplier * ADVANTAGE)


def test_the_multiplier_is_the_derivative_of_being_among_k() -> None:
    """Chen et al. 2019, equation 7: from K where an item is hardly shown to 0 where it always is; 1 where K is 1."""
    pi = torch.tensor([0.0, 0.2, 0.9, 1.0], dtype=torch.float64, requires_grad=True)
    among = 1.0 - (1.0 - pi) ** 10
    (slope,) = torch.autograd.grad(among.sum(), pi)
    torch.testing.assert_close(top_k_multiplier(pi.detach().log(), 10), slope)
    assert slope[[0, 3]].tolist() == [10.0, 0.0]
    assert top_k_multiplier(pi.detach().log(), 1).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_the_value_estimates_what_another_policy_earns() -> None:
    """Slates of one of three items, shown with 0.2, 0.3 and 0.5; the other policy's mean reward is known."""
    rng = np.random.Generator(np.random.Philox(5))
    shown, other, worth = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1]), np.array([4.0, 1.0, 0.0])
    item = rng.choice(3, 100_000, p=shown)
    logged, earned = (torch.from_numpy(values[item])[:, None] for values in (np.log(shown), worth))
    slates = Examples(torch.zeros(len(item), 1), torch.from_numpy(item)[:, None], logged, earned)
    found = weighted_advantage(torch.from_numpy(np.log(other[item]))[:, None], slates, cap=20.0, top_k_correction=False)
    assert abs(found.mean().item() - other @ worth) < 4.0 * found.std().item() / np.sqrt(len(item))


@pytest.mark.slow
def test_it_improves_on_the_static_fusion_it_starts_from(world: Simulator, long_log: Log) -> None:
    fusion = StaticFusion.fit(long_log, world.catalog, world.layout)
    learned = OffPolicyReinforce.fit(long_log, world.catalog, world.layout, warm_start=fusion)
    earned, static = (rollout(world, Ranking("best", scorer, 4), 600).reward for scorer in (learned, fusion))
    difference = earned - static
    assert difference.mean() > 3.0 * difference.std() / np.sqrt(len(difference))
