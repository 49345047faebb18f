"""What a log says of policies beside their estimates, as typed data: overlap, power, bounds, calibration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from recsim.report.measured import Finite, Measured, Result


class PositionOverlap(Result):
    """Weights of everything down to one position."""

    position: int
    ess: Measured
    mean: Measured = None
    largest: Measured = None
    zero_share: Measured = None


class Histogram(Result):
    """How many slates have a weight in each of equal steps between two powers of ten."""

    low: Finite
    high: Finite
    counts: Annotated[tuple[int, ...], Field(min_length=1)]


class PolicyOverlap(Result):
    """How far the log bears on one policy.

    Attributes:
        positions: from the first down.
        histogram: of the weights of whole slates that are not 0.
        zero: slates of weight 0.
    """

    positions: tuple[PositionOverlap, ...] = ()
    histogram: Histogram | None = None
    zero: int = 0


class Power(Result):
    """How many sessions it takes to tell two policies apart, in numbers and as a sentence."""

    policy: str
    against: str
    estimator: str = ""
    now: Measured = None
    needed: Measured = None
    sentence: str

    @property
    def words(self) -> str:
        """The sentence as it stands on its own."""
        return self.sentence[:1].upper() + self.sentence[1:]


class Guaranteed(Result):
    """An interval that holds at any sample size, or an edge of a region that holds for all objectives at once."""

    policy: str
    estimator: str = ""
    method: str = ""
    objective: str
    low: Measured
    high: Measured


class CalibrationBin(Result):
    """Rows of similar predicted propensity, and how often what was predicted happened."""

    predicted: Finite
    observed: Finite
    count: int


class Calibration(Result):
    """Whether estimated propensities are those that were in force."""

    bins: tuple[CalibrationBin, ...] = ()
    sentence: str = ""


class Source(Result):
    """Where the estimates come from."""

    log: str = ""
    policy: str = ""
    temperature: Measured = None
