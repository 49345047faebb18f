"""Puts sentences, tables, figures and pictures together into one HTML page that needs no network."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

import recsim
from recsim.report import answers, figures, fronts, sentences, tables
from recsim.report.budgets import budgets
from recsim.report.curve_figure import learning_curve
from recsim.report.drawing import Drawing, drawn
from recsim.report.format import compact, percent
from recsim.report.offline import Offline
from recsim.report.offline_part import offline_part
from recsim.report.palette import DARK, LIGHT
from recsim.report.pictures import gallery
from recsim.report.read import Run
from recsim.report.spots import estimated_trade_off, pairs

if TYPE_CHECKING:
    from recsim.catalog import Catalog

SLATES_OPEN = 2  # of the first session of each policy; the others are folded away
Links = Sequence[tuple[str, str]]


def run_page(run: Run, catalog: Catalog | None = None, links: Links = (), estimates: Links = ()) -> str:
    """The page of a run as HTML.

    Args:
        run: the run.
        catalog: where pictures of items come from; by default the catalogue that the config names.
        links: files beside the page, and what they hold.
        estimates: those of them that are tables of the estimates.
    """
    part, drawings = offline_part(run.offline), _run_drawings(run)
    ranked = [policy.name for policy in sorted(run.ranked, key=lambda policy: policy.is_oracle)]
    return _rendered(
        "report.html.j2",
        [*drawings, *part.drawings],
        run=run,
        metrics=run.metrics,
        level=percent(run.metrics.level, 0),
        headline=sentences.headline(run),
        points=sentences.points(run),
        budgets=budgets(run),
        offline=part,
        tables={
            "policies": tables.policies(run),
            "differences": tables.differences(run),
            "metrics": tables.metrics(run),
            "learning_curve": tables.learning_curve(run),
            "front": fronts.front_table(run),
            "hypervolumes": fronts.hypervolumes(run),
        },
        drawings={drawing.name: drawing for drawing in drawings},
        trades=[drawing for drawing in drawings if drawing.name.startswith("trade-off")],
        front_drawings=[drawing for drawing in drawings if drawing.name.startswith("front")],
        tables_beside=estimates,
        falls=fronts.falls(run),
        front=fronts.front_sentences(run),
        gallery=gallery(run.examples or (), ranked, catalog, run.catalog),
        links=[*links, *estimates],
    )


def evaluation_page(found: Offline, catalog: Catalog | None = None, estimates: Links = ()) -> str:
    """The page of an evaluation of a log as HTML; `estimates` are tables of them beside it, and what they hold."""
    part = offline_part(found)
    trades = [
        one
        for across, up in (pairs(found.objectives[:-1]) if found.estimates else [])
        for one in drawn(
            f"trade-off-{across}-{up}",
            f"{across.capitalize()} and {up}",
            estimated_trade_off(found, across, up),
            f"Policies by {across} and {up}; the table of objectives has the numbers.",
        )
    ]
    return _rendered(
        "evaluation.html.j2",
        [*trades, *part.drawings],
        found=found,
        level=percent(found.level, 0),
        headline=answers.headline(found),
        points=answers.points(found),
        offline=part,
        trades=trades,
        gallery=gallery(found.examples, found.policies, catalog),
        links=estimates,
        version=recsim.__version__,
    )


def _rendered(template: str, shown: Sequence[Drawing], **context: Any) -> str:
    """A page with its figures and its scripts."""
    from plotly.offline import get_plotlyjs

    environment = _environment()
    plotly, script = get_plotlyjs(), _inline(_source(environment, "report.js"))
    return environment.get_template(template).render(
        figures={drawing.name: drawing.figure for drawing in shown},
        themes={"light": LIGHT, "dark": DARK},
        slates_open=SLATES_OPEN,
        style=Markup(_source(environment, "style.css")),
        plotly=_packed(plotly),
        script=script,
        hashes=[_hash(plotly), _hash(script)],
        **context,
    )


def _run_drawings(run: Run) -> list[Drawing]:
    """Every figure of what is true in the simulation that the run has data for."""
    found = [
        *drawn("returns", "True return a session", figures.returns(run)),
        *drawn("differences", "Paired difference of the return", figures.differences(run)),
        *drawn("learning-curve", "Learning curve", learning_curve(run)),
    ]
    for across, up in pairs(run.metrics.objectives):
        title = f"{across.capitalize()} and {up}"
        found += drawn(f"trade-off-{across}-{up}", title, figures.trade_off(run, across, up))
        found += drawn(f"front-{across}-{up}", f"{title} under preferences", fronts.front_figure(run, across, up))
    return found


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


def _packed(script: str) -> str:
    """A large script as text, compressed to a third: the same bytes for the same script."""
    return base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode("ascii")


def _hash(script: str) -> str:
    """The source expression with which the page's content security policy allows one script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"
