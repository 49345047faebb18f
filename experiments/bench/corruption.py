"""What corruptions cost: true returns of fusions fitted and served on a corrupted view, beside the clean one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim import logs
from recsim.agents.fusion import METHODS, fit_fusion
from recsim.agents.fusion.static import StaticFusion
from recsim.catalog import Catalog, load_catalog
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.view import CorruptionConfig, ViewConfig, heard_users, seen_catalog
from recsim.metrics import mean_interval, paired_interval
from recsim.modalities.corruption import CORRUPTIONS, SEVERITIES, corruption_of
from recsim.observation import Layout
from recsim.policy import Ranking, Scorer, only_there, popularity
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.streams import sub_seed
from recsim.torch_threads import one_torch_thread
from recsim.users import BUILT_IN, UserModel, make_users

ALL = "all"  # modalities together
LEVEL = 0.95
EPOCHS = 3  # of fusions that are networks, for the sake of time
SIMILARITY = "similarity"  # to what was clicked, summed over modalities and nothing else
QUICK = ("average", SIMILARITY)  # these are measured on each modality alone, too, however the items are corrupted


@dataclass(frozen=True)
class CorruptionSize:
    """What is measured, and with how much.

    Attributes:
        corruptions: keys of `CORRUPTIONS`.
        severities: of each.
        methods: fusions, keys of `recsim.agents.fusion.METHODS`, or `SIMILARITY`, which learns nothing.
        catalog: a bundled catalogue or a folder.
        items: how many of its items there are, evenly spaced.
        preset: the built-in users; by default those who never tire, among whom going by similarity pays most.
        seeds: worlds, from seed 0; users, logs and fits are drawn anew in each, the damage to the items is the same.
        n_launch: users of the log of softened popularity on which fusions are fitted.
        n_users: fresh users whom each fusion serves.
        slate_size: k.
        horizon: most slates in a session.
    """

    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = (1, 3, 5)
    methods: tuple[str, ...] = (*QUICK, "gated")
    catalog: str = "openclipart"
    items: int = 463
    preset: str = "stationary"
    seeds: int = 3
    n_launch: int = 500
    n_users: int = 1000
    slate_size: int = 10
    horizon: int = 30

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UserError: naming what is unknown.
        """
        with input_errors():
            for name in self.corruptions:
                corruption_of(name)
        for severity in self.severities:
            if severity not in SEVERITIES:
                raise UserError(f"there is no severity {severity}; severities are 1, 2, 3, 4 and 5.")
        for name in self.methods:
            known = [SIMILARITY, *(method for method, found in METHODS.items() if not found.reads_recent)]
            if name not in known:
                raise UserError(f"there is no fusion {name!r} to measure; choose from {', '.join(known)}.")
        if self.preset not in BUILT_IN:
            raise UserError(f"there is no preset {self.preset!r}; the presets are {', '.join(BUILT_IN)}.")


class Case(NamedTuple):
    """A view of the items, and what agents perceive of it.

    Attributes:
        corruption: its name, "" for none.
        severity: 0 for none.
        modality: the only one that agents perceive, or `ALL`.
    """

    corruption: str
    severity: int
    modality: str


def corruption(size: CorruptionSize, display: Display) -> dict[str, Any]:
    """Returns of every fusion in every view, and their differences from those in the clean one.

    The unit of intervals is a world. In a world, the users of the log and those of the judgement are the same people
    with the same luck in every view.

    Raises:
        UserError: if something is unknown, or the catalogue cannot be corrupted in a way that is asked for.
    """
    size.check()
    with input_errors():
        items = part_of(load_catalog(size.catalog), size.items)
        views = _views(items, size, display)
    cases = list(_cases(views, size))
    earned: dict[tuple[Case, str], list[float]] = {}
    with one_torch_thread(), input_errors():
        for seed in range(size.seeds):
            users = make_users(size.preset, items, seed=seed)
            with display.stage(f"world {seed}", len(cases)) as progress:
                for number, (case, methods) in enumerate(cases, start=1):
                    found = _returns(views[case[:2]], case, methods, users, seed, size)
                    for method, value in found.items():
                        earned.setdefault((case, method), []).append(value)
                    progress(number)
    return {
        **asdict(size),
        "catalog": items.name,
        "items": len(items),
        "level": LEVEL,
        "rows": [_row(case, method, earned) for case, method in earned],
        "versions": all_versions(),
    }


