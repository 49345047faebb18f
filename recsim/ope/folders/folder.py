"""Off-policy evaluation of logs larger than memory: a folder of Parquet files, summed file by file and merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim.ope.diagnostics import Verdict
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimators import ESTIMATORS, SLATES, chosen
from recsim.ope.evaluation.inputs import TOTAL, Inputs
from recsim.ope.evaluation.judged import Judged, modelled, verdicts_of
from recsim.ope.evaluation.logs import Progress, names_of
from recsim.ope.evaluation.result import Evaluation, Lead
from recsim.ope.evaluation.slate_estimators import POSITIONS, WHOLE
from recsim.ope.evaluation.weights import Weighed, detail_of, shares_of
from recsim.ope.folders.parts import Key, parts_of
from recsim.ope.folders.plan import Plan, Survey, TargetColumns, survey
from recsim.ope.folders.sums import Sums, sums_of
from recsim.ope.folders.totals import Totals
from recsim.ope.folders.workers import crew
from recsim.ope.intervals import Interval, Resamples, refuse_level
from recsim.ope.power import Power
from recsim.streams import sub_seed

if TYPE_CHECKING:
    from recsim.policy import Policy

Floats = NDArray[np.float64]

_NO_MODEL = "needs a reward model: name the columns of its values, model_logged and model_target of TargetColumns."


@dataclass(frozen=True, eq=False)
class FolderEvaluation(Evaluation):
    """An `Evaluation` that keeps sums instead of the terms of every session; `terms` and `resamples` are empty.

    Attributes:
        totals: by name of the policy and of the estimator.
    """

    totals: Totals = field(repr=False)

    def _difference(self, key: tuple[str, str], baseline: tuple[str, str], level: float) -> Interval:
        return self.totals.difference(key, baseline, level)

    def _power(self, lead: Lead, level: float, verdicts: dict[str, Verdict]) -> Power:
        doubt = next((verdict.reason for verdict in verdicts.values() if verdict.level == "do not use"), "")
        return Power(lead.mean, lead.se * self.n_sessions**0.5, self.n_sessions, level, 0.8, doubt)


def evaluate_folder(
    folder: str | Path,
    targets: Sequence[Policy | TargetColumns],
    *,
    seed: int,
    estimators: Sequence[str] | None = None,
    n_boot: int = 200,
    level: float = 0.95,
    batch: int = 16_384,
    workers: int = 1,
    ray: str | None = None,
    progress: Progress | None = None,
) -> FolderEvaluation:
    """Values of `targets` estimated from the log in a folder, as `recsim.ope.evaluate` does from one in memory.

    The files are those that `recsim.ope.folders.parts.write_parts` writes, or any with the columns `user`, `session`,
    `step_log_prob` and one for each objective of `recsim.logs_parquet`, and its description of the log; policies that
    are given as such also need `observation` and `slate`. Rows are in the order of user and session, and the users and
    sessions of one file all come before those of another: then no session is in two files, which is all that the first
    and last row of each must show.

    Memory is that of a few batches per process, whatever the length of the log. The files are read twice: the rewards
    alone first, for the share of every position in them, then everything. Results are the same bits for any number of
    workers and on Ray, and up to rounding for any cut into files and batches. Intervals come from a bootstrap whose
    draws are keyed by session (`Resamples.poisson`); other draws than those of `evaluate`, the same distribution.

    With several workers or Ray, a script must start from under `if __name__ == "__main__":`, and the policies are
    pickled.

    Args:
        folder: of the files, or one file.
        targets: policies to evaluate, of different names.
        seed: of the bootstrap.
        estimators: some of sips, rips, snsips, snrips, dm and dr; by default all that the targets allow.
        n_boot: bootstrap draws; 0 for intervals from standard errors and normal quantiles.
        level: of the intervals.
        batch: rows read at once.
        workers: processes.
        ray: `local`, or the address of a Ray cluster, to work there.
        progress: called as `progress(done, total, what)` after every file.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if the log or a policy cannot be used; the message names the file, the row and the remedy.
        TypeError: if a column does not hold numbers.
        ImportError: if Ray is asked for and not installed.
    """
    names_of(targets)
    wanted = {target.name: _chosen(target, estimators) for target in targets}
    _refuse_settings(batch, n_boot, level)
    paths = parts_of(folder)
    with crew(workers, ray) as run:
        surveys: list[Survey] = []
        for found in run(survey, [(path, batch) for path in paths]):
            surveys.append(found)
            _tell(progress, len(surveys), 2 * len(paths), f"looking through {found.path.name}")
        full = _checked(surveys)
        size: Floats = np.sum([one.size for one in full], axis=0)
        seeded = sub_seed(seed, "bootstrap")
        plan = Plan(full[0].info, tuple(targets), wanted, shares_of(size), n_boot, seeded, batch)
        total: Sums | None = None
        for done, sums in enumerate(run(sums_of, [(one.path, plan) for one in full]), 1):
            total = sums if total is None else total.merge(sums)
            _tell(progress, 2 * len(paths) - len(full) + done, 2 * len(paths), f"summing {full[done - 1].path.name}")
    assert total is not None
    return _evaluation(total, plan, level, seed)


def _evaluation(sums: Sums, plan: Plan, level: float, seed: int) -> FolderEvaluation:
    judged = {name: _judged(name, sums, plan, level) for name in plan.estimators}
    details = {}
    for name, weights in sums.weights.items():
        positions = weights.positions.overlaps()[-plan.info.slate_size :]
        details[name] = detail_of(positions, weights.histogram, int(weights.whole.zeros[-1]))
    return FolderEvaluation(
        estimates=tuple(estimate for name, one in judged.items() for estimate in one.estimates(name)),
        warnings={name: one.warnings(name) for name, one in judged.items()},
        left_out={key: why for one in judged.values() for key, why in one.left_out.items()},
        overlap=details,
        guaranteed=(),
        region=(),
        in_force={},
        objectives=(*plan.info.objectives, TOTAL),
        weights=plan.info.weights,
        level=level,
        n_slates=next(iter(sums.weights.values())).whole.n_slates,
        n_sessions=sums.totals.n_sessions,
        n_boot=plan.n_boot,
        seed=seed,
        terms={},
        resamples=Resamples(np.zeros((0, 0), np.uint32)),
        totals=sums.totals,
    )


def _judged(policy: str, sums: Sums, plan: Plan, level: float) -> Judged:
    weights, o = sums.weights[policy], len(plan.info.objectives) + 1
    weighed = {
        WHOLE.name: Weighed(weights.whole.overlaps(), weights.whole.rewarded),
        POSITIONS.name: Weighed(weights.positions.overlaps()[:o], weights.positions.rewarded),
    }
    left_out = {key: _NO_MODEL for key in SLATES if key not in plan.estimators[policy]}
    judged = Judged(_no_rows(plan), {}, {}, {}, weighed, left_out)
    for key in plan.estimators[policy]:
        interval, estimator = sums.totals.interval((policy, key), level), ESTIMATORS[key]
        if estimator.weighting is None:
            miss = sums.totals.difference((policy, key), (policy, estimator.corrected_by), level)
            weighting = ESTIMATORS[estimator.corrected_by].weighting
            assert weighting is not None
            found = modelled(interval, miss.value, miss.se, weighed[weighting.name])
            judged.intervals[key], judged.verdicts[key] = found
        else:
            judged.intervals[key] = interval
            estimated = plan.info.propensities == "estimated"
            judged.verdicts[key] = verdicts_of(weighed[estimator.weighting.name], interval, None, estimated=estimated)
    return judged


def _no_rows(plan: Plan) -> Case:
    """A case without rows, of which only what it says of the whole log is of use."""
    nothing, rows = np.zeros((0, plan.info.slate_size)), np.zeros(0, np.int64)
    objectives = (*plan.info.objectives, TOTAL)
    reward = np.zeros((*nothing.shape, len(objectives)))
    estimated = plan.info.propensities == "estimated"
    return Case(Inputs(objectives, plan.info.weights, reward, nothing, rows, 0, rows, estimated), nothing)


def _chosen(target: Policy | TargetColumns, estimators: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the estimators that are wanted and possible."""
    modelled = isinstance(target, TargetColumns) and bool(target.model_logged)
    if estimators is None:
        return tuple(key for key in SLATES if modelled or not ESTIMATORS[key].needs)
    for one in chosen(estimators):
        if one.name not in SLATES:
            raise ValueError(
                f"estimator {one.name!r} is not summed over folders; choose from {', '.join(SLATES)}, or evaluate a "
                "log that fits into memory (recsim.ope.evaluate)."
            )
        if one.needs and not modelled:
            raise ValueError(f"estimator {one.name!r} cannot be used for policy {target.name!r}: it {_NO_MODEL}")
    return tuple(estimators)


