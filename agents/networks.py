"""Networks of torch: made from a seed of their own, trained as long as numbers are finite, and kept as arrays."""

from __future__ import annotations

import math
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


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, where: str, longest: float = math.inf) -> None:
    """One step down `loss` of the parameters of `optimizer`, their gradient clipped to the length `longest`.

    Raises:
        ValueError: if the loss or its gradient is not finite, `where` it was met; nothing has moved then.
    """
    check_finite("loss", loss, where, optimizer)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    check_finite("length of the gradient", nn.utils.clip_grad_norm_(parameters, longest), where, optimizer)
    optimizer.step()


def check_finite(what: str, value: torch.Tensor, where: str, optimizer: torch.optim.Optimizer) -> None:
    """Refuse to go on with training that has diverged.

    Raises:
        ValueError: if `value` is not finite; the sentence says `what` it is, and `where` it was met.
    """
    if not torch.isfinite(value):
        rate = max(group["lr"] for group in optimizer.param_groups)
        raise ValueError(
            f"the {what} is {value.item()} {where}: training has diverged and stops. Lower the learning rate, which is "
            f"{rate:g}, or look for numbers that are huge or not finite in what is learned from."
        )


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
