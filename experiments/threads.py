"""Threads of a run: as many as are asked for where results cannot depend on it, one everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from recsim import jit
from recsim.experiments.errors import UserError


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Row kernels on `count` threads; linear algebra and trees on one, as the order of their sums may depend on it.

    Raises:
        UserError: if this machine has not so many.
    """
    import sklearn.ensemble  # noqa: F401 (its thread pools must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    try:
        jit.set_threads(count)
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        jit.set_threads(1)
