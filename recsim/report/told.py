"""Reports for programs: the numbers as they are, with the answer in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recsim.report import answers, sentences
from recsim.report.answers import Point
from recsim.report.offline import Offline
from recsim.report.read import Run


def evaluation_json(found: dict[str, Any], offline: Offline) -> str:
    """`found` with `headline` and `points`."""
    return _text(found, answers.headline(offline), answers.points(offline))


def run_json(run: Run, path: Path) -> str:
    """`metrics.json` with `headline` and `points`."""
    found = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    return _text(found, sentences.headline(run), sentences.points(run))


def _text(found: dict[str, Any], headline: str, points: list[Point]) -> str:
    told = {"headline": headline, "points": {point.title: point.text for point in points}}
    return json.dumps(told | found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
