"""Choosing policies of a config by what people call them."""

from __future__ import annotations

from recsim.experiments.config import ORACLES, PolicyConfig, RunConfig
from recsim.experiments.errors import UserError
from recsim.spelling import did_you_mean


def chosen_policy(config: RunConfig, word: str, temperature: float | None = None) -> PolicyConfig:
    """The policy that `word` names: by its name, the name as a file name, or a kind that only one policy has.

    Raises:
        UserError: if there is no such policy, or a temperature is given to a policy that has none.
    """
    by_name = [policy for policy in config.policies if word.strip() in (policy.title, policy.slug)]
    by_kind = [policy for policy in config.policies if policy.kind == word.strip()]
    found = by_name or (by_kind if len(by_kind) == 1 else [])
    if not found:
        known = [policy.title for policy in config.policies]
        raise UserError(f"the config has no policy {word.strip()!r}; {did_you_mean(word, known)}")
    policy = found[0]
    if temperature is None:
        return policy
    if "temperature" not in type(policy).model_fields:
        raise UserError(f"{policy.title!r} is of kind {policy.kind}, which has no temperature; leave it out.")
    return policy.model_copy(update={"temperature": temperature})


def judged_policies(config: RunConfig, names: str | None = None) -> list[PolicyConfig]:
    """The policies that `names` (with commas) names, or all on which a log can bear.

    Raises:
        UserError: if there is no such policy, or it is an oracle.
    """
    if names is None:
        return [policy for policy in config.policies if policy.judged_by_log]
    chosen = [chosen_policy(config, word) for word in names.split(",")]
    for policy in chosen:
        if not policy.judged_by_log:
            seen = "the hidden state of users" if policy.kind in ORACLES else "more of a session than one observation"
            raise UserError(f"{policy.title!r} sees {seen}, which no log holds; leave it out.")
    return list({policy.slug: policy for policy in chosen}.values())
