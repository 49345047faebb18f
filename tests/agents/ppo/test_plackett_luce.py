import numpy as np
import pytest
import torch

from recsim import diverse
from recsim.agents.ppo import plackett_luce

CATEGORY = np.array([0, 0, 1, 1, 1, 2, 2, 0, 1, 2, 2, 2])
ONE_HOT = torch.eye(3, dtype=torch.float64)[torch.from_numpy(CATEGORY)]


@pytest.mark.parametrize("discount", [0.0, 2.5])
def test_it_agrees_with_the_numpy_reference(discount: float) -> None:
    rng = np.random.Generator(np.random.Philox(1))
    scores, loss = rng.normal(0.0, 3.0, (20, 12)), np.full(20, discount)
    slate = np.argsort(rng.random((20, 12)), axis=1)[:, :5]
    found = plackett_luce.log_prob(*map(torch.from_numpy, (scores, slate)), ONE_HOT, torch.from_numpy(loss)).numpy()
    np.testing.assert_allclose(found, diverse.log_prob(scores, loss, CATEGORY, slate), atol=1e-12)


def test_concentrated_scores_give_finite_values_and_gradients() -> None:
    scores = torch.tensor([[200.0, -200.0, 100.0, 0.0]], requires_grad=True)
    discount = torch.tensor([3.0], requires_grad=True)
    value = plackett_luce.log_prob(scores, torch.tensor([[0, 2, 3]]), ONE_HOT[:4].float(), discount)
    value.sum().backward()
    assert torch.isfinite(value).all()
    for gradient in (scores.grad, discount.grad):
        assert gradient is not None
        assert torch.isfinite(gradient).all()


def test_the_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    discount = torch.randn(3, generator=generator, dtype=torch.float64, requires_grad=True)
    slate = torch.tensor([[0, 1, 2], [5, 3, 1], [2, 4, 0]])
    assert torch.autograd.gradcheck(lambda s, d: plackett_luce.log_prob(s, slate, ONE_HOT[:6], d), (scores, discount))
