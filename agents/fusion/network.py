"""Feature-level fusion: towers for items and users over all modalities, trained once on a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsim.agents.features import CrossFeatures
from recsim.agents.folds import FOLDS, cross_fitted, user_folds
from recsim.agents.fusion.scorers import Scorers
from recsim.agents.fusion.towers import FusionNetwork, Shape, seen_of
from recsim.agents.fusion.training import Examples, begin, click_and_conversion_loss, reward_loss, train
from recsim.agents.fusion.weights import check_contrast
from recsim.agents.networks import drawn_from, fill_network, network_arrays
from recsim.agents.storage import load_arrays, load_options, save_arrays
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.rollout import Progress

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

_BLOCK = 2**20  # scores computed at a time
_OWN = ("click rate",)  # of the scorers, those that networks are told of, beside the profile's

# Tasks and experts of each kind of heads.
HEADS: Mapping[str, tuple[int, int]] = {"reward": (1, 1), "shared_bottom": (2, 1), "mmoe": (2, 4)}


class NetworkFusion:
    """A myopic ranker by the expected reward of a position, which networks over all modalities foretell.

    The score is the logarithm of the expected reward at the top position. With heads `reward`, one network output is
    that logarithm; with `shared_bottom` and `mmoe`, the expected reward is

        P(click) * (w_click + w_conversion P(conversion | click) + w_novelty novelty),

    w being the log's weights of the objectives. There is one network for each fold of users (`folds.FOLDS`), trained on
    the others and stopped where it is best for its fold; their logits are averaged (Breiman 1996, "Bagging predictors";
    here by cross-validation, Krogh & Vedelsby 1995), since the highest of many scores are the ones most overestimated.

    Attributes:
        catalog: the items.
        layout: where features stand in an observation.
        networks: one a fold, in evaluation mode.
        scorers: click rates of items and of (profile, category).
        weights: name of each objective to its weight.
        heads: a key of `HEADS`.
    """

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        networks: Sequence[FusionNetwork],
        scorers: Scorers,
        weights: Mapping[str, float],
        heads: str,
    ) -> None:
        """A ranker of trained networks; `fit` makes one."""
        self.catalog, self.layout, self.networks = catalog, layout, tuple(network.eval() for network in networks)
        self.scorers, self.weights, self.heads = scorers, dict(weights), heads
        self.features = CrossFeatures(catalog, layout)
        with torch.no_grad():
            merits, keys = zip(*(network.items(torch.arange(len(catalog))) for network in networks), strict=True)
            self._wide = torch.stack([network.wide for network in networks]).mean(dim=0).numpy()  # (f, T)
            merit = torch.stack(merits).mean(dim=0).numpy()
            merit[:, 0] += sum(float(network.position[0]) for network in networks) / len(networks)  # of the top
        self._keys = np.concatenate([self.features.keys, *(key.numpy() for key in keys)], axis=1)
        self._merit = merit + scorers.own["click rate"][:, None].astype(np.float32) * self._wide[-2]  # (m, T)

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        fusion: str = "concat",
        heads: str = "reward",
        seed: int = 0,
        progress: Progress = None,
        epochs: int = 12,
        rate: float = 4e-3,
        decay: float = 0.3,
        size: int = 32,
        factors: int = 8,
        modalities: Sequence[str] | None = None,
    ) -> NetworkFusion:
        """Train on a log. Click rates, as network inputs, are counted from other users' sessions.

        Args:
            log: of any policy that shows many items.
            catalog: the items.
            layout: where features stand in an observation.
            fusion: how modalities become a vector, a key of `module.KINDS`; `transformer` needs a world with `recent`.
            heads: what is learned, a key of `HEADS`.
            seed: of first parameters, dropout and the order of the slates.
            progress: called with the number of epochs so far, of `epochs` * `FOLDS`.
            epochs: most epochs of a network.
            rate: Adam's learning rate.
            decay: weight decay.
            size: length of the towers' vectors.
            factors: length of an expert's vectors.
            modalities: names of those that it sees; None: all. Without any it has behaviour, category, price and
                novelty.

        Raises:
            ValueError: if an option does not exist or has no sense, or the log has no clicks, only clicks, negative
                weights, fewer users than folds or, where rewards are learned, none, or its numbers are not finite.
        """
        _check(log, heads, epochs)
        features = CrossFeatures(catalog, layout)

        def rates(others: Log, slates: Log) -> Floats:
            return Scorers.count(others, catalog, layout, _OWN).at(slates.observation, slates.slate)[..., -2:]

        wide = np.concatenate([features.at(log.observation, log.slate), cross_fitted(log, rates)], axis=2)
        wide[..., _hidden(features, catalog, modalities)] = 0.0  # and so are their weights
        spread = wide[log.slate >= 0].std(axis=0)
        spread = np.where(spread > 0.0, spread, 1.0).astype(np.float32)
        examples = Examples.of(log, wide / spread)
        done = iter(range(1, epochs * FOLDS + 1))
        networks = []
        with drawn_from(seed):
            for held_out in torch.from_numpy(user_folds(log) == np.arange(FOLDS)[:, None]):
                shape = Shape(fusion, *HEADS[heads], size, factors, modalities)
                network = FusionNetwork(catalog, layout, wide.shape[2], log.slate.shape[1], shape)
                begin(network, examples, heads)
                train(
                    network,
                    examples[~held_out],
                    examples[held_out],
                    reward_loss if heads == "reward" else click_and_conversion_loss,
                    seed=seed,
                    epochs=epochs,
                    rate=rate,
                    decay=decay,
                    progress=lambda: progress(next(done)) if progress else None,
                )
                with torch.no_grad():
                    network.wide.div_(torch.from_numpy(spread)[:, None])
                networks.append(network)
        return cls(catalog, layout, networks, Scorers.count(log, catalog, layout, _OWN), _weights(log), heads)

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """Logarithms of expected rewards at the top position.

        Args:
            observation: (n, d) float32.
            items: (n, c) int64, which items to score for each user; by default all m.

        Returns:
            (n, m) or (n, c) float64.
        """
        width = len(self.catalog) if items is None else items.shape[1]
        out = np.empty((len(observation), width))
        step = max(1, _BLOCK // max(1, width))
        for start in range(0, len(out), step):
            rows = slice(start, start + step)
            out[rows] = self._log_expected(observation[rows], None if items is None else items[rows])
        return out

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {**network_arrays(nn.ModuleList(self.networks)), **self.scorers.arrays()}
        options = {"shape": self.networks[0].experts.shape._asdict(), "weights": self.weights, "heads": self.heads}
        save_arrays(path, "NetworkFusion", arrays, self.catalog, options)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> NetworkFusion:
        """What `save` wrote, for the same catalogue.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file holds something else, belongs to another catalogue, or was fitted to observations
                laid out otherwise.
        """
        arrays = load_arrays(path, "NetworkFusion", catalog)
        options = load_options(path)
        rates = {name: arrays.pop(name) for name in (*_OWN, "profile rate")}
        scorers = Scorers.of_arrays(rates, catalog, layout, _OWN)
        n_wide, slate_size = len(arrays["0.wide"]), len(arrays["0.position"])
        shape = Shape(**options["shape"])
        with drawn_from(0):
            networks = [FusionNetwork(catalog, layout, n_wide, slate_size, shape) for _ in range(FOLDS)]
        fill_network(nn.ModuleList(networks), arrays, path)
        return cls(catalog, layout, networks, scorers, options["weights"], options["heads"])

    def _log_expected(self, observation: Observation, items: Items | None) -> Floats:
        logits = list(self._logits(observation, items))
        if self.heads == "reward":
            return logits[0]
        novelty = self.catalog.novelty if items is None else self.catalog.novelty[items]
        conversion = 1.0 / (1.0 + np.exp(-logits[1]))
        weight = self.weights
        worth = weight["click"] + weight["conversion"] * conversion + weight["novelty"] * novelty
        expected: Floats = np.log(np.maximum(worth, 1e-12)) - np.logaddexp(0.0, -logits[0])
        return expected

    def _logits(self, observation: Observation, items: Items | None) -> Iterator[Floats]:
        """(n, m) or (n, c) float64 logits of each task."""
        with torch.no_grad():
            inputs = torch.tensor(observation)
            deep = torch.cat([network.users(inputs) for network in self.networks], dim=2).numpy() / len(self.networks)
        told = self.layout.read(observation, "profile") @ self.scorers.profile_rate.astype(np.float32)  # (n, C)
        for task, weight in enumerate(self._wide.T):
            wide = self.features.query(observation, weight[:-2])
            wide[:, self.features.category_key] += weight[-1] * told
            query, merit = np.concatenate([wide, deep[:, task]], axis=1), self._merit[:, task]
            if items is None:
                yield (query @ self._keys.T + merit).astype(np.float64)
            else:
                yield (np.einsum("np,ncp->nc", query, self._keys[items]) + merit[items]).astype(np.float64)


def _hidden(features: CrossFeatures, catalog: Catalog, modalities: Sequence[str] | None) -> list[int]:
    """Which cross features are about modalities that are not seen."""
    names = [name for name, seen in zip(catalog.modalities, seen_of(catalog, modalities), strict=True) if not seen]
    told = {f"{side}_{name}" for side in ("liked", "passed") for name in names}
    return [number for number, name in enumerate(features.names) if name in told]


def _weights(log: Log) -> dict[str, float]:
    return dict(zip(log.info.objectives, log.info.weights, strict=True))


def _check(log: Log, heads: str, epochs: int) -> None:
    if heads not in HEADS:
        raise ValueError(f"there are no heads {heads!r}; they are {', '.join(HEADS)}.")
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; at least 1 is needed.")
    check_contrast(log.click, "click")
    users = len(np.unique(log.user))
    if users < FOLDS:
        raise ValueError(f"the log has {users} users; {FOLDS} or more are needed, to hold a share of them out.")
    negative = {name: weight for name, weight in _weights(log).items() if weight < 0.0}
    if negative:
        raise ValueError(
            f"the log's weights {negative} are below 0, and the logarithm of an expected reward is to be learned: give "
            "weights from 0 up, or use the fusion 'average', which learns clicks alone."
        )
    if heads == "reward" and not (log.objectives[log.slate >= 0] @ np.array(log.info.weights)).any():
        raise ValueError(
            f"no position of the log earned anything under its weights {_weights(log)}, so that there is no reward to "
            "learn: collect more, or use 'shared_bottom' or 'mmoe', which learn clicks and conversions apart."
        )
