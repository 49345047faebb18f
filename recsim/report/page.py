"""Puts sentences, tables, figures and pictures together into one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import recsim
from recsim.report import answers, figures, fronts, sentences, tables
from recsim.report.budgets import budgets
from recsim.report.curve_figure import learning_curve
from recsim.report.drawing import Drawing, drawn
from recsim.report.format import percent
from recsim.report.offline import Offline
from recsim.report.offline_part import offline_part
from recsim.report.palette import DARK, LIGHT
from recsim.report.pictures import Gallery, gallery
from recsim.report.read import Run
from recsim.report.rendering import environment, inlined, packed, script_hash, source
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
        gallery(run.examples or (), ranked, catalog, run.catalog),
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
        gallery(found.examples, found.policies, catalog),
        found=found,
        level=percent(found.level, 0),
        headline=answers.headline(found),
        points=answers.points(found),
        offline=part,
        trades=trades,
        links=estimates,
        version=recsim.__version__,
    )


def _rendered(template: str, shown: Sequence[Drawing], shown_slates: Gallery, **context: Any) -> str:
    """A page with its figures and its scripts."""
    from plotly.offline import get_plotlyjs

    found = environment()
    plotly, script = get_plotlyjs(), inlined(source(found, "report.js"))
    return found.get_template(template).render(
        figures={drawing.name: drawing.figure for drawing in shown},
        themes={"light": LIGHT, "dark": DARK},
        slates_open=SLATES_OPEN,
        style=Markup(source(found, "style.css")),
        plotly=packed(plotly),
        script=script,
        gallery=shown_slates,
        pictures=shown_slates.pictures,
        hashes=[script_hash(plotly), script_hash(script)],
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
