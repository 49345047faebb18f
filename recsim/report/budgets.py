"""What each policy of a run was trained on, from its config."""

from __future__ import annotations

from typing import Any

from recsim.report.format import listed
from recsim.report.read import Run

LOGS = {"launch": "sessions of the launch log", "production": "logged sessions of the policy in production"}


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
    """Of one policy. An agent of somebody's own has settings for every way to learn, so they do not tell."""
    if not isinstance(policy, dict) or policy.get("kind") == "custom":
        return ""
    kind = str(policy.get("kind"))
    if "timesteps" in policy:
        amount, unit = policy["timesteps"], "slates of its own"
    elif "n_users" in policy:
        amount, unit = policy["n_users"], "sessions of its own"
    else:
        log = "launch" if kind == "static_fusion" else str(policy.get("log"))
        settings, unit = config.get(f"{log}_log"), LOGS.get(log, "")
        amount = settings.get("n_users") if isinstance(settings, dict) else None
    untold = f"{policy.get('method')} fusion" if kind == "fusion" else kind
    name = policy.get("name") or untold.replace("_", " ")
    return f"{name} on {amount:,} {unit}" if isinstance(amount, int) else ""
