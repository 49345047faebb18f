"""Static fusion: rankers fitted once on a log and served unchanged, each combining the modalities in a way of its own.

`METHODS` names them; nothing of theirs is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from recsim.agents.storage import load_kind
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.policy import Scorer
from recsim.rollout import Progress


class Fitted(Scorer, Protocol):
    """A ranker fitted on a log, which can be kept."""

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        ...


@dataclass(frozen=True)
class Method:
    """A way to fuse.

    Attributes:
        target: import string of its class, "package.module:Class".
        options: what tells it from other methods of that class, for the class's `fit`.
        reads_recent: whether it reads what users clicked lately, which only worlds made with `recent` tell.
    """

    target: str
    options: Mapping[str, Any] = field(default_factory=dict)
    reads_recent: bool = False

    @property
    def kind(self) -> str:
        """Name of the class, which its files carry."""
        return self.target.partition(":")[2]

    def load(self) -> Any:
        """The class."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


_PACKAGE = "recsim.agents.fusion"


def _network(fusion: str, heads: str) -> Method:
    return Method(f"{_PACKAGE}.network:NetworkFusion", {"fusion": fusion, "heads": heads}, fusion == "transformer")


def _hybrid(method: str) -> Method:
    return Method(f"{_PACKAGE}.hybrid:HybridFusion", {"method": method}, reads_recent=True)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "average": Method(f"{_PACKAGE}.static:StaticFusion"),
        "vote": Method(f"{_PACKAGE}.decision:VoteFusion"),
        "reciprocal_rank": Method(f"{_PACKAGE}.decision:ReciprocalRankFusion"),
        "concat": _network("concat", "reward"),
        "weighted_concat": _network("weighted_concat", "reward"),
        "shared_bottom": _network("concat", "shared_bottom"),
        "mmoe": _network("concat", "mmoe"),
        "gated": _network("gated", "shared_bottom"),
        "attention": _network("attention", "shared_bottom"),
        "transformer": _network("transformer", "shared_bottom"),
        "als": _hybrid("als"),
        "item_knn": _hybrid("item_knn"),
        "lightgcn": _hybrid("lightgcn"),
    }
)


def fit_fusion(
    method: str, log: Log, catalog: Catalog, layout: Layout, *, seed: int = 0, progress: Progress = None, **options: Any
) -> Fitted:
    """The ranker that a method, a key of `METHODS`, fits to a log.

    Args:
        method: its name.
        log: what it learns from.
        catalog: the items.
        layout: where features stand in an observation.
        seed: same seed, same ranker.
        progress: told how far the method is, in steps of its own.
        **options: for the `fit` of the method's class; they win over the method's own.

    Raises:
        ValueError: if there is no such method, or what it raises itself.
    """
    if method not in METHODS:
        raise ValueError(f"there is no fusion method {method!r}; the methods are {', '.join(METHODS)}.")
    found = METHODS[method]
    options = {**found.options, **options}
    return cast(Fitted, found.load().fit(log, catalog, layout, seed=seed, progress=progress, **options))


def load_fusion(path: Path, catalog: Catalog, layout: Layout) -> Fitted:
    """What `save` of any of the methods' rankers wrote, for the same catalogue.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file holds something else, or belongs to another catalogue.
    """
    kind = load_kind(path)
    for method in METHODS.values():
        if method.kind == kind:
            return cast(Fitted, method.load().load(path, catalog, layout))
    raise ValueError(f"{path} holds a {kind}, which is no static fusion; choose another file.")
