"""What each policy of a run was trained on, from its config."""

from __future__ import annotations

from typing import Any

from recsim.report.format import listed
from recsim.report.read import Run


def budgets(run: Run) -> str:
    """How much each policy learned from, in a sentence; "" where the config does not tell."""
    policies = run.config.get("policies")
    found = [_budget(policy, run.config) for policy in policies] if isinstance(policies, list) else []
    told = [words for words in found if words]
    if not told:
        return ""
    return (
        f"The ranking is one of policies with their training: {listed(told)}, as in the config, all in the simulator. "
        "More training may change it."
    )


def _budget(policy: Any, config: dict[str, Any]) -> str:
    if not isinstance(policy, dict):
        return ""
    kind = str(policy.get("kind"))
    name = policy.get("name") or kind.replace("_", " ")
    launch = config.get("launch_log")
    amount, unit = {
        "ppo": (policy.get("timesteps"), "slates of its own"),
        "linucb": (policy.get("n_users"), "sessions of its own"),
        "static_fusion": (launch.get("n_users") if isinstance(launch, dict) else None, "sessions of the launch log"),
    }.get(kind, (None, ""))
    return f"{name} on {amount:,} {unit}" if isinstance(amount, int) else ""