def part_of(catalog: Catalog, n_items: int) -> Catalog:
    """The catalogue with at most `n_items` of its items, evenly spaced."""
    if n_items >= len(catalog):
        return catalog
    rows = np.linspace(0, len(catalog) - 1, n_items).astype(np.int64)
    modalities = {
        name: replace(modality, embedding=modality.embedding[rows], present=modality.present[rows])
        for name, modality in catalog.modalities.items()
    }
    return Catalog(catalog.name, catalog.table.iloc[rows], modalities, catalog.card, catalog.image_dir)


def _views(items: Catalog, size: CorruptionSize, display: Display) -> dict[tuple[str, int], Catalog]:
    """What agents see of the items by (corruption, severity), the clean view first."""
    views = {("", 0): items}
    for name in size.corruptions:
        with display.stage(f"corrupt {name}", len(size.severities)) as progress:
            for number, severity in enumerate(size.severities, start=1):
                views[name, severity] = seen_catalog(_view(name, severity), items)
                progress(number)
    return views


def _view(name: str, severity: int) -> ViewConfig:
    return ViewConfig(corruptions=(CorruptionConfig(name=name, severity=severity),))


def _cases(views: dict[tuple[str, int], Catalog], size: CorruptionSize) -> Iterator[tuple[Case, tuple[str, ...]]]:
    """What is measured, with which fusions: the clean view by modality first; then only damaged modalities alone."""
    for (name, severity), view in views.items():
        yield Case(name, severity, ALL), size.methods
        concerns = CORRUPTIONS[name].concerns if name else "embeddings"
        alone = [modality for modality in view.modalities if concerns in (modality, "embeddings")]
        methods = size.methods if not name else tuple(method for method in size.methods if method in QUICK)
        for modality in alone if methods and len(view.modalities) > 1 else ():
            yield Case(name, severity, modality), methods


def _returns(
    view: Catalog, case: Case, methods: tuple[str, ...], users: UserModel[Any], seed: int, size: CorruptionSize
) -> dict[str, float]:
    """Mean true return of a session under each fusion, fitted on the log of the view and served in it."""
    if case.modality != ALL:
        view = view.replaced(modalities={case.modality: view.modalities[case.modality]})
    heard = heard_users(_view(case.corruption, case.severity), users) if case.corruption else users
    launch = _simulator(view, heard, size, sub_seed(seed, "users of the launch log"))
    simulator = _simulator(view, users, size, sub_seed(seed, "users of evaluation"))
    collector = only_there(popularity(view, size.slate_size, 1.0), launch.born, launch.layout)
    log = logs.collect(launch, collector, size.n_launch)
    found = {}
    for method in methods:
        fusion = _fitted(method, log, view, simulator.layout, sub_seed(seed, method))
        ranking = only_there(Ranking(method, fusion, size.slate_size), simulator.born, simulator.layout)
        found[method] = float(rollout(simulator, ranking, size.n_users).reward.mean())
    return found


def _fitted(method: str, log: logs.Log, view: Catalog, layout: Layout, seed: int) -> Scorer:
    if method == SIMILARITY:
        fusion = StaticFusion.fit(log, view, layout)
        content = np.arange(len(fusion.weights)) < len(view.modalities)
        return replace(fusion, weights=content.astype(np.float64))
    options: dict[str, Any] = {"epochs": EPOCHS} if METHODS[method].kind == "NetworkFusion" else {}
    return fit_fusion(method, log, view, layout, seed=seed, **options)


def _simulator(view: Catalog, users: UserModel[Any], size: CorruptionSize, seed: int) -> Simulator:
    return Simulator(view, users, slate_size=size.slate_size, horizon=size.horizon, seed=seed)


def _row(case: Case, method: str, earned: dict[tuple[Case, str], list[float]]) -> dict[str, Any]:
    """What a fusion earns in a view, over worlds, and how much less than in the clean view with the same modalities."""
    own: NDArray[np.float64] = np.array(earned[case, method])
    clean = earned[Case("", 0, case.modality), method]
    return {
        **case._asdict(),
        "means": CORRUPTIONS[case.corruption].means(case.severity) if case.corruption else "",
        "policy": method,
        "return": vars(mean_interval(own, LEVEL)),
        "difference": vars(paired_interval(own, clean, LEVEL)) if case.corruption else None,
        "by_seed": own.tolist(),
    }
