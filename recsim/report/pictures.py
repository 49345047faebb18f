"""Example slates with the pictures of their items, embedded so that the page needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recsim.report.album import Album
from recsim.report.examples import Example, ShownItem
from recsim.report.format import listed, number

if TYPE_CHECKING:
    from recsim.catalog import Catalog

SIDE = 144  # pixels
BUDGET = 800_000  # characters of all pictures together; the page stays below 6 MB


@dataclass(frozen=True)
class Card:
    """One position of an example slate.

    Attributes:
        position: from 1.
        item: what was shown; None where the position was empty.
        price: as text, "" where unknown.
        image: name of the picture in `Gallery.pictures`, "" where the item has none.
        state: `bought`, `clicked`, `seen`, `unseen`, `shown` (not known whether it was looked at) or `empty`.
    """

    position: int
    item: ShownItem | None
    price: str
    image: str
    state: str


@dataclass(frozen=True)
class Slate:
    """One example slate as it is drawn."""

    policy: str
    user: int
    step: int
    cards: tuple[Card, ...]
    summary: str


@dataclass(frozen=True)
class ShownSession:
    """Slates of one user's session, in their order.

    Attributes:
        title: whose session it is, and which of its slates these are.
        slates: at least one.
    """

    title: str
    slates: tuple[Slate, ...]


@dataclass(frozen=True)
class Gallery:
    """All example slates.

    Attributes:
        sessions: of each policy, the best policy first, oracles last.
        pictures: names and data URIs, each picture once however often it is shown.
        note: a sentence on pictures that are missing, or "".
    """

    sessions: dict[str, list[ShownSession]]
    pictures: dict[str, str]
    note: str


def gallery(examples: Sequence[Example], ranked: Sequence[str], catalog: Catalog | None, named: Any = None) -> Gallery:
    """Example slates with their pictures.

    Args:
        examples: the slates, those of a session in their order.
        ranked: names of the policies as they are to stand.
        catalog: where pictures come from.
        named: without `catalog`, the catalogue that a config names.
    """
    if not examples:
        return Gallery({}, {}, "")
    source, problem = (catalog, "") if catalog is not None else _catalog_of(named)
    album = Album(source, SIDE, BUDGET)
    order = {name: place for place, name in enumerate(ranked)}
    grouped: dict[str, dict[tuple[int, int], list[Slate]]] = {}
    for example in sorted(examples, key=lambda example: order.get(example.policy, len(order))):
        own = grouped.setdefault(example.policy, {})
        own.setdefault((example.user, example.session), []).append(_slate(example, album))
    sessions = {policy: [_session(*one) for one in own.items()] for policy, own in grouped.items()}
    return Gallery(sessions, album.pictures, problem or album.note())


def _session(key: tuple[int, int], slates: list[Slate]) -> ShownSession:
    user, number = key
    which = f"User {user}" + (f", session {number + 1}" if number else "")
    steps = [f"{slate.step:,}" for slate in slates]
    of = f"slate{'s' if len(steps) > 1 else ''} {listed(steps)} of the session"
    return ShownSession(f"{which}: {of}", tuple(slates))


def _catalog_of(named: Any) -> tuple[Catalog | None, str]:
    """The catalogue that a config names, or why there are no pictures."""
    from recsim.catalog import load_catalog

    if not isinstance(named, str):
        return None, "The items of this run are made up, so there are no pictures."
    try:
        return load_catalog(named), ""
    except (OSError, ValueError) as error:
        return None, f"There are no pictures, for the catalogue could not be read: {error}"


def _slate(example: Example, album: Album) -> Slate:
    cards = tuple(_card(example, position, album) for position in range(len(example.items)))
    seen = "" if example.examined is None else f", looked at {sum(example.examined)}"
    summary = f"{len(example.items)} items{seen}, clicked {sum(example.click)}, bought {sum(example.conversion)}"
    return Slate(example.policy, example.user, example.step + 1, cards, summary)


def _card(example: Example, position: int, album: Album) -> Card:
    item = example.items[position]
    if item.item < 0:
        return Card(position + 1, None, "", "", "empty")
    price = "" if item.price is None else number(item.price, 2)
    return Card(position + 1, item, price, album.picture(item.item_id), _state(example, position))


def _state(example: Example, position: int) -> str:
    if example.conversion[position]:
        return "bought"
    if example.click[position]:
        return "clicked"
    if example.examined is None:
        return "shown"
    return "seen" if example.examined[position] else "unseen"
