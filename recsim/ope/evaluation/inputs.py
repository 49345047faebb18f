"""The arrays of a log and of a target policy, checked and in the form that estimators take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim.ope.checks import logged_array, refuse_lengths, reward_array, target_array
from recsim.ope.intervals import clusters_of
from recsim.ope.reward_model import row_blocks
from recsim.ope.steps import Steps

if TYPE_CHECKING:
    from recsim.logs import Log
    from recsim.policy import Policy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOTAL = "reward"


@dataclass(frozen=True, eq=False)
class Inputs:
    """The checked arrays of a log, with the weighted sum of the objectives as a last objective.

    Attributes:
        objectives: o + 1 names.
        weights: o weights of the sum.
        reward: (n, k, o + 1) float64.
        logged: (n, k) float64, step-wise log-propensities.
        cluster: (n,) int64, the session of each row.
        n_clusters: how many sessions.
        order: (n,) int64, the rows in the order of user, session and step.
        estimated: whether the log-propensities are estimates.
        refuted: why the log-propensities cannot be those that were in force, in a sentence; "" if nothing says so.
    """

    objectives: tuple[str, ...]
    weights: tuple[float, ...]
    reward: Floats
    logged: Floats
    cluster: Integers
    n_clusters: int
    order: Integers
    estimated: bool
    refuted: str = ""

    @cached_property
    def step(self) -> Integers:
        """(n,) int64, the place of each row in its session, from 0 up."""
        ordered = self.cluster[self.order]
        start = np.flatnonzero(np.diff(ordered, prepend=-1))  # the order keeps sessions together
        length = np.diff(np.append(start, len(ordered)))
        step = np.empty(len(ordered), np.int64)
        step[self.order] = np.arange(len(ordered)) - np.repeat(start, length)
        return step

    @cached_property
    def steps(self) -> Steps:
        """Where each row belongs among sessions and steps."""
        return Steps.of(self.cluster, self.step)

    @cached_property
    def by_step(self) -> Floats:
        """(sessions, t, o + 1) rewards of slates, 0 after a session's end."""
        return self.steps.table(self.reward.sum(axis=1))

    @cached_property
    def so_far(self) -> Floats:
        """(n, 2) what a session tells before each of its slates: how many there were, and what they earned."""
        earned = np.cumsum(self.by_step[:, :, -1], axis=1) - self.by_step[:, :, -1]
        return np.column_stack([self.step.astype(np.float64), earned[self.cluster, self.step]])

    def with_total(self, values: Floats) -> Floats:
        """`values` (n, k, o) with their weighted sum as one more objective."""
        return with_total(values, self.weights)


def inputs_of(log: Log) -> Inputs:
    """The arrays of `log`.

    Raises:
        ValueError: if the log is empty, its columns differ in length or a value cannot be true.
        TypeError: if a column does not hold numbers.
    """
    if len(log) == 0:
        raise ValueError("the log is empty; an evaluation needs logged slates of at least 2 sessions.")
    reward = reward_array(log.objectives, "objectives")
    logged = logged_array(log.step_log_prob, "step_log_prob of the log")
    refuse_lengths(slate=log.slate, objectives=reward, step_log_prob=logged)
    observation = log.observation[:, 0]
    refuse_lengths(slate=log.slate, observation=observation, user=log.user, session=log.session, step=log.step)
    _check_info(log, reward.shape[2])
    reward = with_total(reward, log.info.weights)
    cluster, n_clusters = clusters_of(log.user, log.session)
    return Inputs(
        objectives=(*log.info.objectives, TOTAL),
        weights=log.info.weights,
        reward=reward,
        logged=logged,
        cluster=cluster,
        n_clusters=n_clusters,
        order=np.lexsort((log.step, log.session, log.user)),
        estimated=log.info.propensities == "estimated",
    )


def target_of(policy: Policy, log: Log) -> Floats:
    """(n, k) step-wise log-propensities of `policy` for the logged slates.

    Raises:
        ValueError: if the policy returns another shape, NaN or a probability above 1.
    """
    name = f"step_log_prob of policy {policy.name!r}"
    blocks = []
    for rows in row_blocks(len(log.slate)):
        block = np.asarray(policy.step_log_prob(log.observation[rows], log.slate[rows]))
        if block.shape != log.slate[rows].shape:
            raise ValueError(
                f"{name} has shape {block.shape} for slates of shape {log.slate[rows].shape}; "
                "a policy must return one log-probability per slate and position."
            )
        blocks.append(block)
    return target_array(np.concatenate(blocks), name)


def with_total(values: Floats, weights: tuple[float, ...]) -> Floats:
    """`values` (n, k, o) with their sum weighted by `weights` as one more objective."""
    total = np.einsum("nko,o->nk", values, np.asarray(weights, np.float64))
    return np.concatenate([values, total[:, :, None]], axis=2)


def _check_info(log: Log, n_objectives: int) -> None:
    names, weights = log.info.objectives, log.info.weights
    if not len(names) == len(weights) == n_objectives:
        raise ValueError(
            f"the log holds {n_objectives} objectives but names {len(names)} ({', '.join(names)}) and has "
            f"{len(weights)} weights; all three must agree. Write the log again with one name and weight per objective."
        )
    if TOTAL in names:
        raise ValueError(f"an objective of the log is called {TOTAL!r}, the name of the weighted sum; rename it.")
    if not np.isfinite(weights).all():
        raise ValueError(f"the objectives' weights are {weights}; every weight must be finite. Correct the log's info.")
