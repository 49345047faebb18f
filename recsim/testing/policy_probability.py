"""Rules about what a policy says of its slates' probabilities: consistent, and as slates are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from recsim.streams import Streams
from recsim.testing.policy_probe import ENUMERATED, STRANGERS, PolicyProbe
from recsim.testing.report import Broken, Untested

Items = NDArray[np.int64]
Floats = NDArray[np.float64]

DRAWS = 4_000
LEVEL = 1e-6  # how seldom an honest policy fails `draws_are_as_likely_as_told`
ROUNDING = 1e-9  # a log-probability may exceed 0 by this much: sums of exponentials round
TOLERANCE = 1e-6  # of sums of probabilities, and of log-probabilities relative to their size


def step_log_prob_agrees_with_act(probe: PolicyProbe) -> Broken | None:
    """Asked about the slate it shows, a policy says what `act` said.

    Where its propensities are estimates, they are finite, at most 0, and the same when asked again.
    """
    now, exact = probe.now, probe.exact
    slate = now.decision.slate
    told = [probe.policy.step_log_prob(now.observation.copy(), slate.copy()) for _ in range(2)]
    for values in told:
        if not isinstance(values, np.ndarray) or values.shape != slate.shape or values.dtype != np.float64:
            kind = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
            return Broken(f"step_log_prob gave {kind}", f"It is {slate.shape} float64, a row a user")
    wrong = ~(np.isfinite(told[0]) & (told[0] <= ROUNDING))
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        return Broken(
            f"step_log_prob is {told[0][row, position]:.4g} in row {row}, position {position}, for what is shown there",
            "What is shown has a probability above 0 and at most 1: return its logarithm",
        )
    first, other = told if not exact else (now.decision.step_log_prob, told[0])
    place = _apart(first, other)
    if place is None:
        return None
    row, position = place
    both = f"{first[place]:.6g} and {other[place]:.6g} in row {row}, position {position}"
    if not exact:
        return Broken(f"step_log_prob, asked twice, is {both}", "Draw what it is estimated from with a fixed seed")
    return Broken(
        f"act and step_log_prob say {both}",
        "Let one function do the work of both: log-probability of each item given those above it",
    )


def log_prob_is_the_sum_over_positions(probe: PolicyProbe) -> Broken | None:
    """The joint log-probability is the sum of the steps'."""
    now = probe.now
    joint = probe.policy.log_prob(now.observation.copy(), now.decision.slate.copy())
    steps = probe.policy.step_log_prob(now.observation.copy(), now.decision.slate.copy()).sum(axis=1)
    if not isinstance(joint, np.ndarray) or joint.shape != steps.shape:
        return Broken(f"log_prob gave shape {np.shape(joint)}", f"It is {steps.shape}, a number a user")
    place = _apart(joint, steps)
    if place is None:
        return None
    return Broken(
        f"log_prob is {joint[place]:.6g} in row {place[0]}, where step_log_prob sums to {steps[place]:.6g}",
        "Return step_log_prob(observation, slate).sum(axis=1)",
    )


def what_cannot_be_shown_has_no_probability(probe: PolicyProbe) -> Broken | None:
    """Slates with a repeat, an empty position or an item that does not exist are refused (ValueError) or get -inf.

    So do slates other than the one that a policy is certain of.
    """
    now, k = probe.now, probe.simulator.slate_size
    shown, m = now.decision.slate, len(probe.simulator.catalog)
    slates = {"an item that does not exist": _ending(shown, m), "an empty position": _ending(shown, -1)}
    if k > 1:
        slates["an item twice"] = _ending(shown, shown[:, 0])
    for what, slate in slates.items():
        row = _possible(probe, slate, np.ones(len(slate), bool), most=0.0)
        if row is not None:
            return Broken(
                f"a slate with {what}, {slate[row].tolist()} in row {row}, has a probability",
                "Return -inf or raise a ValueError for what is never shown",
            )
    certain = (now.decision.step_log_prob == 0.0).all(axis=1)
    if m == k or not certain.any():
        return None
    unused = np.array([np.setdiff1d(np.arange(m), row)[0] for row in shown])
    slate = _ending(shown, unused)
    row = _possible(probe, slate, certain, most=ROUNDING)
    if row is None:
        return None
    return Broken(
        f"the slate {slate[row].tolist()} in row {row} has a probability, though {shown[row].tolist()} is certain",
        "Return -inf for what is never shown",
    )


def probabilities_sum_to_1(probe: PolicyProbe) -> Broken | Untested | None:
    """The probabilities of all slates sum to 1, for a few users."""
    if probe.uncountable:
        return probe.uncountable
    total = probe.probability.sum(axis=1)
    row = int(np.abs(total - 1.0).argmax())
    if abs(total[row] - 1.0) <= TOLERANCE:
        return None
    return Broken(
        f"the probabilities of all {len(probe.slates):,} slates sum to {total[row]:.6g} in row {row}",
        "Each item's probability is among the items not shown above it: divide by what these sum to",
    )


def draws_are_as_likely_as_told(probe: PolicyProbe) -> Broken | Untested | None:
    """Every item is drawn at every position as often as the probabilities of all slates say, exact binomial tests.

    The same few users decide `DRAWS` times with other luck; the level is shared over users, positions and items.
    """
    if probe.uncountable:
        return probe.uncountable
    now, m, k = probe.now, len(probe.simulator.catalog), probe.simulator.slate_size
    for row in range(ENUMERATED):
        people = Streams.of(probe.seed, STRANGERS + np.arange(DRAWS), step=now.streams.step[row])
        drawn = probe.policy.act(np.repeat(now.observation[[row]], DRAWS, axis=0), people).slate
        count = np.stack([np.bincount(column, minlength=m) for column in drawn.T])
        told = np.stack([np.bincount(column, probe.probability[row], m) for column in probe.slates.T]).clip(0.0, 1.0)
        chance = 2 * np.minimum(binom.cdf(count, DRAWS, told), binom.sf(count - 1, DRAWS, told))
        position, item = np.unravel_index(chance.argmin(), chance.shape)
        if chance[position, item] < LEVEL / (ENUMERATED * k * m):
            return Broken(
                f"item {item} is at position {position} in row {row} with probability {told[position, item]:.4f} as "
                f"told, but in {count[position, item]:,} of {DRAWS:,} slates",
                "act and step_log_prob compute it differently, or draws are not a user's own "
                '(streams.uniform("policy", items=...))',
            )
    return None


def _apart(one: Floats, other: Floats) -> tuple[int, ...] | None:
    """Where two arrays differ by more than rounding; None: nowhere."""
    wrong = np.argwhere(~np.isclose(one, other, rtol=TOLERANCE, atol=TOLERANCE))
    return tuple(map(int, wrong[0])) if len(wrong) else None


def _ending(shown: Items, item: Items | int) -> Items:
    """The slates shown, with another item at the last position."""
    slate = shown.copy()
    slate[:, -1] = item
    return slate


def _possible(probe: PolicyProbe, slate: Items, rows: NDArray[np.bool_], *, most: float) -> int | None:
    """The first of `rows` (n,) whose slate (n, k) is not refused and has a probability above `most`; None: no such."""
    everybody = np.arange(len(slate))
    for part in [everybody] if probe.stateful else everybody[:, None]:
        try:
            joint = probe.policy.log_prob(probe.now.observation[part], slate[part])
        except ValueError:
            continue
        wrong = part[rows[part] & ~(np.exp(joint) <= most)]
        if wrong.size:
            return int(wrong[0])
    return None
