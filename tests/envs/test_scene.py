"""What a frame says, and the frame as text."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

from recsim.catalog import Catalog
from recsim.envs.scene import STATES
from recsim.envs.single import SlateEnv
from recsim.streams import Streams
from recsim.users.contract import Response


@dataclass
class Nothing:
    """No state worth showing."""

    none: np.ndarray


class Scripted:
    """Everybody answers a slate in the same way."""

    def __init__(
        self, examined: list[int] | None, click: list[int], bought: list[int], delay: list[int] | None
    ) -> None:
        self._answer = Response(
            np.array([click], bool),
            np.array([bought], bool),
            np.zeros(1, bool),
            None if examined is None else np.array([examined], bool),
            None if delay is None else np.array([delay]),
        )

    def sample(self, users: Streams) -> Nothing:
        return Nothing(np.zeros((len(users), 99)))

    def respond(self, state: Nothing, slate: np.ndarray, users: Streams) -> tuple[Response, Nothing]:
        return self._answer, state


def marks(text: str) -> list[str]:
    """The last column of the table."""
    return re.findall(rf" ((?:{'|'.join(STATES)})(?: \+\d)?)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        (
            Scripted([1, 0, 1, 0, 1], [0, 0, 1, 0, 1], [0, 0, 0, 0, 1], None),
            ["seen", "unseen", "clicked", "empty", "bought"],
        ),
        (
            Scripted(None, [0, 0, 1, 0, 1], [0, 0, 0, 0, 1], [2, 0, 2, 0, 3]),
            ["shown", "shown", "clicked", "empty", "bought +3"],
        ),
    ],
    ids=["examined", "not known, late"],
)
def test_marks(catalog: Catalog, users: Scripted, expected: list[str]) -> None:
    env = SlateEnv(catalog=catalog, users=users, slate_size=5, render_mode="ansi")
    env.reset()
    env.step(np.array([3, 1, 2, 3, 4]))
    text = env.render()
    assert isinstance(text, str)
    assert marks(text) == expected


def test_a_session_by_hand(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork, objectives={"click": 1.0, "conversion": 10.0, "novelty": 0.0}, render_mode="ansi")
    env.reset(options={"user": 1})
    assert env.render() == "User 1, session 0, no slate yet\nThe user has arrived.\nseen: 0\nstays: 2\n"
    price = env.simulator.catalog.price
    lines = ["#  title                         category           price"]
    env.step(np.array([5, 1, 7, 7]))
    first = str(env.render()).splitlines()
    assert first[:2] == [
        "User 1, session 0, slate 1 of at most 3",
        "The user stays. Reward of this slate 12.00, so far 12.00.",
    ]
    assert first[2].split() == lines[0].split()
    assert [line.split() for line in first[3:]] == [
        ["1", "Item", "5", "category_1", f"{price[5]:,.2f}", "clicked"],
        ["2", "Item", "1", "category_1", f"{price[1]:,.2f}", "bought"],
        ["3", "Item", "7", "category_3", f"{price[7]:,.2f}", "shown"],
        ["4", "empty"],
        ["seen:", "1"],
        ["stays:", "2"],
    ]
    env.step(np.array([5, 6, 7, 8]))
    assert str(env.render()).splitlines()[:2] == [
        "User 1, session 0, slate 2 of at most 3",
        "The user has left. Reward of this slate 1.00, so far 13.00.",
    ]
    env.reset()
    assert str(env.render()).startswith("User 2, session 0, no slate yet\nThe user has arrived.\n")
    env.step(np.array([5, 6, 7, 8]))
    assert "Reward of this slate 1.00, so far 1.00." in str(env.render())


def test_the_horizon_is_no_leaving(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork, render_mode="ansi")
    env.reset(options={"user": 3})
    for _ in range(3):
        env.step(np.arange(4))
    assert str(env.render()).splitlines()[1].startswith("The user reached the horizon.")


def test_any_catalogue_fits_80_columns(awkward: Catalog) -> None:
    env = SlateEnv(catalog=awkward, slate_size=12, render_mode="ansi")
    env.reset()
    env.step(np.arange(12))
    text = str(env.render())
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert text.replace("\n", "").isprintable()
    assert "[bold]no markup[/bold]" in text


def test_an_item_without_title_goes_by_its_id(catalog: Catalog) -> None:
    table = pd.DataFrame(catalog.table).assign(title="")
    env = SlateEnv(catalog=Catalog("shop", table, catalog.modalities), slate_size=1, render_mode="ansi")
    env.reset()
    env.step(np.array([3]))
    assert "item-000003" in str(env.render())
