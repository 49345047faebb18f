"""What a log says of policies beside their estimates, as typed data: overlap, power, bounds, calibration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field

from recsim.report.format import capitalised
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
        return capitalised(self.sentence)


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
    count: Annotated[int, Field(validation_alias=AliasChoices("count", "n"))]


class Calibration(Result):
    """Whether estimated propensities are those that were in force, in numbers and in sentences."""

    bins: tuple[CalibrationBin, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The sentences as they stand on their own."""
        return " ".join(capitalised(sentence) for sentence in self.sentences)


class Source(Result):
    """Where the estimates come from."""

    log: str = ""
    policy: str = ""
    temperature: Measured = None
