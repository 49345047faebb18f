"""Environments: thin adapters around `recsim.simulator.Simulator` for Gymnasium and Stable-Baselines3.

Importing this package registers ``recsim/Slate-v0`` for `gymnasium.make` and `gymnasium.make_vec`; the classes behind
it load when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from recsim.envs.actions import FusionWeights, ProtoAction
    from recsim.envs.candidates import Candidates
    from recsim.envs.preference import Preference
    from recsim.envs.reveal import Reveal, RevealWrapper
    from recsim.envs.reward import VectorReward
    from recsim.envs.sb3 import SlateVecEnv
    from recsim.envs.single import SlateEnv
    from recsim.envs.vector import SlateVectorEnv
    from recsim.envs.wrapper import SlateWrapper

__all__ = [
    "ENV_ID",
    "Candidates",
    "FusionWeights",
    "Preference",
    "ProtoAction",
    "Reveal",
    "RevealWrapper",
    "SlateEnv",
    "SlateVecEnv",
    "SlateVectorEnv",
    "SlateWrapper",
    "VectorReward",
]
_HOME = {
    "Candidates": "recsim.envs.candidates",
    "FusionWeights": "recsim.envs.actions",
    "Preference": "recsim.envs.preference",
    "ProtoAction": "recsim.envs.actions",
    "Reveal": "recsim.envs.reveal",
    "RevealWrapper": "recsim.envs.reveal",
    "SlateEnv": "recsim.envs.single",
    "SlateVecEnv": "recsim.envs.sb3",
    "SlateVectorEnv": "recsim.envs.vector",
    "SlateWrapper": "recsim.envs.wrapper",
    "VectorReward": "recsim.envs.reward",
}

ENV_ID = "recsim/Slate-v0"

if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        ENV_ID,
        entry_point="recsim.envs.single:SlateEnv",
        vector_entry_point="recsim.envs.vector:SlateVectorEnv",
        max_episode_steps=None,  # the horizon is the simulator's own
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'recsim.envs' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
