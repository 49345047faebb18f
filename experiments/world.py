"""The world of a run: its items and its users, and simulators that share them but not each other's luck."""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from recsim.catalog import Catalog, load_catalog
from recsim.experiments.config import ORACLES, CatalogConfig, RunConfig, UsersConfig
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.view import heard_users, seen_catalog
from recsim.objectives import Objectives
from recsim.observation import Layout
from recsim.simulator import Simulator
from recsim.streams import sub_seed
from recsim.users import BUILT_IN, UserModel, find_users, make_users
from recsim.users.contract import DeclaresAppeal


@dataclass(frozen=True, eq=False)
class World:
    """What all parts of a run have in common.

    Attributes:
        config: of the run.
        catalog: the items as agents and reports see them.
        users: the user model, made of the true items; what is hidden about items is drawn from the run's seed, once.
        items: the true items, which are those of `catalog` unless the config has a view.
        heard: the users as agents hear of them while they learn, which are `users` unless clicks are misreported.
    """

    config: RunConfig
    catalog: Catalog
    users: UserModel[Any]
    items: Catalog
    heard: UserModel[Any]

    @classmethod
    def of(cls, config: RunConfig) -> World:
        """The world that a config describes.

        Raises:
            UserError: if there is no such catalogue or user model, the slate or `recent` does not fit the catalogue, or
                there is an oracle among the policies and the users declare no probabilities.
        """
        with input_errors():
            items = catalog_of(config.catalog)
            catalog = seen_catalog(config.view, items)
            Layout.of(catalog, recent=config.recent)
        if config.slate_size > len(catalog):
            raise UserError(
                f"slate_size is {config.slate_size}; the catalogue {catalog.name!r} allows 1 to {len(catalog)}."
            )
        users = users_of(config.users, items, config.seed)
        world = cls(config, catalog, users, items, heard_users(config.view, users))
        oracles = [policy.title for policy in config.policies if policy.kind in ORACLES]
        if oracles and not world.declares_appeal:
            raise UserError(
                f"{oracles[0]!r} must know what users think, and {config.users.model!r} declares no probabilities: "
                "give the class a method appeal(state, items) and an attribute choice, or leave the policy out."
            )
        world.simulator("check")
        return world

    @property
    def declares_appeal(self) -> bool:
        """Whether the users declare their probabilities, so that the exact value of a slate is known."""
        return isinstance(self.users, DeclaresAppeal)

    def simulator(self, part: str, *, training: bool = False) -> Simulator:
        """A simulator for one part of the run: users of another part are other people with other luck.

        Args:
            part: its name.
            training: whether agents learn from what comes of it, so that clicks are misreported if the config says so.
        """
        return Simulator(
            self.catalog,
            self.heard if training else self.users,
            slate_size=self.config.slate_size,
            horizon=self.config.horizon,
            sessions=self.config.sessions,
            recent=self.config.recent,
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
    """The true items that a config names or describes."""
    if config.synthetic is not None:
        return Catalog.synthetic(**config.synthetic.model_dump())
    return load_catalog(str(config.name))


def users_of(config: UsersConfig, catalog: Catalog, seed: int) -> UserModel[Any]:
    """The users that a config names. What goes wrong inside somebody's own class is left to show its traceback.

    Raises:
        UserError: if there is no such class, it does not take the options, or makes no user model.
    """
    if config.model in BUILT_IN:
        with input_errors():
            return make_users(config.model, catalog, config.options, seed=seed)
    with input_errors():
        make = find_users(config.model)
    try:
        inspect.signature(make).bind(catalog, **config.options)
    except TypeError as error:
        raise UserError(f"users {config.model!r} do not take the catalogue and users.options: {error}.") from error
    with input_errors() if config.model.startswith("recsim.") else nullcontext():
        users = make(catalog, **config.options)
    try:
        return make_users(users, catalog)
    except TypeError as error:
        raise UserError(str(error)) from error
