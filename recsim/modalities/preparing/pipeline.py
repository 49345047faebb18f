"""A catalogue prepared step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from recsim.catalog import Catalog
from recsim.modalities.derived import derived_card
from recsim.modalities.preparing import joint_steps, steps
from recsim.modalities.preparing.settings import Clean, Preparation, Step
from recsim.modalities.preparing.steps import EncodeTexts, encode_texts
from recsim.streams import sub_seed

STEPS: dict[str, Callable[[Catalog, Any, int], Catalog]] = {
    "impute": steps.impute,
    "standardise": steps.standardise,
    "denoise": steps.denoise,
    "outliers": steps.find_outliers,
    "inconsistent": joint_steps.find_inconsistent,
    "align": joint_steps.align,
    "vote": joint_steps.hold_vote,
    "fuse": joint_steps.fuse,
}


def prepare(
    catalog: Catalog,
    preparation: Preparation,
    *,
    encode: EncodeTexts = encode_texts,
    progress: Callable[[int], None] | None = None,
) -> Catalog:
    """The catalogue after all steps, in their order; the one given stays as it is.

    Every step adds to `Catalog.findings` what it found and did, item by item; the card lists the steps. Modalities
    that are absent stay so unless a step imputes them. One whose rows are all transformed (standardised, denoised,
    aligned) loses its `Modality.encoding`, which would lead other items elsewhere; where single items are filled in
    or clipped within the space of the others, it stays.
    The same catalogue, steps and seed give the same result, on any number of threads.

    Args:
        catalog: what is prepared.
        preparation: the steps.
        encode: what brings cleaned texts into the space of a modality.
        progress: called with the number of steps done.

    Raises:
        ValueError: if a step cannot be done; the sentence begins with its number and kind.
    """
    from threadpoolctl import threadpool_limits

    card = derived_card(
        catalog, "Prepared", f"Steps, in this order, with seed {preparation.seed}:", _listed(preparation)
    )
    with threadpool_limits(limits=1):  # more threads add in another order
        for number, step in enumerate(preparation.steps):
            seed = sub_seed(preparation.seed, f"step {number}")
            kind: str = step.kind
            try:
                catalog = _done(catalog, step, seed, encode)
            except ValueError as error:
                raise ValueError(f"step {number + 1} ({kind}): {error}") from error
            if progress is not None:
                progress(number + 1)
    return catalog.replaced(card=card)


def _listed(preparation: Preparation) -> str:
    """The steps with all their settings, as a numbered list of what could stand in a YAML file."""
    import yaml

    told = ({"kind": None, **step.model_dump(mode="json")} for step in preparation.steps)
    lines = (yaml.safe_dump(step, default_flow_style=True, sort_keys=False, width=math.inf).strip() for step in told)
    return "\n".join(f"{number}. `{line}`" for number, line in enumerate(lines, 1))


def _done(catalog: Catalog, step: Step, seed: int, encode: EncodeTexts) -> Catalog:
    if isinstance(step, Clean):
        return steps.clean(catalog, step, seed, encode)
    return STEPS[step.kind](catalog, step, seed)  # type: ignore[attr-defined]
