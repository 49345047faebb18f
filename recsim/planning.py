"""The oracle that thinks ahead: it rolls the true users forward and keeps what pays by the end of their sessions."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.jit import row_kernel
from recsim.oracle import Oracle, click_worth
from recsim.policy import top_k
from recsim.rehearsal import Rehearsal, numbered, tried
from recsim.simulator import Simulator, rows_of
from recsim.streams import sub_seed
from recsim.users.contract import DeclaresAppeal

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_CLIMBS = 4  # steps uphill of a decision
_ROUNDS = 2 * (_CLIMBS + 1)  # rollouts of a pair at every step and in the last comparison
_STRIDE = 0.4  # of a step and of the trials around it, as a share of what a click is worth
_HOLD = 4  # slates of a rollout before its items are ranked anew
_ROWS = 16_384  # rollouts side by side


class PlanningOracle(Oracle):
    """Shows the first slate of the best plan it finds, from the true state of the users and what may become of them.

    A plan gives each item of a shortlist a bonus, in reward a click, for what a click on it brings or costs later. The
    slates of a plan are the myopic oracle's with these bonuses, chosen anew at every fourth step of a rollout. Plans
    are tried by rolling copies of the user forward with the user model until they leave or the horizon comes. From no
    bonus at all, a few steps go uphill along the gradient of the session's reward, estimated from pairs of opposite
    random changes that meet the same luck, every pair other luck (evolution strategies; Salimans et al. 2017, section
    2). A plan that does not beat the one without bonuses in further rollouts is dropped. What a bonus stands for (bait,
    weariness, trust) the planner does not know.

    It sees the present state, not future luck: its rollouts draw from another seed than the simulator. It plans for
    this session only, anew at every step. The slates of a user depend on no other user.

    Users who declare no probabilities are planned for as well: their shortlist and the reward of an item are then
    found by trying items in random slates, and rollouts count what happened rather than what was to be expected.

    Attributes:
        simulator: whose sessions it ranks for; it can rank for no others.
        name: what logs and reports call it.
        budget: rollouts a decision.
        depth: most slates of a rollout.
    """

    def __init__(
        self,
        simulator: Simulator,
        *,
        budget: int = 640,
        depth: int | None = None,
        shortlist: int = 40,
        seed: int = 0,
        name: str = "planning oracle",
    ) -> None:
        """A planner for the sessions that `simulator` is running.

        Args:
            simulator: as above.
            budget: as above; rounded down to whole tens.
            depth: as above; None is the rest of the session.
            shortlist: items that a plan chooses from; at most the catalogue.
            seed: of the rollouts' luck, together with the simulator's.
            name: as above.

        Raises:
            ValueError: if the budget is below 10, the depth below 1 or the shortlist shorter than a slate.
        """
        if budget < _ROUNDS:
            raise ValueError(f"budget is {budget}; a decision needs at least {_ROUNDS} rollouts.")
        if depth is not None and depth < 1:
            raise ValueError(f"depth is {depth}; a rollout needs at least 1 slate.")
        if shortlist < simulator.slate_size:
            raise ValueError(f"shortlist is {shortlist}; slates have {simulator.slate_size} items, so give it as many.")
        self.simulator, self.name, self.budget = simulator, name, budget
        self.depth = simulator.horizon if depth is None else depth
        self._pairs = budget // _ROUNDS
        self._length = min(shortlist, len(simulator.catalog))
        self._seed = seed
        self._declared = simulator.users if isinstance(simulator.users, DeclaresAppeal) else None

    def slates(self) -> Items:
        """(n, k) int64, the slates of this step."""
        batch = max(1, _ROWS // (2 * self._pairs))
        rows = np.arange(self.simulator.n)
        return np.concatenate([self._planned(rows[start : start + batch]) for start in range(0, len(rows), batch)])

    def _planned(self, rows: Items) -> Items:
        """(n, k), the slates of some of the users."""
        rehearsal = self._rehearsal(rows)
        scale = np.sqrt(np.square(rehearsal.base).mean(axis=1, keepdims=True)) * _STRIDE
        bonus = np.zeros(rehearsal.base.shape)
        for climb in range(_CLIMBS):
            bonus += scale * self._uphill(rehearsal, bonus, scale, climb)
        return self._ranked(rehearsal, np.where(self._pays(rehearsal, bonus), bonus, 0.0))

    def _rehearsal(self, rows: Items) -> Rehearsal:
        """The users with their shortlists."""
        simulator = self.simulator
        seed = sub_seed(sub_seed(simulator.seed, "planning"), str(self._seed))
        streams = replace(simulator.streams[rows], seed=np.uint64(seed))
        left = np.minimum(simulator.horizon - streams.step.astype(np.int64), self.depth)
        items = self.items_there()[rows]
        rehearsal = Rehearsal(rows_of(simulator.state, rows), streams, left, items, np.zeros(items.shape))
        if self._declared is None:
            return tried(rehearsal, self._length, simulator)
        appeal = self._declared.appeal(rehearsal.state, items)
        worth = click_worth(appeal.conversion, items, simulator.objectives, simulator.catalog)
        return replace(rehearsal, base=worth).shortened(top_k(appeal.click * worth, self._length))

    def _uphill(self, rehearsal: Rehearsal, bonus: Floats, scale: Floats, climb: int) -> Floats:
        """(n, c), the direction in which the bonuses of each user pay, of root mean square 1; 0 where nothing does."""
        pairs = self._copied(rehearsal, climb)
        change = pairs.streams.normal("bonus", bonus.shape[1])  # (n * p, c)
        centre, step = (np.repeat(values, self._pairs, axis=0) for values in (bonus, scale))
        gain = self._gain(pairs, centre + step * change, centre - step * change)
        direction = np.zeros(bonus.shape)
        _gradient(gain, change.reshape(*gain.shape, -1), direction)
        return direction

    def _pays(self, rehearsal: Rehearsal, bonus: Floats) -> NDArray[np.bool_]:
        """(n, 1), whether these bonuses earn more than none, under luck that they were not made for."""
        planned = np.repeat(bonus, self._pairs, axis=0)
        gain = self._gain(self._copied(rehearsal, _CLIMBS), planned, np.zeros(planned.shape))
        pays: NDArray[np.bool_] = gain.mean(axis=1, keepdims=True) > 0.0
        return pays

    def _copied(self, rehearsal: Rehearsal, number: int) -> Rehearsal:
        """Copies of each user, p in a row, every one with luck of its own and other luck for every number."""
        copies = rehearsal[np.repeat(np.arange(len(rehearsal.left)), self._pairs)]
        luck = number * self._pairs + np.tile(np.arange(self._pairs), len(rehearsal.left))
        return replace(copies, streams=numbered(copies.streams, luck))

    def _gain(self, copies: Rehearsal, one: Floats, other: Floats) -> Floats:
        """(n, p), what the bonuses `one` (n * p, c) earn more than the `other` with the same luck."""
        twice = copies[np.repeat(np.arange(len(one)), 2)]
        earned = self._rolled(twice, np.stack([one, other], axis=1).reshape(len(twice.left), -1))
        return (earned[0::2] - earned[1::2]).reshape(-1, self._pairs)

    def _rolled(self, rehearsal: Rehearsal, bonus: Floats) -> Floats:
        """(N,) reward of each copy until it leaves, its horizon or the depth."""
        earned, going = np.zeros(len(bonus)), np.arange(len(bonus))
        for number in range(int(rehearsal.left.max())):
            if number % _HOLD == 0:
                slate = self._ranked(rehearsal, bonus)
            reward, rehearsal, stays = self._stepped(rehearsal, slate)
            earned[going] += reward
            if not stays.all():
                going, rehearsal, bonus, slate = going[stays], rehearsal[stays], bonus[stays], slate[stays]
            if not going.size:
                break
        return earned

    def _stepped(self, rehearsal: Rehearsal, slate: Items) -> tuple[Floats, Rehearsal, NDArray[np.bool_]]:
        """The (expected) reward of slates, the rehearsal afterwards, and who has another slate to come."""
        simulator, users = self.simulator, self.simulator.users
        response, state = users.respond(rehearsal.state, slate, rehearsal.streams)
        if self._declared is None:
            click, conversion = response.click, response.conversion
        else:
            appeal = self._declared.appeal(rehearsal.state, slate)
            click = self._declared.choice.probabilities(appeal, slate).click  # type: ignore[assignment]
            conversion = click * appeal.conversion  # type: ignore[assignment]
        objectives = simulator.objectives.per_position(click, conversion, slate, simulator.catalog).sum(axis=1)
        streams = rehearsal.streams.at(rehearsal.streams.step + np.uint64(1))
        after = replace(rehearsal, state=state, streams=streams, left=rehearsal.left - 1)
        return simulator.objectives.reward(objectives), after, ~response.leave & (after.left > 0)

    def _ranked(self, rehearsal: Rehearsal, bonus: Floats) -> Items:
        """(n, k), the best slates of this step if a click earned the bonus on top."""
        k = self.simulator.slate_size
        if self._declared is None:
            columns = top_k(np.where(rehearsal.items >= 0, rehearsal.base + bonus, -np.inf), k)
        else:
            appeal = self._declared.appeal(rehearsal.state, rehearsal.items)
            worth = click_worth(appeal.conversion, rehearsal.items, self.simulator.objectives, self.simulator.catalog)
            columns = self._declared.choice.best_slate(appeal, worth + bonus, k)
        return np.take_along_axis(rehearsal.items, columns, axis=1)


@row_kernel
def _gradient(gain: Floats, change: Floats, direction: Floats) -> None:
    """Fill the direction (n, c) in which `change` (n, p, c) pays, given the gain (n, p) of each over its opposite."""
    n, pairs, count = change.shape
    for row in numba.prange(n):
        square = 0.0
        for column in range(count):
            total = 0.0
            for pair in range(pairs):
                total += gain[row, pair] * change[row, pair, column]
            direction[row, column] = total
            square += total * total
        length = np.sqrt(square / count)
        for column in range(count):
            if length > 0.0:
                direction[row, column] /= length
