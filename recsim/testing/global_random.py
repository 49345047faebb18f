"""The global random generators of the process, which a user model must leave alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np


class _Generator(NamedTuple):
    name: str
    get: Callable[[], Any]
    put: Callable[[Any], Any]
    seed: Callable[[int], Any]
    draw: Callable[[], float]


@contextmanager
def seeded_globally(seed: int) -> Iterator[list[str]]:
    """Inside, the global generators of numpy, random and torch (where imported) start from `seed`.

    Yields:
        A list which holds, once the block has ended without an error, the names of those that were used in it. All are
        put back as they were.
    """
    touched: list[str] = []
    generators = _generators()
    before = [generator.get() for generator in generators]
    try:
        expected = []
        for generator in generators:
            generator.seed(seed)
            expected.append(generator.draw())
            generator.seed(seed)
        yield touched
        touched += [g.name for g, first in zip(generators, expected, strict=True) if g.draw() != first]
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.put(state)


def _generators() -> list[_Generator]:
    legacy = np.random
    found = [
        _Generator("np.random", legacy.get_state, legacy.set_state, legacy.seed, legacy.random_sample),
        _Generator("random", random.getstate, random.setstate, random.seed, random.random),
    ]
    torch = sys.modules.get("torch")
    if torch is not None:
        own = torch.default_generator
        found.append(
            _Generator(
                "torch", own.get_state, own.set_state, own.manual_seed, lambda: torch.rand(1, generator=own).item()
            )
        )
    return found
