"""What a frame of `SlateEnv` shows, and the frame as text. `recsim.envs.render` draws it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsim.envs.hidden import Gauge, figure, gauges, printable, told
from recsim.simulator import Simulator, Step

COLUMNS, LABEL = 80, 40  # of the text, and the most of one name in it
STATES = {
    "unseen": "not looked at",
    "seen": "looked at",
    "shown": "perhaps looked at",
    "clicked": "not bought",
    "bought": "after a click",
    "empty": "repeated or not there yet",
}


@dataclass(frozen=True)
class Card:
    """One position of the slate.

    Attributes:
        position: from 1.
        state: one of `STATES`; "" before the first slate.
        title: of the item.
        category: of the item.
        price: as text.
        image: the item's picture, where it has one.
        late: steps until the conversion arrives.
    """

    position: int
    state: str
    title: str = ""
    category: str = ""
    price: str = ""
    image: Path | None = None
    late: int = 0

    @property
    def mark(self) -> str:
        """The state, with the delay of a conversion that comes late."""
        return f"{self.state} +{self.late}" if self.late else self.state


@dataclass(frozen=True)
class Scene:
    """What one frame says.

    Attributes:
        who: user, session and slate.
        told: what the user declares openly, "" for nothing.
        reward: of this slate, None before the first.
        total: reward of the session so far.
        ending: "stays", "has left" or "reached the horizon".
        cards: the k positions.
        gauges: the hidden state after the slate.
    """

    who: str
    told: str
    reward: float | None
    total: float
    ending: str
    cards: tuple[Card, ...]
    gauges: tuple[Gauge, ...]


def scene(simulator: Simulator, step: Step | None, total: float) -> Scene:
    """The scene of a simulator with one user.

    Args:
        simulator: where the user is now.
        step: the last one of this session, None before the first.
        total: reward of the session so far.
    """
    who = f"User {simulator.streams.user[0]}, session {simulator.streams.session[0]}"
    said, hidden = told(simulator), tuple(gauges(simulator))
    if step is None:
        blank = tuple(Card(position + 1, "") for position in range(simulator.slate_size))
        return Scene(f"{who}, no slate yet", said, None, total, "has arrived", blank, hidden)
    who = f"{who}, slate {simulator.streams.step[0]} of at most {simulator.horizon}"
    ending = "has left" if step.terminated[0] else "reached the horizon" if step.truncated[0] else "stays"
    cards = tuple(_card(simulator, step, position) for position in range(simulator.slate_size))
    return Scene(who, said, float(step.reward[0]), total, ending, cards, hidden)


def as_text(shown: Scene) -> str:
    """The scene as lines of at most 80 columns, without colour codes."""
    earned = "" if shown.reward is None else f" Reward of this slate {shown.reward:.2f}, so far {shown.total:.2f}."
    lines = [shown.who, f"The user {shown.ending}.{earned}"]
    lines += [_cut(shown.told, COLUMNS)] if shown.told else []
    lines += [] if shown.reward is None else _table(shown.cards)
    for gauge in shown.gauges:
        lines += _entries(gauge)
    return "\n".join(lines) + "\n"


def _entries(gauge: Gauge) -> list[str]:
    """A gauge as running text, broken between its rows."""
    heading = ", ".join(filter(None, gauge.columns))
    lines = [f"{_cut(gauge.name, LABEL)}{f' ({heading})' if heading else ''}:"]
    entries = [
        " ".join(filter(None, (_cut(label, LABEL), *map(figure, numbers))))
        for label, *numbers in zip(gauge.labels, *gauge.columns.values(), strict=True)
    ] + ([f"and {gauge.more} more"] if gauge.more else [])
    for number, entry in enumerate(entries, 1):
        piece = f" {entry}{',' if number < len(entries) else ''}"
        if cell_len(lines[-1] + piece) > COLUMNS:
            lines.append(" ")
        lines[-1] += piece
    return lines


def _cut(text: str, columns: int) -> str:
    """The beginning of the text that fits; letters may be two columns wide."""
    cut = Text(text)
    cut.truncate(columns, overflow="ellipsis")
    return cut.plain


def _table(cards: tuple[Card, ...]) -> list[str]:
    table = Table(box=None, pad_edge=False, expand=True, header_style="")
    table.add_column("#", justify="right")
    table.add_column("title", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("category", ratio=2, no_wrap=True, overflow="ellipsis")
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for card in cards:
        table.add_row(*map(Text, (str(card.position), card.title, card.category, card.price, card.mark)))
    console = Console(width=COLUMNS, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def print_text(text: str) -> None:
    """Print a text; letters that the output cannot show become question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def _card(simulator: Simulator, step: Step, position: int) -> Card:
    item = int(step.slate[0, position])
    if item < 0:
        return Card(position + 1, "empty")
    catalog, response = simulator.catalog, step.response
    row = catalog.table.iloc[item]
    bought = bool(response.conversion[0, position])
    if response.click[0, position]:
        state = "bought" if bought else "clicked"
    elif response.examined is None:
        state = "shown"
    else:
        state = "seen" if response.examined[0, position] else "unseen"
    late = int(response.delay[0, position]) if bought and response.delay is not None else 0
    title = printable(row["title"]) or printable(row["item_id"])
    price = f"{catalog.price[item]:,.2f}"
    return Card(position + 1, state, title, printable(row["category"]), price, catalog.image_path(item), late)
