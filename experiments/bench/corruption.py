"""What corruptions cost: true returns of fusions fitted and served on a corrupted view, beside the clean one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
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
from recsim.metrics import mean_interval
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


@dataclass(frozen=True)
class CorruptionSize:
    """What is measured, and with how much.

    Attributes:
        corruptions: keys of `CORRUPTIONS`.
        severities: of each.
        methods: fusions, keys of `recsim.agents.fusion.METHODS`, or `SIMILARITY`, which learns nothing.
        catalog: a bundled catalogue or a folder.
        items: how many of its items there are, evenly spaced.
        presets: the built-in users; `stationary` are those who never tire, among whom going by similarity pays most.
        seeds: worlds, from seed 0; the damage to the items, users, logs and fits are drawn anew in each.
        n_launch: users of the log of softened popularity on which fusions are fitted.
        n_users: fresh users whom each fusion serves.
        slate_size: k.
        horizon: most slates in a session.
    """

    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = (1, 3, 5)
    methods: tuple[str, ...] = ("average", SIMILARITY, "gated")
    catalog: str = "openclipart"
    items: int = 463
    presets: tuple[str, ...] = ("stationary", "marketplace")
    seeds: int = 6
    n_launch: int = 300
    n_users: int = 500
    slate_size: int = 10
    horizon: int = 30

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UserError: naming what is unknown, or that there are fewer than 2 worlds.
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
        if self.seeds < 2:
            raise UserError(f"{self.seeds} world has no interval; take at least 2.")
        for name in self.presets:
            if name not in BUILT_IN:
                raise UserError(f"there is no preset {name!r}; the presets are {', '.join(BUILT_IN)}.")


class Case(NamedTuple):
    """Users, a view of the items, and what agents perceive of it.

    Attributes:
        preset: the users.
        corruption: its name, "" for none.
        severity: 0 for none.
        modality: the only one that agents perceive, or `ALL`.
    """

    preset: str
    corruption: str
    severity: int
    modality: str

    @property
    def clean(self) -> Case:
        """The same without corruption."""
        return self._replace(corruption="", severity=0)


Returns = dict[tuple[Case, str], list[float]]  # of a fusion in a view, by world


def corruption(size: CorruptionSize, display: Display) -> dict[str, Any]:
    """Returns of every fusion in every view, and their differences from those in the clean one.

    The unit of intervals is a world. In a world, the users of the log and those of the judgement are the same people
    with the same luck in every view. Differences are many: each has an interval of its own, not one that holds together
    with the others. Their means over corruptions, in `overall`, are few.

    Raises:
        UserError: if something is unknown, or the catalogue cannot be corrupted in a way that is asked for.
    """
    size.check()
    with input_errors():
        items = part_of(load_catalog(size.catalog), size.items)
    earned: Returns = {}
    with one_torch_thread(), input_errors():
        for seed in range(size.seeds):
            views = _views(items, size, seed, display)
            for preset in size.presets:
                cases = list(_cases(views, preset))
                users = make_users(preset, items, seed=seed)
                with display.stage(f"{preset}, world {seed}", len(cases)) as progress:
                    for number, case in enumerate(cases, start=1):
                        view = views[case.corruption, case.severity]
                        for method, value in _returns(view, case, users, seed, size).items():
                            earned.setdefault((case, method), []).append(value)
                        progress(number)
    return {
        **asdict(size),
        "catalog": items.name,
        "items": len(items),
        "level": LEVEL,
        "overall": list(_overall(earned, size)),
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


def _views(items: Catalog, size: CorruptionSize, seed: int, display: Display) -> dict[tuple[str, int], Catalog]:
    """What agents see of the items in a world by (corruption, severity), the clean view first."""
    views = {("", 0): items}
    severities = [(name, severity) for name in size.corruptions for severity in size.severities]
    with display.stage(f"damage, world {seed}", len(severities)) as progress:
        for number, (name, severity) in enumerate(severities, start=1):
            views[name, severity] = seen_catalog(_view(name, severity, seed), items)
            progress(number)
    return views


def _view(name: str, severity: int, seed: int) -> ViewConfig:
    return ViewConfig(corruptions=(CorruptionConfig(name=name, severity=severity),), seed=seed)


def _cases(views: dict[tuple[str, int], Catalog], preset: str) -> Iterator[Case]:
    """Every view with all modalities and with each damaged one alone; the clean view with each one alone."""
    for (name, severity), view in views.items():
        yield Case(preset, name, severity, ALL)
        concerns = CORRUPTIONS[name].concerns if name else "embeddings"
        for modality in view.modalities if len(view.modalities) > 1 else ():
            if concerns in (modality, "embeddings"):
                yield Case(preset, name, severity, modality)


def _returns(view: Catalog, case: Case, users: UserModel[Any], seed: int, size: CorruptionSize) -> dict[str, float]:
    """Mean true return of a session under each fusion, fitted on the log of the view and served in it."""
    if case.modality != ALL:
        view = view.replaced(modalities={case.modality: view.modalities[case.modality]})
    heard = heard_users(_view(case.corruption, case.severity, seed), users) if case.corruption else users
    launch = _simulator(view, heard, size, sub_seed(seed, "users of the launch log"))
    simulator = _simulator(view, users, size, sub_seed(seed, "users of evaluation"))
    collector = only_there(popularity(view, size.slate_size, 1.0), launch.born, launch.layout)
    log = logs.collect(launch, collector, size.n_launch)
    found = {}
    for method in size.methods:
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


def _overall(earned: Returns, size: CorruptionSize) -> Iterator[dict[str, Any]]:
    """How much less fusions of all modalities earn at a severity, in the mean over corruptions."""
    for preset, method, severity in product(size.presets, size.methods, size.severities):
        cases = [Case(preset, name, severity, ALL) for name in size.corruptions]
        losses = np.mean([_loss(case, method, earned) for case in cases], axis=0)
        yield {
            "preset": preset,
            "policy": method,
            "severity": severity,
            "difference": vars(mean_interval(losses, LEVEL)),
            "by_seed": losses.tolist(),
        }


def _row(case: Case, method: str, earned: Returns) -> dict[str, Any]:
    """What a fusion earns in a view, over worlds, and how much less than in the clean view with the same modalities."""
    own = earned[case, method]
    return {
        **case._asdict(),
        "means": CORRUPTIONS[case.corruption].means(case.severity) if case.corruption else "",
        "policy": method,
        "return": vars(mean_interval(own, LEVEL)),
        "difference": vars(mean_interval(_loss(case, method, earned), LEVEL)) if case.corruption else None,
        "by_seed": own,
    }


def _loss(case: Case, method: str, earned: Returns) -> NDArray[np.float64]:
    """(w,) the return of a fusion in every world, less that in the clean view."""
    return np.subtract(earned[case, method], earned[case.clean, method], dtype=np.float64)
