"""Parts of which the figures are made: plain plotly JSON whose colours are tokens of `recsim.report.palette`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from recsim.report.measured import Interval

WORDS_MARGIN = {"l": 8, "r": 56, "t": 8, "b": 8}
LONGEST = 18  # characters of a name beside a figure
NOTES_MARGIN = {"l": 8, "r": 16, "t": 26, "b": 8}
Figure = dict[str, Any]
Trace = dict[str, Any]


def label(text: str) -> str:
    """A name as plotly text, which otherwise takes tags for markup."""
    return html.escape(text, quote=False)


def tick(name: str) -> str:
    """A name that leaves room for what it stands beside, also on a telephone; the tables have it in full.

    >>> tick("static fusion"), tick("a policy of a very long name")
    ('static fusion', 'a policy of a ver…')
    """
    return label(name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip()}…")


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with a quiet grid."""
    return {
        "title": {"text": title, "standoff": 10, "font": {"size": 12, "color": "@muted"}},
        "tickfont": {"size": 12},
        "gridcolor": "@line",
        "zeroline": False,
        "linecolor": "@line",
        "automargin": True,
        "fixedrange": True,
        **more,
    }


def figure(data: list[Trace], height: int, x: dict[str, Any], y: dict[str, Any], **more: Any) -> Figure:
    """Traces with the layout that all figures share."""
    layout = {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@ink"},
        "hoverlabel": {"bgcolor": "@panel", "bordercolor": "@line", "font": {"color": "@ink"}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "xaxis": x,
        "yaxis": y,
        **more,
    }
    return {"data": data, "layout": layout}


def whiskers(values: Sequence[float], lows: Sequence[float], highs: Sequence[float], color: Any) -> dict[str, Any]:
    """Error bars from `lows` to `highs` around `values`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, high in zip(values, highs, strict=True)],
        "arrayminus": [value - low for value, low in zip(values, lows, strict=True)],
        "thickness": 1.6,
        "width": 0,
        "color": color,
    }


def forest(
    names: Sequence[str],
    intervals: Sequence[Interval],
    colors: Sequence[str],
    symbols: Sequence[str],
    words: Sequence[str],
) -> tuple[list[Trace], list[dict[str, Any]]]:
    """One row for each name: a mean with its interval, and at the right edge what it comes to in words."""
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [interval.mean],
            "y": [label(name)],
            "error_x": whiskers([interval.mean], [interval.low], [interval.high], color),
            "marker": {"color": color, "symbol": symbol, "size": 8, "line": {"width": 2, "color": color}},
            "text": [f"{interval.mean:,.3f} ({interval.low:,.3f} to {interval.high:,.3f})"],
            "hovertemplate": f"{label(name)}<br>%{{text}}<extra></extra>",
        }
        for name, interval, color, symbol in zip(names, intervals, colors, symbols, strict=True)
    ]
    notes = [
        {
            "text": word,
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 8,
            "y": row,
            "yanchor": "middle",
            "showarrow": False,
            "font": {"color": color},
        }
        for row, (word, color) in enumerate(zip(words, colors, strict=True))
    ]
    return traces, notes


def names_axis() -> dict[str, Any]:
    """The axis of a figure with one row for each name, the first on top."""
    return axis(autorange="reversed", type="category", showgrid=False, ticklabelstandoff=8)


def heading(text: str, row: float) -> dict[str, Any]:
    """The heading of a block of rows, at the left edge."""
    place = {"xref": "paper", "x": 0, "xanchor": "left", "xshift": 4, "y": row, "yanchor": "middle"}
    return {"text": f"<b>{label(text)}</b>", "showarrow": False, "font": {"size": 13, "color": "@ink"}, **place}


def vertical(x: float, y0: float = 0.0, y1: float = 1.0, *, yref: str = "paper", **line: Any) -> dict[str, Any]:
    """A vertical line at `x`."""
    style = {"color": "@muted", "width": 1, **line}
    return {
        "type": "line",
        "xref": "x",
        "yref": yref,
        "x0": x,
        "x1": x,
        "y0": y0,
        "y1": y1,
        "line": style,
        "layer": "below",
    }


def off_the_scale(words: Sequence[str]) -> list[dict[str, Any]]:
    """Notes above the right corner of a figure on what is too far out to be drawn."""
    place = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 1, "yanchor": "bottom"}
    style = {"showarrow": False, "font": {"size": 12, "color": "@muted"}}
    return [{**place, **style, "yshift": 16 * row, "text": f"off the scale: {word}"} for row, word in enumerate(words)]