def _checked(surveys: Sequence[Survey]) -> list[Survey]:
    """The files with rows, which are of one log and share no session."""
    full = [one for one in surveys if one.n_slates]
    if not full:
        raise ValueError(f"{surveys[0].path.parent} has no rows; an evaluation needs slates of at least 2 sessions.")
    for one in full[1:]:
        if _kind(one) != _kind(full[0]):
            raise ValueError(
                f"{one.path} has {_kind(one)} but {full[0].path} has {_kind(full[0])}; they are not parts of one log."
            )
    for one, other in pairwise(sorted(full, key=lambda found: found.first or (0, 0))):
        if other.first is None or one.last is None or other.first <= one.last:
            raise ValueError(
                f"a session may be in two files: {one.path} ends with {_session(one.last)} and {other.path} "
                f"begins with {_session(other.first)}. Write the log in the order of user and session "
                "(recsim.ope.folders.parts.write_parts)."
            )
    if any(one.info.propensities == "estimated" for one in full):
        full[0] = replace(full[0], info=replace(full[0].info, propensities="estimated"))
    return full


def _kind(found: Survey) -> str:
    info = found.info
    weighted = ", ".join(f"{weight:g} {name}" for name, weight in zip(info.objectives, info.weights, strict=True))
    return f"slates of {info.slate_size} and objectives {weighted}"


def _session(key: Key | None) -> str:
    return "no session" if key is None else f"user {key[0]}, session {key[1]}"


def _refuse_settings(batch: int, n_boot: int, level: float) -> None:
    refuse_level(level)
    if batch < 1:
        raise ValueError(f"batch is {batch}; at least 1 row has to be read at once.")
    if n_boot < 0 or n_boot == 1:
        raise ValueError(f"n_boot is {n_boot}; a bootstrap needs at least 2 draws. Use 200 or more, or 0 for none.")


def _tell(progress: Progress | None, done: int, total: int, what: str) -> None:
    if progress:
        progress(done, total, what)
