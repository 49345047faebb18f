"""Networks of torch: made from a seed of their own, and kept as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """What torch draws inside comes from `seed`; its global generator stays as it was."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        yield


def network_arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """The parameters and buffers of a network by name, for `save_arrays`."""
    return {name: values.numpy() for name, values in network.state_dict().items()}


def fill_network(network: nn.Module, arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Give a network the numbers of another of its shape, which come from the file at `path`.

    Raises:
        ValueError: if they are not those of its parameters and buffers.
    """
    try:
        network.load_state_dict({name: torch.from_numpy(values) for name, values in arrays.items()})
    except RuntimeError as error:
        raise ValueError(
            f"{path} holds a network of another shape, for other observations or of another version of recsim: make "
            "the world with the same recent, calendar and users, or train again."
        ) from error
