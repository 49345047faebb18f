"""A figure of a page with its title and the words that stand for it."""

from __future__ import annotations

from dataclasses import dataclass

from recsim.report.chart import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure with the words that stand for it where it cannot be seen.

    Attributes:
        name: identifier in the page.
        title: heading.
        words: what it shows, for a screen reader.
        figure: plotly JSON.
    """

    name: str
    title: str
    words: str
    figure: Figure


def drawn(name: str, title: str, figure: Figure | None, words: str = "") -> list[Drawing]:
    """The drawing, or nothing where there is no figure; by default its words point to the table."""
    told = words or f"{title}; the tables have the numbers."
    return [] if figure is None else [Drawing(name, title, told, figure)]
