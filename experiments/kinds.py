"""The kinds of learned policies: how each is set, which class it is and how it is trained.

Only names stand here: an agent's module is imported when the agent is needed. What must be there before a policy is
trained follows from its settings: the static fusion (`builds_on_fusion`) or a log (`log`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from recsim.experiments import policy_settings as settings

Way = Literal["log", "users", "environment"]


@dataclass(frozen=True)
class LearnedKind:
    """A kind of learned policy.

    Attributes:
        settings: its part of a config.
        agent: "module:Class", loaded with `load(path, catalog, layout)`; "" where the settings name it.
        way: how it is trained: fitted on a log, while it serves users, or by Stable-Baselines3 on an environment; None
            where a stage of its own makes it for all (the static fusion) or the class decides (`custom`).
        named: settings that are keyword arguments of the class; all others come as `options`.
        takes: "module:Class" of what else its options may be, where the agent's own signature does not tell them.
        suffix: of its file in a run folder, `models/<slug><suffix>`.
    """

    settings: type[settings.PolicySettings]
    agent: str
    way: Way | None
    named: tuple[str, ...] = ()
    takes: str | None = None
    suffix: str = ".safetensors"


def _bandit(agent: str) -> LearnedKind:
    return LearnedKind(settings.BanditPolicy, f"recsim.agents.bandits.{agent}", "users")


def _offline(agent: str) -> LearnedKind:
    return LearnedKind(settings.OfflinePolicy, f"recsim.agents.offline.{agent}", "log")


LEARNED: Mapping[str, LearnedKind] = {
    "static_fusion": LearnedKind(settings.StaticFusionPolicy, "recsim.agents.fusion.static:StaticFusion", None),
    "fusion": LearnedKind(settings.FusionPolicy, "", "log"),
    "llm_reranker": LearnedKind(
        settings.LLMRerankerPolicy, "recsim.agents.language.reranker:LLMReranker", "log", named=("model",)
    ),
    "linucb": LearnedKind(settings.LinUCBPolicy, "recsim.agents.bandits.linucb:LinUCB", "users", named=("alpha",)),
    "linear_thompson": _bandit("linear_thompson:LinearThompson"),
    "logistic_thompson": _bandit("logistic_thompson:LogisticThompson"),
    "neural_linear": _bandit("neural_linear:NeuralLinear"),
    "cascade_linucb": _bandit("cascade_linucb:CascadeLinUCB"),
    "epsilon_greedy": _bandit("epsilon_greedy:EpsilonGreedy"),
    "slateq": LearnedKind(
        settings.SlateQPolicy, "recsim.agents.slateq:SlateQ", "users", takes="recsim.agents.slateq.settings:Settings"
    ),
    "offpolicy_reinforce": _offline("reinforce:OffPolicyReinforce"),
    "conservative": _offline("conservative:BehaviourRegularised"),
    "counterfactual": _offline("counterfactual:CounterfactualRanker"),
    "ppo": LearnedKind(settings.PPOPolicy, "recsim.agents.ppo.scorer:PPOScorer", "environment", suffix=".zip"),
    "sb3": LearnedKind(settings.StockPolicy, "recsim.agents.sb3.policy:SB3Policy", "environment", suffix=".zip"),
    "custom": LearnedKind(settings.CustomPolicy, "", None, suffix=".agent"),
}
