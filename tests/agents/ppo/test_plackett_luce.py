import numpy as np
import torch

from recsim.agents.ppo import plackett_luce
from recsim.policy import plackett_luce_log_prob


def test_it_agrees_with_the_numpy_reference() -> None:
    rng = np.random.Generator(np.random.Philox(1))
    logits = rng.normal(0.0, 3.0, (20, 12))
    slate = np.argsort(rng.random((20, 12)), axis=1)[:, :5]
    found = plackett_luce.log_prob(torch.from_numpy(logits), torch.from_numpy(slate)).numpy()
    np.testing.assert_allclose(found, plackett_luce_log_prob(logits, slate), atol=1e-12)


def test_concentrated_scores_give_finite_values_and_gradients() -> None:
    scores = torch.tensor([[200.0, -200.0, 100.0, 0.0]], requires_grad=True)
    slate = torch.tensor([[0, 2, 3]])
    value = plackett_luce.log_prob(scores, slate)
    value.sum().backward()
    assert scores.grad is not None
    assert torch.isfinite(value).all()
    assert torch.isfinite(scores.grad).all()


def test_the_gradient_is_that_of_finite_differences() -> None:
    scores = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    slate = torch.tensor([[0, 1, 2], [5, 3, 1], [2, 4, 0]])
    assert torch.autograd.gradcheck(lambda s: plackett_luce.log_prob(s, slate), (scores,))


def test_samples_come_as_often_as_their_probability_says() -> None:
    scores = torch.tensor([[1.0, 0.0, -1.0]])
    draws = plackett_luce.sample(scores.expand(60_000, 3), 2, torch.Generator().manual_seed(3))
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    for pair in pairs:
        probability = plackett_luce.log_prob(scores, torch.tensor([pair])).sum().exp().item()
        share = (draws == torch.tensor(pair)).all(dim=1).double().mean().item()
        assert abs(share - probability) < 4.0 * np.sqrt(probability * (1 - probability) / 60_000)
