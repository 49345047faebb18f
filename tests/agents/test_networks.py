from pathlib import Path

import pytest
import torch
from torch import nn

from recsim.agents.networks import descend, drawn_from, fill_network, network_arrays


def drawn(seed: int) -> nn.Linear:
    with drawn_from(seed):
        return nn.Linear(3, 2)


def test_the_seed_decides_and_torch_s_own_generator_stays() -> None:
    before = torch.random.get_rng_state()
    first, second, other = drawn(4), drawn(4), drawn(5)
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_filled_network_is_the_one_that_was_kept() -> None:
    network = drawn(4)
    fill_network(network, network_arrays(drawn(5)), Path("there"))
    assert torch.equal(network.weight, drawn(5).weight)


def test_arrays_of_another_network_are_refused() -> None:
    arrays = network_arrays(drawn(4))
    for wrong in (
        {"weight": arrays["weight"]},
        {**arrays, "more": arrays["bias"]},
        {**arrays, "bias": arrays["weight"]},
    ):
        with pytest.raises(ValueError, match="there holds a network of another shape"):
            fill_network(drawn(4), wrong, Path("there"))


@pytest.mark.parametrize(
    ("start", "message"),
    [(-1.0, "the loss is nan at step 3: training has"), (0.0, "the length of the gradient is inf at step 3: training")],
)
def test_a_step_that_has_no_finite_length_is_refused_and_not_taken(start: float, message: str) -> None:
    weight = nn.Parameter(torch.tensor([start]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    with pytest.raises(ValueError, match=f"{message}.*Lower the learning rate, which is 0.5, or look for numbers"):
        descend(optimizer, weight.sqrt().sum(), "at step 3")
    assert weight.item() == start


def test_a_step_follows_the_gradient_as_far_as_it_may() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    descend(optimizer, weight.square().sum() / 2.0, "at step 1")
    torch.testing.assert_close(weight.detach(), torch.tensor([1.5, 2.0]))
    descend(optimizer, weight.square().sum() / 2.0, "at step 2", longest=1.0)
    torch.testing.assert_close(weight.detach(), torch.tensor([1.5 - 0.3, 2.0 - 0.4]))
