"""Example slates as typed data: the shape of `examples.json`, and of slates taken from a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from recsim.report.measured import Measured, Result

if TYPE_CHECKING:
    from recsim.catalog import Catalog
    from recsim.logs import Log


class ShownItem(Result):
    """An item of an example slate; `item` is -1 for an empty position."""

    item: int
    item_id: str = ""
    title: str = ""
    category: str = ""
    price: Measured = None


class Example(Result):
    """One slate that a policy showed, and what its user did.

    Attributes:
        session: of the user, from 0.
        examined: whether each position was looked at; None where the choice model does not tell.
    """

    policy: str
    user: int
    session: int = 0
    step: int
    items: tuple[ShownItem, ...]
    examined: tuple[bool, ...] | None = None
    click: tuple[bool, ...]
    conversion: tuple[bool, ...]

    @model_validator(mode="after")
    def _one_answer_a_position(self) -> Example:
        for name in ("examined", "click", "conversion"):
            answers = getattr(self, name)
            if answers is not None and len(answers) != len(self.items):
                raise ValueError(f"{name} has {len(answers)} entries for {len(self.items)} items")
        return self


def logged_examples(log: Log, catalog: Catalog, n_sessions: int = 2, n_slates: int = 4) -> list[dict[str, Any]]:
    """The first slates of the first sessions of a log, in the shape of `examples.json`.

    Args:
        log: the log.
        catalog: the catalogue that its item numbers are rows of.
        n_sessions: how many sessions, at most.
        n_slates: how many slates of each, at most.
    """
    found: list[dict[str, Any]] = []
    slates: dict[tuple[int, int], int] = {}
    for row, key in enumerate(zip(log.user.tolist(), log.session.tolist(), strict=True)):
        if key not in slates and len(slates) == n_sessions:
            break
        slates[key] = slates.get(key, 0) + 1
        if slates[key] <= n_slates:
            found.append(
                {
                    "policy": log.info.policy,
                    "user": key[0],
                    "session": key[1],
                    "step": int(log.step[row]),
                    "items": [shown_item(catalog, int(item)) for item in log.slate[row]],
                    "click": log.click[row].tolist(),
                    "conversion": log.conversion[row].tolist(),
                }
            )
    return found


def shown_item(catalog: Catalog, item: int) -> dict[str, Any]:
    """What an example tells of an item; -1 is an empty position."""
    if item < 0:
        return {"item": -1}
    row = catalog.table.iloc[item]
    told = {name: str(row[name]) for name in ("item_id", "title", "category")}
    return {"item": item, **told, "price": float(row["price"])}
