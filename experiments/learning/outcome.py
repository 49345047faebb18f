"""What a finished run of the bench measured, read from its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.experiments.learning.serving import ALONE, FUSION, best_of
from recsim.experiments.learning.size import Size
from recsim.experiments.over_seeds import training_seconds
from recsim.experiments.run_folder import TIMINGS
from recsim.files import read_json

BEST_FUSION, BEST_ALONE, PPO, PLANNER = "best fusion", "best modality", "ppo", "planning oracle"


@dataclass(frozen=True)
class Outcome:
    """One world, with its logs and its training.

    Attributes:
        seed: of all that was drawn.
        compared: sessions of fusions and modalities alone, a row a policy and user, of the users they are chosen on.
        sessions: sessions of the fresh users, likewise, with the planning oracle's.
        seconds: what each stage of the run took.
    """

    seed: int
    compared: pd.DataFrame
    sessions: pd.DataFrame
    seconds: dict[str, float]

    @classmethod
    def read(cls, run: Path, seed: int, size: Size) -> Outcome:
        """The outcome of a run folder, as measured by a size."""
        sessions = [pd.read_parquet(run / name) for name in (size.served, size.planned)]
        return cls(seed, pd.read_parquet(run / size.compared), pd.concat(sessions), read_json(run / TIMINGS))

    @property
    def fusions(self) -> list[str]:
        """Names of the fusions that were compared."""
        return list(self.compared.loc[self.compared["kind"] == FUSION, "policy"].unique())

    def named(self, role: str) -> str:
        """The policy that has a role here: the best fusion or modality, as chosen on other users; or itself."""
        kind = {BEST_FUSION: FUSION, BEST_ALONE: ALONE}.get(role)
        return best_of(self.compared, kind) if kind else role

    def sessions_of(self, role: str) -> pd.DataFrame:
        """Sessions of the fresh users, from user 0."""
        return self.sessions[self.sessions["policy"] == self.named(role)]

    def returns(self, role: str) -> NDArray[np.float64]:
        """(n,) returns of the fresh users that it has served, from user 0."""
        return self.sessions_of(role)["reward"].to_numpy(np.float64)

    def training_seconds(self, policy: str) -> float | None:
        """What its training or fitting took, see `over_seeds.training_seconds`."""
        return training_seconds(self.seconds, policy)
