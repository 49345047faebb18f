"""A run folder as a finished run leaves it, made in a second: invented users, real arithmetic."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from recsim import Catalog, Modality
from recsim.encoding import Encoding
from recsim.metrics import mean_interval, paired_interval

OBJECTIVES, WEIGHTS = ("click", "conversion", "novelty"), np.array([1.0, 4.0, 0.5])
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)
HOSTILE = "<script>alert(1)</script>"
# name, kind, clicks, conversions and slates a session, novelty a click, value of a slate at the log's contexts
POLICIES = (
    ("uniform", "uniform", 4.1, 0.35, 6.0, 0.55, 0.9),
    ("popularity", "popularity", 6.0, 0.55, 7.5, 0.12, 1.3),
    ("static fusion", "static_fusion", 11.0, 1.3, 10.0, 0.40, 2.2),
    ("linucb", "linucb", 12.5, 1.5, 11.0, 0.44, 2.1),
    ("ppo", "ppo", 16.0, 2.1, 15.0, 0.38, 2.4),
    ("myopic oracle", "myopic_oracle", 41.0, 7.0, 19.0, 0.43, 0.0),
)
OVERLAP = {"uniform": 2.3, "popularity": 0.0, "static fusion": 12_000.0, "linucb": 310.0, "ppo": 900.0}
CONFIG = """\
name: spring test
seed: 7
catalog: openclipart
slate_size: 10
policies:
- kind: uniform
- kind: ppo
  timesteps: 100000
- kind: linucb
  n_users: 300
- kind: static_fusion
launch_log:
  n_users: 500
"""


VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A page as its elements; raises on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif data.strip() and self._open[-1] != "style":
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def attributes(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One headless Chromium for all tests."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


@pytest.fixture(scope="session")
def read_page() -> Callable[[Path], Page]:
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Twelve items with drawn pictures, the last two without, one with a hostile title."""
    images = tmp_path_factory.mktemp("images")
    n = 12
    for row in range(n - 2):
        picture = Image.new("RGB", (192, 192), "white")
        pen = ImageDraw.Draw(picture)
        hue = (37 * row % 256, 80 + 11 * row, 255 - 20 * row)
        (pen.ellipse if row % 2 else pen.rectangle)((30, 30, 162, 150 - 5 * row), fill=hue)
        picture.save(images / f"{row}.webp")
    draw = np.random.default_rng(0)
    titles = [f"Item number {row}" for row in range(n)]
    titles[0] = HOSTILE
    titles[3] = "A rather long title of a thing that nobody would ever have named like this, had they seen this page"
    table = pd.DataFrame(
        {
            "item_id": [f"id-{row}" for row in range(n)],
            "title": titles,
            "text": "",
            "category": [["animals", "food", "tools"][row % 3] for row in range(n)],
            "price": np.round(draw.lognormal(3.5, 1.0, n), 2),
            "image": [f"{row}.webp" if row < n - 2 else "" for row in range(n)],
        }
    )
    modality = Modality("text", draw.normal(size=(n, 4)).astype(np.float32), np.ones(n, np.bool_))
    return Catalog("drawn", table, {"text": modality}, image_dir=images)


@pytest.fixture(scope="session")
def shop(catalog: Catalog) -> Catalog:
    """Sixty items as strangers hand them in: hostile texts, missing pictures and modalities, and findings."""
    draw, n = np.random.default_rng(1), 60
    texts = [
        HOSTILE,
        "W" * 300,
        "\u0642\u0645\u064a\u0635",
        "🧑‍🚀 party",
        "\x1b[31mred\x07",
        "a\u202egnp.exe",
        "{{ 7 * 7 }}",
        "",
        "<b>",
    ]
    titles = texts + [f"Thing {row}" for row in range(len(texts), n)]
    table = pd.DataFrame(
        {
            "item_id": [f"id-{row}" for row in range(n)],
            "title": titles,
            "text": [f"{title} in words" for title in titles],
            "category": [("animals", "food", "<img src=x onerror=alert(1)>", "K" * 90)[row % 4] for row in range(n)],
            "price": [0.0, *np.round(draw.lognormal(3.5, 1.0, n - 1), 2)],
            "created": [f"{1990 + row % 30}-05-31" if row % 3 else "" for row in range(n)],
            "image": [f"{row % 10}.webp" if row % 3 else "" for row in range(n)],
        }
    )
    made = Encoding("text", "<i>my encoder</i>", "0f" * 8, np.zeros(8, np.float32), np.eye(4, 8, dtype=np.float32))
    shares = {"text": 1.0, "image": 0.6, "behaviour": 0.3}
    modalities = {
        name: Modality(
            name, draw.normal(size=(n, 4)).astype(np.float32), draw.random(n) < share, made if share == 1.0 else None
        )
        for name, share in shares.items()
    }
    findings = [(f"id-{row}", "near-duplicate picture", f"as that of id-{row + 1}", "kept") for row in range(8)]
    findings += [
        ("id-99", "duplicate row", "the same as id-1", "dropped"),
        ("", HOSTILE, "\x1b]0;title\x07no colours", ""),
    ]
    card = (
        "# A <shop>\n\n[evil](javascript:alert(1)), [good](https://example.org/x), ![seen](https://example.org/p.png)\n\n"
        f"<div onclick=alert(1)>{HOSTILE}</div>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\x1b[2J- {'w' * 200}\n"
    )
    columns = ["item_id", "what", "found", "done"]
    return Catalog("shop <b>", table, modalities, card, catalog.image_dir, pd.DataFrame(findings, columns=columns))


