from pathlib import Path

import pytest
import torch
from torch import nn

from recsim.agents.networks import drawn_from, fill_network, network_arrays


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
