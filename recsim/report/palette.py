"""Colours of the page and its figures in the light and in the dark theme.

Figures name colours by token (``"@accent"``), which the page replaces by the theme in force. The hues are Okabe and
Ito's (2008, "Color universal design"), darkened or lightened until their contrast with the background is at least 4.5.
"""

from __future__ import annotations

from typing import Any

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f5f6f8",
    "ink": "#1b1e23",
    "muted": "#59616c",
    "line": "#d5d9df",
    "accent": "#0a5ea8",
    "accent-soft": "#e3eefa",
    "trust": "#00735a",
    "caution": "#9a5b00",
    "refuse": "#b3341a",
}
DARK = {
    "paper": "#14171c",
    "panel": "#1d2128",
    "ink": "#e9ebee",
    "muted": "#a4acb7",
    "line": "#3a414c",
    "accent": "#6db3f2",
    "accent-soft": "#1b3048",
    "trust": "#4fcba4",
    "caution": "#f0b24a",
    "refuse": "#ff8d70",
}
TOKENS = {f"@{name}": name for name in LIGHT}
VERDICT = {"trust": "@trust", "caution": "@caution", "do not use": "@refuse"}
SYMBOL = {"trust": "circle", "caution": "triangle-up", "do not use": "x"}
SIGN = {"trust": "●", "caution": "▲", "do not use": "✕"}


def coloured(figure: Any, theme: dict[str, str]) -> Any:
    """A copy of a figure with every token replaced by its colour in `theme`.

    >>> coloured({"line": {"color": "@ink"}, "y": [1]}, {"ink": "#000000"})
    {'line': {'color': '#000000'}, 'y': [1]}
    """
    if isinstance(figure, dict):
        return {key: coloured(value, theme) for key, value in figure.items()}
    if isinstance(figure, list):
        return [coloured(value, theme) for value in figure]
    return theme[TOKENS[figure]] if isinstance(figure, str) and figure in TOKENS else figure
