"""What agents see of the items and hear of the users, where that is not the truth: the field `view` of a config."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from recsim.catalog import Catalog, load_catalog
from recsim.experiments.settings import Settings
from recsim.modalities.corruption import CORRUPTIONS, corrupt, corruption_of
from recsim.users import UserModel
from recsim.view import check_view


class CorruptionConfig(Settings):
    """A corruption, see `recsim.modalities.corruption`.

    Attributes:
        name: a key of `CORRUPTIONS`.
        severity: 1 to 5.
    """

    name: str
    severity: Annotated[int, Field(ge=1, le=5)]

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return corruption_of(name).name


class ViewConfig(Settings):
    """What agents and reports see, while users meet the true items.

    Attributes:
        catalog: another catalogue of the same items, by name or folder; None for the true one.
        corruptions: done to it one after another. Of `misreported_clicks`, only what agents learn from is concerned:
            the logs that they are fitted on, and the users whom they serve while they are trained.
        seed: of the corruptions' luck.
    """

    catalog: str | None = None
    corruptions: Annotated[tuple[CorruptionConfig, ...], Field(strict=False)] = ()
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0

    @model_validator(mode="after")
    def _something_else(self) -> Self:
        if self.catalog is None and not self.corruptions:
            raise ValueError("needs a catalog or corruptions; without either, leave the view out")
        names = [corruption.name for corruption in self.corruptions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"has the corruption {name} twice, with the same luck; choose one severity")
        return self


def seen_catalog(view: ViewConfig | None, catalog: Catalog) -> Catalog:
    """What agents and reports see of the items of `catalog`, under a name that says what was done.

    Raises:
        ValueError: if the view's catalogue is of other items, or a corruption cannot be done to it.
        FileNotFoundError: if there is no such catalogue.
    """
    if view is None:
        return catalog
    seen = catalog if view.catalog is None else load_catalog(view.catalog)
    check_view(catalog, seen)
    damages = [one for one in view.corruptions if CORRUPTIONS[one.name].damage is not None]
    with _cache(any(CORRUPTIONS[one.name].encodes for one in damages)) as cache:
        for one in damages:
            seen = corrupt(seen, one.name, one.severity, seed=view.seed, cache=cache)
    for one in view.corruptions:
        if one not in damages:  # it is heard, not seen
            seen = seen.replaced(name=f"{seen.name}, {one.name} {one.severity}")
    return seen


def heard_users(view: ViewConfig | None, users: UserModel[Any]) -> UserModel[Any]:
    """The users as agents hear of them while they learn."""
    from recsim.users.misreporting import Misreporting

    for one in view.corruptions if view else ():
        if one.name == "misreported_clicks":
            return Misreporting(users, CORRUPTIONS[one.name].parameter(one.severity))
    return users


def _cache(needed: bool) -> Any:
    """The user's cache of embeddings, where any are made."""
    if not needed:
        return nullcontext()
    from recsim.modalities.cache import EmbeddingCache

    return EmbeddingCache()