@pytest.fixture(scope="session")
def metrics() -> dict[str, Any]:
    """The content of metrics.json."""
    sessions = {name: _sessions(*numbers) for name, _, *numbers in POLICIES}
    base, best = sessions["static fusion"], sessions["ppo"]
    return {
        "schema": 1,
        "name": "spring test",
        "seed": 7,
        "catalog": {"name": "drawn", "n_items": 12},
        "objectives": list(OBJECTIVES),
        "weights": WEIGHTS.tolist(),
        "slate_size": 10,
        "horizon": 30,
        "n_users": 2000,
        "level": 0.95,
        "log": {"policy": "static fusion", "slates": 12345, "sessions": 1000},
        "policies": [_policy(name, kind, sessions[name], numbers) for name, kind, *numbers in POLICIES],
        "differences": [
            {
                "policy": name,
                "against": "static fusion",
                "objective": key,
                **asdict(paired_interval(own[key], base[key])),
            }
            for name, own in sessions.items()
            if name != "static fusion"
            for key in ("reward", *OBJECTIVES)
        ],
        "best": [
            {"policy": "ppo", "against": name, "objective": key, **asdict(paired_interval(best[key], own[key], 0.9875))}
            for name, own in sessions.items()
            if name not in ("ppo", "myopic oracle")
            for key in ("reward", *OBJECTIVES)
        ],
        "offline_differences": [
            {"policy": "ppo", "against": "static fusion", "estimator": "dr", "objective": "reward"}
            | {"mean": 0.2, "se": 0.05, "low": 0.1, "high": 0.3}
        ],
        "offline": [e for name, *_, value in POLICIES if name in OVERLAP for e in _estimates(name, value)],
        "overlap": {name: _overlap(place) for place, name in enumerate(OVERLAP)},
        "front": _front(),
        "warnings": [
            "popularity, whole slates: it would never show any of the logged slates, so the log says nothing."
        ],
    }


@pytest.fixture(scope="session")
def evaluation(metrics: dict[str, Any]) -> dict[str, Any]:
    """An evaluation of a log alone, with every optional part; one policy bears a hostile name."""
    renamed = json.loads(json.dumps(metrics).replace('"uniform"', json.dumps(HOSTILE)))
    whole = [
        e | {"estimator": name, "estimand": "session", "ess": None if e["ess"] is None else e["ess"] / 6}
        for e in renamed["offline"]
        for own, name in (("sips", "own session estimator"), ("dr", "session dr"))
        if e["estimator"] == own
    ]
    lead = {"policy": "ppo", "against": "linucb", "estimator": "session dr", "objective": "reward"}
    interval = {"mean": 2.0, "se": 0.1, "low": 1.8, "high": 2.2}
    bound = {"policy": "ppo", "estimator": "rips", "objective": "reward", "low": 0.5, "high": 9.0}
    row = {"world": "rare weights", "estimator": "dr", "se": 0.01, "width": 0.4}
    return {
        "level": 0.95,
        "n_slates": 12345,
        "n_sessions": 1000,
        "n_boot": 200,
        "seed": 7,
        "objectives": [*OBJECTIVES, "reward"],
        "weights": WEIGHTS.tolist(),
        "estimates": [*renamed["offline"], *whole],
        "differences": [
            *renamed["offline_differences"],
            lead | {"estimator": "dr", "mean": 0.1, "se": 0.1, "low": -0.1, "high": 0.3},
        ],
        "session_differences": [lead | {"mean": 0.5, "se": 0.3, "low": -0.1, "high": 1.1}],
        "warnings": {"popularity": renamed["warnings"]},
        "left_out": {"cascade-dr": "needs items drawn at every position."},
        "overlap": {e: _overlap(place) for place, e in enumerate((HOSTILE, *list(OVERLAP)[1:]))},
        "power": [
            {"policy": "ppo", "against": "linucb", "estimator": "dr", "now": 1000, "needed": 4000}
            | {"sentence": "3,000 more sessions would tell ppo from linucb."}
        ],
        "guaranteed": [bound | {"method": "maurer-pontil"}],
        "region": [bound | {"method": "ellipsoid", "objective": name} for name in OBJECTIVES],
        "calibration": {
            "bins": [{"predicted": p, "observed": 0.9 * p, "n": 100} for p in (0.1, 0.4)],
            "sentences": ["the propensities are estimates, too high by a tenth."],
        },
        "assessment": [
            {"estimand": "slate", "estimator": "dr", "spearman": 0.9, "regret@1": None, "note": "no policy is unsafe."}
        ],
        "coverage": {
            "replications": 2000,
            "level": 0.95,
            "intervals": [
                row | {"interval": "bootstrap", "kind": "asymptotic", "coverage": 0.6, "kept": None},
                row | {"interval": "maurer-pontil", "kind": "guaranteed", "coverage": 0.999, "kept": True},
            ],
        },
        "in_force": {"slate": {"reward": interval}},
        "source": {"log": "logs/spring.parquet", "policy": "static fusion", "temperature": 0.5},
    }


