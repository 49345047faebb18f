"""Puts sentences, tables, figures and pictures together into one HTML page that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from recsim.ope import ESTIMATORS, PREFERRED
from recsim.report import figures, fronts, offline_figures, sentences, tables
from recsim.report.budgets import budgets
from recsim.report.chart import Figure
from recsim.report.curve_figure import learning_curve
from recsim.report.format import compact, percent
from recsim.report.palette import DARK, LIGHT
from recsim.report.pictures import gallery
from recsim.report.read import Run

if TYPE_CHECKING:
    from recsim.catalog import Catalog

SLATES_OPEN = 2  # of each policy; the others are folded away


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


def render(run: Run, catalog: Catalog | None = None) -> str:
    """The page of a run as HTML."""
    from plotly.offline import get_plotlyjs

    environment = _environment()
    drawings = _drawings(run)
    plotly, script = _inline(get_plotlyjs()), _inline(_source(environment, "report.js"))
    return environment.get_template("report.html.j2").render(
        run=run,
        metrics=run.metrics,
        headline=sentences.headline(run),
        points=sentences.points(run),
        budgets=budgets(run),
        preferred=PREFERRED,
        estimators={
            e.estimator: ESTIMATORS[e.estimator].what for e in run.metrics.offline if e.estimator in ESTIMATORS
        },
        tables={
            "policies": tables.policies(run),
            "differences": tables.differences(run),
            "estimates": tables.estimates(run),
            "overlap": tables.overlap(run),
            "metrics": tables.metrics(run),
            "learning_curve": tables.learning_curve(run),
            "front": fronts.front_table(run),
            "hypervolumes": fronts.hypervolumes(run),
        },
        drawings={drawing.name: drawing for drawing in drawings},
        figures={drawing.name: drawing.figure for drawing in drawings},
        themes={"light": LIGHT, "dark": DARK},
        warnings=sentences.warnings_by_subject(run),
        falls=fronts.falls(run),
        front=fronts.front_sentences(run),
        gallery=gallery(run, catalog),
        slates_open=SLATES_OPEN,
        style=Markup(_source(environment, "style.css")),
        plotly=plotly,
        script=script,
        hashes=[_hash(plotly), _hash(script)],
    )


def _drawings(run: Run) -> list[Drawing]:
    """Every figure that the run has data for."""
    makers: list[tuple[str, str, Callable[[Run], Figure | None]]] = [
        ("returns", "True return a session", figures.returns),
        ("differences", "Paired difference of the return", figures.differences),
        ("learning-curve", "Learning curve", learning_curve),
        ("estimates", "Offline estimates and the truth", offline_figures.estimates),
        ("effective-sizes", "Effective sample size", offline_figures.effective_sizes),
    ]
    found = [(name, title, figure(run)) for name, title, figure in makers]
    if "novelty" in run.metrics.objectives:
        for across in (name for name in ("click", "conversion") if name in run.metrics.objectives):
            found.append(
                (f"trade-off-{across}", f"{across.capitalize()} and novelty", figures.trade_off(run, across, "novelty"))
            )
            found.append(
                (
                    f"front-{across}",
                    f"{across.capitalize()} and novelty under preferences",
                    fronts.front_figure(run, across, "novelty"),
                )
            )
    return [
        Drawing(
            name,
            title,
            f"{title}, drawn for {len(run.metrics.policies)} policies; the table below has the numbers.",
            figure,
        )
        for name, title, figure in found
        if figure is not None
    ]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("recsim.report"),
        autoescape=select_autoescape(enabled_extensions=("j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"percent": percent, "compact": compact, "thousands": "{:,}".format}
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _inline(script: str) -> Markup:
    """A script that can stand inside a page, as the browser will read it."""
    return Markup(script.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script"))


def _hash(script: str) -> str:
    """The source expression with which the page's content security policy allows one script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"
