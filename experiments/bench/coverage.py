"""How often intervals hold: `recsim bench coverage`, over many logs of worlds whose truth is known."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from recsim.experiments.bench.coverage_worlds import Cells, Logs, World, worlds
from recsim.experiments.bench.machine import machine
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.ope import region, sequences, slate
from recsim.ope.bounds import hoeffding, maurer_pontil, normal, normal_difference, student_t
from recsim.ope.diagnostics import Verdict, deciding, harmonic_ess, overlap_of, verdict_of
from recsim.ope.intervals import Interval, Resamples, bootstrap, difference
from recsim.ope.support import contribution_range
from recsim.ope.terms import Terms
from recsim.streams import sub_seed

Floats = NDArray[np.float64]

BLOCK = 50  # logs made up at a time; the draws of a log do not depend on how many are made
LEVELS = ("trust", "caution", "do not use")
LOOKS = 20  # at the normal interval, as the rows come in
MAIN = "dr"  # the estimator whose differences and joint regions are measured
WHOLE = ("sips", "snsips")  # estimators that weight slates as wholes
LEVEL, LOWEST, HIGHEST = 0.95, 0.935, 0.97  # coverage asked of asymptotic 95 % intervals at good overlap
FEWEST = 1000  # logs, below which chance decides whether that is kept
ASYMPTOTIC, GUARANTEED = "asymptotic", "guaranteed"
KINDS = {
    "normal": ASYMPTOTIC,
    "student t": ASYMPTOTIC,
    "bootstrap": ASYMPTOTIC,
    "difference, bootstrap": ASYMPTOTIC,
    "difference, normal": ASYMPTOTIC,
    "ellipsoid": ASYMPTOTIC,
    "box, Bonferroni": ASYMPTOTIC,
    "box, max-t bootstrap": ASYMPTOTIC,
    "maurer-pontil": GUARANTEED,
    "hoeffding": GUARANTEED,
    "empirical Bernstein": GUARANTEED,
    "betting": GUARANTEED,
    "off-policy": GUARANTEED,
    "separate intervals": "",  # for contrast: 95 % intervals that are asked to hold together, or at many looks
    "normal at every look": "",
}


@dataclass(frozen=True)
class CoverageSize:
    """How much is measured.

    Attributes:
        replications: logs of every world.
        n_boot: bootstrap draws of each.
        level: of all intervals.
        seed: of the logs.
    """

    replications: int = 2000
    n_boot: int = 200
    level: float = 0.95
    seed: int = 0


def coverage(size: CoverageSize, display: Display) -> dict[str, Any]:
    """Coverage and width of every interval of every estimator in every world, and the verdicts beside them.

    Raises:
        UserError: if there are fewer than 2 replications or draws, or the level is not between 0 and 1.
    """
    if size.replications < 2 or size.n_boot < 2 or not 0 < size.level < 1:
        raise UserError(
            f"{size.replications} replications with {size.n_boot} bootstrap draws at level {size.level} cannot be "
            "measured; at least 2 of each and a level between 0 and 1 are needed."
        )
    started = time.process_time()
    rows: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    with threads(1):
        for world in worlds():
            tally = _Tally(world, size)
            with display.stage(f"coverage: {world.name}", size.replications) as progress:
                for done in tally.measure():
                    progress(done)
            rows += tally.rows()
            verdicts += tally.verdict_rows()
    return {
        **asdict(size),
        "worlds": [_described(world) for world in worlds()],
        "intervals": rows,
        "verdicts": verdicts,
        "cpu_seconds": round(time.process_time() - started, 1),
        "machine": machine(),
        "versions": all_versions(),
    }


class _Tally:
    """What happened in one world."""

    def __init__(self, world: World, size: CoverageSize) -> None:
        self._world, self._size = world, size
        self._held: dict[tuple[str, str], list[bool]] = defaultdict(list)
        self._widths: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._levels: dict[str, list[str]] = defaultdict(list)

    def measure(self) -> Iterator[int]:
        """Make up the logs, judge them and count; yields how many are done."""
        for start in range(0, self._size.replications, BLOCK):
            rng = np.random.Generator(np.random.Philox(sub_seed(self._size.seed, f"{self._world.name} {start}")))
            logs = self._world.draw(rng, BLOCK)
            count = min(BLOCK, self._size.replications - start)
            terms = terms_of(self._world, self._world.cells, logs)
            rival = terms_of(self._world, self._world.rival, logs) if self._world.rival is not None else {}
            for log in range(count):
                own = {name: _rows(part, log, self._world.sessions) for name, part in terms.items()}
                other = {name: _rows(part, log, self._world.sessions) for name, part in rival.items()}
                self._one(own, other, logs, log, start + log)
                yield start + log + 1

    def rows(self) -> list[dict[str, Any]]:
        """One record per estimator and interval."""
        found = []
        for (estimator, method), held in self._held.items():
            share = float(np.mean(held))
            found.append(
                {
                    "world": self._world.name,
                    "estimator": self._world.names.get(estimator, estimator),
                    "interval": method,
                    "kind": KINDS[method],
                    "coverage": share,
                    "se": sqrt(share * (1 - share) / len(held)),
                    "width": float(np.mean(self._widths[estimator, method])),
                    "kept": self._kept(KINDS[method], share),
                }
            )
        return found

    def verdict_rows(self) -> list[dict[str, Any]]:
        """One record per estimator: the shares of the verdicts, and of warnings among the logs that were missed."""
        found = []
        for estimator, levels in self._levels.items():
            missed = ~np.array(self._held[estimator, "bootstrap"])
            warned = np.array(levels) != "trust"
            found.append(
                {
                    "world": self._world.name,
                    "good": self._world.good,
                    "estimator": self._world.names[estimator],
                    **{level: float(np.mean([one == level for one in levels])) for level in LEVELS},
                    "coverage": float(np.mean(~missed)),
                    "coverage_if_trusted": float(np.mean(~missed[~warned])) if (~warned).any() else None,
                    "missed": int(missed.sum()),
                    "warned_if_missed": float(np.mean(warned[missed])) if missed.any() else None,
                }
            )
        return found

    def _kept(self, kind: str, share: float) -> bool | None:
        """Whether a coverage is what is asked; None where nothing is."""
        if self._size.replications < FEWEST:
            return None
        if kind == GUARANTEED:
            return share >= self._size.level
        if kind == ASYMPTOTIC and self._world.good and self._size.level == LEVEL:
            return LOWEST <= share <= HIGHEST
        return None

    def _one(self, own: dict[str, Terms], other: dict[str, Terms], logs: Logs, log: int, number: int) -> None:
        size, world = self._size, self._world
        resamples = Resamples.draw(world.sessions, size.n_boot, sub_seed(size.seed, f"{world.name} boot {number}"))
        verdicts = verdicts_of(world, logs, log, own)
        for name, terms in own.items():
            self._levels[name].append(verdicts[name].level)
            first = Terms(terms.numerator[:, :, :1], terms.denominator)  # the first objective stands for all
            for method, interval in intervals_of(world, name, first, resamples, size.level).items():
                self._add(name, method, interval, world.truth)
            if name != MAIN:
                continue
            if other:
                rival: Any = world.rival
                gap = (world.cells.value - rival.value) * world.eagerness
                paired = difference(terms, other[name], resamples, size.level)
                self._add(name, "difference, bootstrap", paired, gap)
                self._add(name, "difference, normal", normal_difference(terms, other[name], size.level), gap)
            if len(world.truth) > 1:
                self._joint(name, terms, resamples)
        if world.most == 1:
            self._in_time(own, logs, log)

    def _add(self, estimator: str, method: str, interval: Interval, truth: Floats) -> None:
        self._held[estimator, method].append(bool(interval.low[0] <= truth[0] <= interval.high[0]))
        self._widths[estimator, method].append(float(interval.high[0] - interval.low[0]))

    def _joint(self, name: str, terms: Terms, resamples: Resamples) -> None:
        level, truth = self._size.level, self._world.truth
        found = region.ellipsoid(terms, level)
        low, high = found.box
        self._held[name, "ellipsoid"].append(bool(found.contains(truth)))
        self._widths[name, "ellipsoid"].append(float(high[0] - low[0]))
        boxes = {
            "box, Bonferroni": region.bonferroni(terms, level),
            "box, max-t bootstrap": region.simultaneous(terms, resamples, level),
            "separate intervals": normal(terms, level),
        }
        for method, box in boxes.items():
            self._held[name, method].append(bool(((box.low <= truth) & (truth <= box.high)).all()))
            self._widths[name, method].append(float(box.high[0] - box.low[0]))

    def _in_time(self, own: dict[str, Terms], logs: Logs, log: int) -> None:
        """Confidence sequences: their ends only move inwards, so that a miss at any look is one after the last row."""
        world, level, truth = self._world, self._size.level, float(self._world.truth[0])
        name = "rips" if "rips" in own else "sips"
        contribution = own[name].numerator[:, 0, 0]
        _, largest = bounds_of(world, name)
        weight = np.exp((world.cells.target - world.cells.logged)[logs.cell[log, :, 0]].sum(axis=1))
        reward = logs.reward[log, :, 0, :, 0].sum(axis=1)
        found = {
            (name, "empirical Bernstein"): sequences.empirical_bernstein(contribution, largest, level=level),
            (name, "betting"): sequences.betting(contribution, largest, level=level),
            ("sips", "off-policy"): sequences.off_policy(weight, reward, 0.0, float(logs.reward.shape[3]), level),
        }
        for key, sequence in found.items():
            low, high = (float(end[0]) for end in sequence.last)
            self._held[key].append(low <= truth <= high)
            self._widths[key].append(high - low)
        least, most = _normal_at_looks(contribution, level)
        self._held[name, "normal at every look"].append(bool(((least <= truth) & (truth <= most)).all()))
        self._widths[name, "normal at every look"].append(float(most[-1] - least[-1]))


def terms_of(world: World, cells: Cells, logs: Logs) -> dict[str, Terms]:
    """The terms of every estimator of `world`, one row per session, the logs one after the other."""
    cell = logs.cell.ravel()
    shape = (len(cell), *logs.reward.shape[3:])
    reward, steps = logs.reward.reshape(shape), (cells.target[cell], cells.logged[cell])
    found = {}
    for name in world.names:
        if name == "dr":
            terms = slate.dr(reward, *steps, cells.model[cell], cells.model_target[cell])
        else:
            terms = getattr(slate, name)(reward, *steps)
        there = logs.there.ravel()
        parts = terms.numerator * there[:, None, None], terms.denominator * there[:, None]
        numerator, denominator = (part.reshape(-1, world.most, *part.shape[1:]).sum(axis=1) for part in parts)
        found[name] = Terms(numerator, denominator)
    return found


def intervals_of(world: World, name: str, terms: Terms, resamples: Resamples, level: float) -> dict[str, Interval]:
    """All intervals that the estimator called `name` can have in `world`."""
    found = {
        "normal": normal(terms, level),
        "student t": student_t(terms, level),
        "bootstrap": bootstrap(terms, resamples, level),
    }
    if name != "snrips":  # a sum of ratios has no guaranteed interval
        smallest, largest = bounds_of(world, name)
        weight = float(world.cells.largest[-1]) if name == "snsips" else 1.0
        within = (0.0, float(len(world.cells.largest)))
        for method, bound in (("maurer-pontil", maurer_pontil), ("hoeffding", hoeffding)):
            found[method] = bound(terms, largest, smallest, level, most=weight * world.most, within=within)
    return found


def bounds_of(world: World, name: str) -> tuple[float, float]:
    """The least and the most that a slate can contribute to an estimator, from the policies and the rewards' range."""
    largest, positions = world.cells.largest, len(world.cells.largest)
    if name == "snsips":
        return 0.0, float(positions)
    if name == "sips":
        return contribution_range(float(largest[-1]), 0.0, float(positions))
    return contribution_range(largest, modelled=name == "dr")