@pytest.fixture(scope="session")
def write_run(metrics: dict[str, Any], catalog: Catalog) -> Callable[..., Path]:
    """Writes a whole run folder into one: `write_run(tmp_path, metrics=..., examples=None)` changes or omits a part."""

    def write(into: Path, **changes: Any) -> Path:
        parts: dict[str, Any] = {
            "metrics": metrics,
            "examples": _examples(catalog),
            "curve": _curve(),
            "config": CONFIG,
        } | changes
        folder = into / "run"
        folder.mkdir(exist_ok=True)
        manifest = {"schema": 1, "recsim": "0.1.0", "seed": 7, "versions": {"numpy": "2.4.6"}, "stages": ["launch log"]}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "timings.json").write_text(json.dumps({"launch log": 1.234, "ppo": 73.21}))
        for name, part in (("metrics.json", parts["metrics"]), ("examples.json", parts["examples"])):
            if part is not None:
                (folder / name).write_text(json.dumps(part))
        if parts["config"] is not None:
            (folder / "config.yaml").write_text(parts["config"])
        if parts["curve"] is not None:
            parts["curve"].to_parquet(folder / "learning_curve.parquet")
        return folder

    return write


@pytest.fixture
def make_run(tmp_path: Path, write_run: Callable[..., Path]) -> Callable[..., Path]:
    """The same in the folder of the test: `make_run(metrics=...)`."""
    return partial(write_run, tmp_path)


def _sessions(clicks: float, conversions: float, slates: float, novelty: float, _: float) -> dict[str, Any]:
    """Session totals of 2,000 users; every policy meets the same users."""
    draw = np.random.default_rng(11)
    eager = draw.gamma(4.0, 0.25, 2000)
    own = np.random.default_rng(int(100 * clicks))
    click = own.poisson(clicks * eager).astype(float)
    conversion = own.binomial(click.astype(int), conversions / clicks).astype(float)
    new = click * novelty * own.uniform(0.8, 1.2, 2000)
    reward = np.stack([click, conversion, new], axis=1) @ WEIGHTS
    length = np.minimum(30, 1 + own.poisson(slates - 1, 2000)).astype(float)
    return {"reward": reward, "click": click, "conversion": conversion, "novelty": new, "length": length}


def _policy(name: str, kind: str, sessions: dict[str, Any], numbers: list[float]) -> dict[str, Any]:
    value = {
        "reward": numbers[4],
        "click": 0.5 * numbers[4],
        "conversion": 0.1 * numbers[4],
        "novelty": 0.2 * numbers[4],
    }
    slate = {key: {"mean": v, "se": 0.02 * v, "low": 0.96 * v, "high": 1.04 * v} for key, v in value.items()}
    shown = 10 * sessions["length"].sum()
    return {
        "name": name,
        "kind": kind,
        "temperature": 1.0 if kind == "ppo" else 0.0,
        "truth": {key: asdict(mean_interval(values)) for key, values in sessions.items()},
        "metrics": {
            "ctr": sessions["click"].sum() / shown,
            "cvr": sessions["conversion"].sum() / sessions["click"].sum(),
            "novelty_per_click": sessions["novelty"].sum() / sessions["click"].sum(),
            "coverage": 0.9 if kind == "uniform" else 0.4,
            "gini": 0.1 if kind == "uniform" else 0.8,
        },
        "slate_truth": None if "oracle" in kind else slate,
    }


