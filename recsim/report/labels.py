"""Where to write the names of points in a scatter plot."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.report.results import Interval


def text_positions(x: Sequence[Interval], y: Sequence[Interval], names: Sequence[str]) -> list[str]:
    """Where to write the names of points so that they hide each other and the whiskers least: greedily, one by one.

    >>> def exactly(value: float) -> Interval:
    ...     return Interval(mean=value, se=0.0, low=value, high=value)
    >>> x, y = [exactly(0.0), exactly(0.01), exactly(1.0)], [exactly(0.0), exactly(0.0), exactly(1.0)]
    >>> text_positions(x, y, ["first", "second", "third"])
    ['top left', 'top right', 'top right']
    """
    across, up = _Scale(x), _Scale(y)
    taken = [box for a, b in zip(x, y, strict=True) for box in _cross(across, up, a, b)]
    chosen = []
    for a, b, name in zip(x, y, names, strict=True):
        centre, width = (across.at(a.mean), up.at(b.mean)), CHARACTER * len(name)
        options = [
            (place, _box(centre[0] + dx * (width / 2 + MARK), centre[1] + dy * 0.7 * LINE, width, LINE))
            for place, (dx, dy) in PLACES.items()
        ]
        place, box = min(options, key=lambda option: sum(_shared(option[1], other) for other in taken))
        taken.append(box)
        chosen.append(place)
    return chosen


# Sizes as shares of the width or height of what is drawn, at the usual size of a figure.
CHARACTER, LINE, MARK, STROKE = 0.017, 0.06, 0.02, 0.006
PLACES = {  # the corners first, for whiskers run to the sides
    "top right": (1, 1),
    "top left": (-1, 1),
    "bottom right": (1, -1),
    "bottom left": (-1, -1),
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
}
Box = tuple[float, float, float, float]


class _Scale:
    """Coordinates as shares of an axis."""

    def __init__(self, intervals: Sequence[Interval]) -> None:
        self._low = min(interval.low for interval in intervals)
        self._span = (max(interval.high for interval in intervals) - self._low) or 1.0

    def at(self, value: float) -> float:
        return (value - self._low) / self._span


def _cross(across: _Scale, up: _Scale, x: Interval, y: Interval) -> list[Box]:
    """A marker and its whiskers."""
    a, b = across.at(x.mean), up.at(y.mean)
    return [
        _box(a, b, MARK, LINE / 2),
        (across.at(x.low), across.at(x.high), b - STROKE, b + STROKE),
        (a - STROKE, a + STROKE, up.at(y.low), up.at(y.high)),
    ]


def _box(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, x + width / 2, y - height / 2, y + height / 2


def _shared(a: Box, b: Box) -> float:
    """Area that two boxes share."""
    width = min(a[1], b[1]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[2], b[2])
    return width * height if width > 0 and height > 0 else 0.0
