"""Measured coverage as typed data: the shape of what `recsim bench coverage` writes, in worlds whose truth is known."""

from __future__ import annotations

from recsim.report.measured import Finite, Measured, Result


class CoverageRow(Result):
    """How often one interval of one estimator held the truth in one world.

    Attributes:
        kind: `asymptotic`, `guaranteed` or "".
        coverage: share of the logs.
        se: its standard error.
        width: mean width.
        kept: whether that is as asked; None where nothing is asked.
    """

    world: str
    estimator: str
    interval: str
    kind: str = ""
    coverage: Finite
    se: Measured = None
    width: Measured = None
    kept: bool | None = None


class Coverage(Result):
    """What `recsim bench coverage` measured.

    Attributes:
        replications: logs of every world.
        level: of all intervals.
        intervals: in the order of the worlds.
    """

    replications: int = 0
    level: Finite
    intervals: tuple[CoverageRow, ...] = ()
