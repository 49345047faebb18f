"""Measured numbers as typed data: means, intervals and paired differences."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

REWARD = "reward"


def _number_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Measured = Annotated[float | None, BeforeValidator(_number_or_none)]
"""A number, or None where it is undefined."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Level = Literal["trust", "caution", "do not use"]
Estimand = Literal["slate", "session"]
VERDICTS: tuple[Level, ...] = ("trust", "caution", "do not use")


class Result(BaseModel):
    """Base of all parts: unchangeable; keys of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Result):
    """A mean with standard error and the ends of its interval."""

    mean: Finite
    se: Finite
    low: Finite
    high: Finite


class Difference(Interval):
    """How much more `policy` brings per session than `against`, on the same users with the same luck."""

    policy: str
    against: str
    objective: str


class Lead(Difference):
    """How much more `policy` promises than `against`, both by one estimator from the same log."""

    estimator: str