def _front() -> dict[str, Any]:
    """Two families under three preferences; the new one covers more, and trades clicks against novelty."""

    def about(value: float, se: float = 0.1) -> dict[str, float]:
        return {"mean": value, "se": se, "low": value - 2 * se, "high": value + 2 * se}

    grid = ((1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.0, 0.0, 1.0))
    brought = {
        "weighed static fusion": ((9.0, 1.0, 2.0), (8.0, 0.9, 1.9), (7.0, 0.8, 4.0)),
        "told ppo": ((12.0, 2.0, 3.0), (11.0, 2.2, 4.0), (9.0, 1.9, 5.0)),
    }
    families = [
        {
            "family": name,
            "points": [
                {
                    "preference": preference,
                    "truth": dict(zip(OBJECTIVES, map(about, point), strict=True)),
                    "dominated": point == (8.0, 0.9, 1.9),
                }
                for preference, point in zip(grid, points, strict=True)
            ],
            "moves": {key: about(b - a) for key, a, b in zip(OBJECTIVES, points[0], points[2], strict=True)},
            "hypervolume": about(40.0 if name == "told ppo" else 25.0, 1.0),
        }
        for name, points in brought.items()
    ]
    more = {"policy": "told ppo", "against": "weighed static fusion", "objective": "hypervolume", **about(15.0, 1.0)}
    return {"n_users": 500, "families": families, "differences": [more]}


def _overlap(place: int) -> dict[str, Any]:
    """Weights that reach further for every policy; the second one would never show what was logged."""
    counts = [0] * 32
    for bar in range(16 - place, 16 + place + 1):
        counts[bar] = 100
    nothing = place == 1
    positions = [
        {"position": k, "ess": 0.0 if nothing else 10_000.0 / (1 + place) ** k, "mean": 1.0, "largest": 9.0 + k}
        | {"zero_share": 0.1 * place}
        for k in range(10)
    ]
    histogram = {"low": -4.0, "high": 4.0, "counts": [0] * 32 if nothing else counts}
    return {"positions": positions, "histogram": histogram, "zero": 12345 if nothing else 100 * place}


def _estimates(name: str, value: float) -> list[dict[str, Any]]:
    found = []
    for place, estimator in enumerate(("sips", "rips", "snsips", "snrips", "dm", "dr")):
        whole = estimator in ("sips", "snsips")
        ess = None if estimator == "dm" else OVERLAP[name] / (5 if whole else 1)
        for objective, share in (("click", 0.5), ("conversion", 0.1), ("novelty", 0.2), ("reward", 1.0)):
            found.append(_estimate(name, estimator, objective, share * value, ess, place))
    return found


def _estimate(name: str, estimator: str, objective: str, truth: float, ess: float | None, place: int) -> dict[str, Any]:
    se = 0.05 * truth if ess is None else truth * 4 / np.sqrt(max(ess, 1.0))
    miss = (0.4, -0.6, 0.9, 0.3, 3.0, -0.2)[place]
    value: float | None = truth + miss * se
    verdict, reason = "trust", f"effective sample size {ess} slates, and no single slate dominates."
    if ess is None:
        verdict, reason = "caution", "the value rests on the reward model alone."
    elif ess < 50:
        verdict, reason = "do not use", f"effective sample size {ess} of 12,345 logged slates."
        value = None if ess == 0 else truth * (9.0 if estimator == "sips" else 0.1)
    elif ess < 500:
        verdict, reason = "caution", f"effective sample size {ess} of 12,345 logged slates, fewer than 500."
    ends = (None, None) if value is None else (value - 1.96 * se, value + 1.96 * se)
    weight = {"max_weight": None, "mean_weight": None} if ess is None else {"max_weight": 52.3, "mean_weight": 0.97}
    part = {"policy": name, "estimator": estimator, "objective": objective, "value": value, "se": se, "truth": truth}
    return part | weight | {"low": ends[0], "high": ends[1], "ess": ess, "verdict": verdict, "reason": reason}


def _examples(catalog: Catalog) -> list[dict[str, Any]]:
    found = []
    for number, policy in enumerate(("static fusion", "ppo")):
        order = np.random.default_rng(number).permutation(12)[:10]
        rows = [
            {"item": int(i), **catalog.table.loc[i, ["item_id", "title", "category", "price"]].to_dict()} for i in order
        ]
        rows[9] = {"item": -1, "item_id": "", "title": "", "category": "", "price": None}
        examined = [True] * (6 + number) + [False] * (4 - number)
        click = [position in (1, 4) for position in range(10)]
        bought = [position == 4 for position in range(10)]
        found.append(
            {
                "policy": policy,
                "user": 17,
                "step": 2,
                "items": rows,
                "examined": examined,
                "click": click,
                "conversion": bought,
            }
        )
    return found


def _curve() -> pd.DataFrame:
    steps = np.arange(6) * 20_000
    reward = 17.0 + 8.0 * (1 - np.exp(-steps / 40_000))
    return pd.DataFrame(
        {"policy": "ppo", "timesteps": steps, "reward": reward, "low": reward - 1.2, "high": reward + 1.2}
    )
