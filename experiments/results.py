"""The results of a run in one place: metrics.json for programs and the report, metrics.parquet for tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsim import metrics
from recsim.experiments.config import ORACLES, PolicyConfig, RunConfig
from recsim.experiments.evaluation import EXPOSURE, OFFLINE, PRODUCTION_LOG, SESSIONS, SLATE_TRUTH
from recsim.experiments.front import FRONT, front_results
from recsim.experiments.policies import model_file
from recsim.experiments.policy_settings import LLMRerankerPolicy, TrainedPolicy, UniformPolicy
from recsim.experiments.progress import Advance
from recsim.experiments.training import CURVE_COLUMNS, curve_file
from recsim.experiments.world import World
from recsim.files import read_json, write_json, write_table
from recsim.logs import Log, read_log
from recsim.ope import clusters_of
from recsim.ope.assessment import assess

SCHEMA_VERSION = 1
LOGGED = "logging policy"  # what it earned in the log, beside the candidates
METRICS, METRICS_TABLE, LEARNING_CURVE = "metrics.json", "metrics.parquet", "learning_curve.parquet"


def write_results(world: World, run: Path, into: Path, progress: Advance) -> None:
    """Gather what the other stages found."""
    found = gather(world, run)
    write_json(into / METRICS, found)
    write_table(into / METRICS_TABLE, pd.DataFrame(_rows(found), columns=_COLUMNS))
    write_table(into / LEARNING_CURVE, _learning_curves(world.config, run))
    progress(1)


def gather(world: World, run: Path) -> dict[str, Any]:
    """All that metrics.json holds: no times, dates or paths, so that equal runs have equal bytes."""
    config, log = world.config, read_log(run / PRODUCTION_LOG)
    sessions, exposure = pd.read_parquet(run / SESSIONS), pd.read_parquet(run / EXPOSURE)
    slate_truth, offline = read_json(run / SLATE_TRUTH), read_json(run / OFFLINE)
    measures = ("reward", *log.info.objectives)
    policies = {
        policy.title: {
            **_policy(policy, config, _of(policy, sessions), _of(policy, exposure), measures, slate_truth),
            "judge": _judge(policy, world, run),
        }
        for policy in config.policies
    }
    return {
        "schema": SCHEMA_VERSION,
        "name": config.name,
        "seed": config.seed,
        "catalog": {"name": world.catalog.name, "n_items": len(world.catalog)},
        "objectives": list(log.info.objectives),
        "weights": list(log.info.weights),
        "slate_size": config.slate_size,
        "horizon": config.horizon,
        "n_users": config.evaluation.n_users,
        "level": config.evaluation.level,
        "log": _log_summary(config, log),
        "baseline": config.baseline.title,
        "policies": list(policies.values()),
        "differences": list(_differences(config, sessions, measures)),
        "best": list(_lead(config, sessions, measures)),
        "offline": [
            {**estimate, "truth": _truth(estimate, slate_truth, policies)} for estimate in offline["estimates"]
        ],
        "offline_differences": offline["differences"],
        **{key: offline[key] for key in ("session_differences", "power", "guaranteed", "region", "in_force")},
        "assessment": list(_assessment(offline["estimates"], policies, slate_truth, log)),
        "overlap": offline["overlap"],
        "left_out": offline["left_out"],
        "front": _front(config, run, log.info.objectives),
        "warnings": [sentence for sentences in offline["warnings"].values() for sentence in sentences],
    }


def _truth(estimate: dict[str, Any], slate_truth: dict[str, Any], policies: dict[str, Any]) -> float | None:
    """What an estimate should have found: of slates in the log's situations, of sessions the mean over fresh users."""
    policy, objective = estimate["policy"], estimate["objective"]
    if estimate["estimand"] == "session":
        found: float = policies[policy]["truth"][objective]["mean"]
        return found
    return slate_truth[policy][objective]["mean"] if slate_truth else None


def _assessment(
    estimates: list[dict[str, Any]], policies: dict[str, Any], slate_truth: dict[str, Any], log: Log
) -> Iterator[dict[str, Any]]:
    """How well each estimator would have guided the choice of a policy; the logging policy is worth what it earned."""
    truths = {
        "slate": {name: truth["reward"]["mean"] for name, truth in slate_truth.items()},
        "session": {name: policy["truth"]["reward"]["mean"] for name, policy in policies.items()},
    }
    earned = {"slate": log.reward.mean(), "session": log.reward.sum() / clusters_of(log.user, log.session)[1]}
    for estimand, truth in truths.items():
        own = pd.DataFrame([e for e in estimates if e["estimand"] == estimand])
        if truth and not own.empty and own["policy"].nunique() > 1:
            found = assess(own, truth | {LOGGED: float(earned[estimand])}, logging_policy=LOGGED)
            for row in found.to_dict("records"):
                known = {
                    str(key): None if isinstance(value, float) and math.isnan(value) else value
                    for key, value in row.items()
                }
                yield {"estimand": estimand, **known}


def _front(config: RunConfig, run: Path, objectives: tuple[str, ...]) -> dict[str, Any] | None:
    return front_results(config, config.front, pd.read_parquet(run / FRONT), objectives) if config.front else None


