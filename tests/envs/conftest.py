from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.streams import Streams
from recsim.users.contract import Response


@dataclass
class Visits:
    """How often users were asked, and how often they answer before they leave."""

    seen: np.ndarray
    stays: np.ndarray


class Clockwork:
    """Users without luck: user u clicks the top item, buys item u, and leaves after u % 4 + 1 slates."""

    def sample(self, users: Streams) -> Visits:
        return Visits(np.zeros(len(users), np.int64), users.user.astype(np.int64) % 4 + 1)

    def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
        click = slate == users.user.astype(np.int64)[:, None]
        click[:, 0] |= slate[:, 0] >= 0
        seen = state.seen + 1
        bought = click & (slate == users.user.astype(np.int64)[:, None])
        return Response(click, bought, seen >= state.stays), Visits(seen, state.stays)


@pytest.fixture
def world(catalog: Catalog) -> dict[str, Any]:
    """A small world with the built-in users."""
    return {"catalog": catalog, "slate_size": 4, "horizon": 6, "seed": 3}


@pytest.fixture
def clockwork(catalog: Catalog) -> dict[str, Any]:
    """A small world whose users can be foretold."""
    return {"catalog": catalog, "users": Clockwork(), "slate_size": 4, "horizon": 3}


@pytest.fixture(scope="session")
def awkward() -> Catalog:
    """12 items whose texts fit no box, terminal or font."""
    plain = Catalog.synthetic(n_items=12, n_categories=12, seed=1)
    titles = [
        "x" * 5000,
        "word " * 400,
        "日本語の題名" * 30,
        "Ünïcödé Straße",
        "Ж" * 90,
        "\x1b[31mred\x07\x00",
        "",
        "🎁" * 40,
    ]
    titles += ["[bold]no markup[/bold]", "a\nb\r\nc", "שלום עולם", "e\u0301" * 60]
    categories = [f"{title[:60]} {number}" for number, title in enumerate(titles)]
    table = plain.table.assign(title=titles, category=categories, price=[10.0**number for number in range(12)])
    return Catalog("awkward", table, plain.modalities)
