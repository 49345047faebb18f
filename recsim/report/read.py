"""Reads a run folder into typed data; what is missing or wrong is told in one sentence with file and place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import yaml
from pydantic import TypeAdapter, ValidationError

from recsim.paths import absent
from recsim.report.examples import Example
from recsim.report.measured import REWARD, Interval
from recsim.report.offline import Estimate, Offline, OfflineParts
from recsim.report.offline_details import Source
from recsim.report.results import CurvePoint, Manifest, Metrics, PolicyResult

Part = TypeVar("Part")
REMEDY = "finish the run with `recsim run CONFIG --resume`, or check the path"
CHANGED = "It was written by another version or changed by hand; run the run again."
# What a reader may want to open next, in this order; listed in the page where it exists.
FILES = {
    "metrics.json": "every number of this page",
    "metrics.parquet": "the same as a table",
    "learning_curve.parquet": "learning curves",
    "examples.json": "the example slates",
    "results/front.parquet": "sessions under every preference",
    "config.yaml": "the resolved config",
    "manifest.json": "versions and stages",
    "logs/launch.parquet": "the log from before learning",
    "logs/production.parquet": "the log behind the offline estimates",
}


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        metrics: what was found.
        config_text: `config.yaml` as it stands there.
        config: what it says.
        manifest: what made the run.
        curve: learning curves, None where nothing learned by acting.
        examples: example slates, None where none were written.
        timings: seconds per stage, empty where unknown.
        files: of the run folder, to link to.
    """

    metrics: Metrics
    config_text: str
    config: dict[str, Any]
    manifest: Manifest
    curve: tuple[CurvePoint, ...] | None
    examples: tuple[Example, ...] | None
    timings: dict[str, float]
    files: tuple[tuple[str, str], ...]

    @property
    def catalog(self) -> Any:
        """What the config names as its catalogue: a name, a path, or something else that has no pictures."""
        return self.config.get("catalog")

    @property
    def logging_policy(self) -> str:
        """The policy of the log, as it reads within a sentence."""
        return self.offline.logging_policy

    @property
    def ranked(self) -> list[PolicyResult]:
        """All policies, the highest true return first."""
        return sorted(self.metrics.policies, key=lambda policy: -policy.truth[REWARD].mean)

    @property
    def shippable(self) -> list[PolicyResult]:
        """The policies that see only what may be seen, the highest true return first."""
        return [policy for policy in self.ranked if not policy.is_oracle]

    @property
    def baseline(self) -> str | None:
        """The policy that all others are compared with."""
        against = self.metrics.differences[0].against if self.metrics.differences else None
        return against or self.metrics.baseline

    @cached_property
    def offline(self) -> Offline:
        """What the log alone says; the truth of a whole session is the mean return."""
        metrics = self.metrics
        returns = {policy.name: policy.truth for policy in metrics.policies}
        return Offline(
            **{name: getattr(metrics, name) for name in OfflineParts.model_fields},
            level=metrics.level,
            n_slates=metrics.log.slates,
            n_sessions=metrics.log.sessions,
            seed=metrics.seed,
            objectives=(*metrics.objectives, REWARD),
            weights=metrics.weights,
            estimates=tuple(_with_truth(estimate, returns.get(estimate.policy, {})) for estimate in metrics.offline),
            differences=metrics.offline_differences,
            warnings={"": metrics.warnings},
            source=Source(policy=metrics.log.policy, temperature=metrics.log.temperature),
            ranked=tuple(policy.name for policy in self.ranked),
        )


def read_run(path: Path) -> Run:
    """The run in a folder.

    Raises:
        FileNotFoundError: if there is no such folder, or it lacks what every finished run has.
        ValueError: if a file cannot be read or is not what it should be.
    """
    if not path.is_dir():
        raise FileNotFoundError(absent("run folder", path, REMEDY))
    for name in ("config.yaml", "manifest.json", "metrics.json"):
        if not (path / name).is_file():
            raise FileNotFoundError(f"run folder {path} has no {name}, so the run is not finished: {REMEDY}.")
    metrics = _checked(path / "metrics.json", TypeAdapter(Metrics), _json(path / "metrics.json"))
    _check_policies(path / "metrics.json", metrics)
    config_text, config = _config(path / "config.yaml")
    return Run(
        metrics=metrics,
        config_text=config_text,
        config=config,
        manifest=_checked(path / "manifest.json", TypeAdapter(Manifest), _json(path / "manifest.json")),
        curve=_curve(path / "learning_curve.parquet"),
        examples=_optional(path / "examples.json", TypeAdapter(tuple[Example, ...])),
        timings=_optional(path / "timings.json", TypeAdapter(dict[str, float])) or {},
        files=tuple((name, what) for name, what in FILES.items() if (path / name).is_file()),
    )


def read_evaluation(found: dict[str, Any]) -> Offline:
    """What `recsim evaluate` found, checked.

    Raises:
        ValueError: if a part is missing or is not what it should be.
    """
    remedy = "Pass what `Evaluation.to_dict` returns."
    return _checked("the evaluation", TypeAdapter(Offline), found, remedy)


def _with_truth(estimate: Estimate, returns: dict[str, Interval]) -> Estimate:
    """An estimate of whole sessions should have found the mean return."""
    if estimate.estimand == "slate" or estimate.objective not in returns:
        return estimate
    return estimate.model_copy(update={"truth": returns[estimate.objective].mean})


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}. The file is damaged; run the run again.") from error


def _optional(path: Path, adapter: TypeAdapter[Part]) -> Part | None:
    return _checked(path, adapter, _json(path)) if path.is_file() else None


def _checked(path: Path | str, adapter: TypeAdapter[Part], value: Any, remedy: str = CHANGED) -> Part:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        more = f" ({error.error_count() - 1} more such places)" if error.error_count() > 1 else ""
        raise ValueError(f"{path}: {place or 'the whole of it'}: {first['msg']}{more}. {remedy}") from error


def _check_policies(path: Path, metrics: Metrics) -> None:
    needed = {*metrics.objectives, REWARD, "length"}
    for policy in metrics.policies:
        for where, found in (("truth", policy.truth), ("slate_truth", policy.slate_truth)):
            missing = sorted((needed if where == "truth" else needed - {"length"}) - set(found or needed))
            if missing:
                raise ValueError(f"{path}: {where} of policy {policy.name!r} lacks {missing[0]!r}; run the run again.")
    if len(metrics.weights) != len(metrics.objectives):
        raise ValueError(
            f"{path}: there are {len(metrics.objectives)} objectives but {len(metrics.weights)} weights; "
            "run the run again."
        )


def _config(path: Path) -> tuple[str, dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(
            f"{path} is no YAML: {' '.join(str(error).split())}. Restore it from the run's config."
        ) from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} holds no keys with values. Restore it from the run's config.")
    return text, config


def _curve(path: Path) -> tuple[CurvePoint, ...] | None:
    if not path.is_file():
        return None
    try:
        rows = pd.read_parquet(path).to_dict("records")
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise ValueError(f"{path} is no Parquet file: {error}. The file is damaged; run the run again.") from error
    return _checked(path, TypeAdapter(tuple[CurvePoint, ...]), rows) or None