def _log_summary(config: RunConfig, log: Log) -> dict[str, Any]:
    n_sessions = clusters_of(log.user, log.session)[1]
    temperature = 1.0 if config.production_log.policy == "uniform" else config.production_log.temperature
    return {"policy": log.info.policy, "temperature": temperature, "slates": len(log), "sessions": n_sessions}


def _policy(
    policy: PolicyConfig,
    config: RunConfig,
    sessions: pd.DataFrame,
    exposure: pd.DataFrame,
    measures: tuple[str, ...],
    slate_truth: dict[str, Any],
) -> dict[str, Any]:
    level = config.evaluation.level
    truth = {
        measure: asdict(metrics.mean_interval(sessions[measure].to_numpy(np.float64), level))
        for measure in (*measures, "length")
    }
    return {
        "name": policy.title,
        "kind": policy.kind,
        "temperature": temperature_of(policy),
        "truth": truth,
        "metrics": _rates(sessions, exposure),
        "slate_truth": slate_truth.get(policy.title),
    }


def _judge(policy: PolicyConfig, world: World, run: Path) -> dict[str, Any] | None:
    """What a re-ranker's language model counts beside the static fusion, and whether that was fitted or set by hand."""
    if not isinstance(policy, LLMRerankerPolicy):
        return None
    from recsim.agents.language.reranker import weight_of

    weight = weight_of(run / str(model_file(policy)), world.catalog)
    return {"weight": weight, "fitted": policy.options.get("weight") is None}


def temperature_of(policy: PolicyConfig) -> float | None:
    """The temperature of a policy's Plackett-Luce distribution; 0 where it is deterministic, None where it has none."""
    if isinstance(policy, UniformPolicy):
        return 1.0
    return 0.0 if policy.kind in ORACLES else getattr(policy, "temperature", None)


def _rates(sessions: pd.DataFrame, exposure: pd.DataFrame) -> dict[str, float | None]:
    shown, clicked = exposure["shown"].to_numpy(np.int64), exposure["clicked"].to_numpy(np.int64)
    rates = {
        "ctr": metrics.click_through_rate(clicked, shown),
        "cvr": metrics.conversion_rate(sessions["conversion"].to_numpy(np.float64), clicked),
        "novelty_per_click": metrics.novelty_per_click(sessions["novelty"].to_numpy(np.float64), clicked),
        "coverage": metrics.catalogue_coverage(shown),
        "gini": metrics.gini(shown),
    }
    return {name: value if math.isfinite(value) else None for name, value in rates.items()}


def _differences(config: RunConfig, sessions: pd.DataFrame, measures: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Paired differences to the baseline: the same users with the same luck under both policies."""
    for policy in config.policies:
        if policy != config.baseline:
            yield from _paired(policy, config.baseline, sessions, measures, config.evaluation.level)


def _lead(config: RunConfig, sessions: pd.DataFrame, measures: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Paired differences of the policy with the highest mean reward to every other one, oracles left out.

    The intervals hold together: each of g comparisons has the level 1 - (1 - level) / g (Bonferroni).
    """
    shippable = [policy for policy in config.policies if policy.kind not in ORACLES]
    if len(shippable) < 2:
        return
    best = max(shippable, key=lambda policy: _of(policy, sessions)["reward"].mean())  # the first of equals
    level = 1 - (1 - config.evaluation.level) / (len(shippable) - 1)
    for policy in shippable:
        if policy != best:
            yield from _paired(best, policy, sessions, measures, level)


def _paired(
    policy: PolicyConfig, against: PolicyConfig, sessions: pd.DataFrame, measures: tuple[str, ...], level: float
) -> Iterator[dict[str, Any]]:
    own, other = _of(policy, sessions), _of(against, sessions)
    for measure in measures:
        interval = metrics.paired_interval(own[measure], other[measure], level)
        yield {"policy": policy.title, "against": against.title, "objective": measure} | asdict(interval)


def _of(policy: PolicyConfig, table: pd.DataFrame) -> pd.DataFrame:
    return table[table["policy"] == policy.title]


_COLUMNS = ["policy", "kind", "temperature", "part", "measure", "mean", "se", "low", "high"]


def _rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """metrics.json as a long table: what is known of each policy by part (truth, slate_truth, metrics, estimator)."""
    kinds = {policy["name"]: policy for policy in found["policies"]}
    for policy in found["policies"]:
        own = {"policy": policy["name"], "kind": policy["kind"], "temperature": policy["temperature"]}
        for part in ("truth", "slate_truth"):
            for measure, interval in (policy[part] or {}).items():
                yield {**own, "part": part, "measure": measure, **interval}
        for measure, value in policy["metrics"].items():
            yield {**own, "part": "metrics", "measure": measure, "mean": value}
    for estimate in found["offline"]:
        policy = kinds[estimate["policy"]]
        own = {"policy": policy["name"], "kind": policy["kind"], "temperature": policy["temperature"]}
        interval = {"mean": estimate["value"], **{name: estimate[name] for name in ("se", "low", "high")}}
        yield {**own, "part": estimate["estimator"], "measure": estimate["objective"], **interval}


def _learning_curves(config: RunConfig, run: Path) -> pd.DataFrame:
    curves = [
        pd.read_parquet(run / curve_file(policy))
        for policy in config.policies
        if isinstance(policy, TrainedPolicy) and model_file(policy)
    ]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=CURVE_COLUMNS)