def verdicts_of(world: World, logs: Logs, log: int, terms: dict[str, Terms]) -> dict[str, Verdict]:
    """What the diagnostics say of each estimator from one log, of which it made these `terms`."""
    there = logs.there[log]
    cell, session = logs.cell[log][there], np.nonzero(there)[0]
    weight = np.exp(np.cumsum(world.cells.target[cell] - world.cells.logged[cell], axis=1))  # (n, k)
    reward = logs.reward[log][there][:, :, 0]
    share = reward.sum(axis=0) / reward.sum()
    largest = world.cells.largest
    whole = overlap_of(weight[:, -1], session, world.sessions, possible=float(largest[-1]))
    ess = np.array([overlap_of(column, session, world.sessions).ess for column in weight.T])
    possible = float(largest @ share)
    averaged = overlap_of(np.einsum("nk,k->n", weight, share), session, world.sessions, possible=possible)
    parts = {True: whole, False: replace(averaged, ess=harmonic_ess(ess, share))}
    earned = {True: reward.sum(axis=1) * weight[:, -1], False: (reward * weight).sum(axis=1)}
    return {
        name: verdict_of(
            parts[name in WHOLE],
            rewarded_sessions=len(np.unique(session[earned[name in WHOLE] > 0])),
            deciding_sessions=float(deciding(terms[name].influence)[0]),
        )
        for name in world.names
    }


def _described(world: World) -> dict[str, Any]:
    """What a world is like, as numbers."""
    cells = world.cells
    weight = np.exp((cells.target - cells.logged).sum(axis=1))
    return {
        "name": world.name,
        "good": world.good,
        "sessions": world.sessions,
        "most": world.most,
        "positions": cells.logged.shape[1],
        "largest_weight": float(weight.max()),
        "ess_share": float(1 / (cells.chance @ np.square(weight))),
        "truth": [float(value) for value in world.truth],
    }


def _rows(terms: Terms, log: int, n: int) -> Terms:
    rows = slice(log * n, (log + 1) * n)
    return Terms(terms.numerator[rows], terms.denominator[rows])


def _normal_at_looks(contribution: Floats, level: float) -> tuple[Floats, Floats]:
    """(LOOKS,) ends of the normal interval of a mean each time that another part of the rows has come in."""
    rows = len(contribution) * np.arange(1, LOOKS + 1) // LOOKS
    mean, square = (np.cumsum(part)[rows - 1] / rows for part in (contribution, np.square(contribution)))
    reach = float(ndtri((1 + level) / 2)) * np.sqrt(np.maximum(square - np.square(mean), 0.0) / (rows - 1))
    return mean - reach, mean + reach
