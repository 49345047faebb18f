"""The world of a run: its catalogue and its users, and simulators that share them but not each other's luck."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from recsim.catalog import Catalog, load_catalog
from recsim.experiments.config import CatalogConfig, RunConfig
from recsim.experiments.errors import input_errors
from recsim.objectives import Objectives
from recsim.observation import Layout
from recsim.simulator import Simulator
from recsim.streams import sub_seed
from recsim.users import UserModel, make_users


@dataclass(frozen=True, eq=False)
class World:
    """What all parts of a run have in common.

    Attributes:
        config: of the run.
        catalog: the items.
        users: the user model; what is hidden about items is drawn from the run's seed, once.
    """

    config: RunConfig
    catalog: Catalog
    users: UserModel[Any]

    @classmethod
    def of(cls, config: RunConfig) -> World:
        """The world that a config describes.

        Raises:
            UserError: if the catalogue or the users cannot be made, or the slate does not fit the catalogue.
        """
        with input_errors():
            catalog = catalog_of(config.catalog)
            users = make_users(config.users.model, catalog, config.users.options, seed=config.seed)
            world = cls(config, catalog, users)
            world.simulator("check")
        return world

    def simulator(self, part: str) -> Simulator:
        """A simulator for one part of the run: users of another part are other people with other luck."""
        return Simulator(
            self.catalog,
            self.users,
            slate_size=self.config.slate_size,
            horizon=self.config.horizon,
            objectives=self.objectives,
            seed=sub_seed(self.config.seed, f"users of {part}"),
        )

    @property
    def objectives(self) -> Objectives:
        """The objectives with their weights."""
        return Objectives(**self.config.objectives.model_dump())

    @cached_property
    def layout(self) -> Layout:
        """Where features stand in an observation."""
        return self.simulator("layout").layout


def catalog_of(config: CatalogConfig) -> Catalog:
    """The catalogue that a config names or describes."""
    if config.synthetic is not None:
        return Catalog.synthetic(**config.synthetic.model_dump())
    return load_catalog(str(config.name))
