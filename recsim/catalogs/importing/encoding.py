"""The modalities of imported items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.catalogs.importing.findings import Findings
from recsim.catalogs.importing.options import NO_IMAGES, ImportOptions
from recsim.catalogs.importing.texts import LONGEST
from recsim.encoding import Source
from recsim.modalities import Encoder
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.making import make_modality
from recsim.modalities.names import image_encoder, stand_in, text_encoder
from recsim.modality import Modality
from recsim.packages import INSTALL

Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
Encoders = dict[str, Encoder[Any]]  # by what they encode, text or image


def found_encoders(options: ImportOptions, with_images: bool, named: str | None, findings: Findings) -> Encoders:
    """The encoders that are asked for, before the work begins; one that stands in for another, or lacks, is told.

    Args:
        options: which ones.
        with_images: whether there is a folder of images.
        named: the column of the source that names images, if there is one.
        findings: where it is told.

    Raises:
        ValueError: if there is no such encoder; also what `recsim.modalities.names` raises.
    """
    found: Encoders = {"text": text_encoder(options.text_encoder, device=options.device)}
    if not with_images and named:
        done = "no image is looked at and no modality image made; give the folder of the images with --images DIR"
        findings.add("modality left out", f"the column {named!r} names images, and --images is not given", done=done)
    elif not with_images:
        findings.add("modality left out", "no folder of images is given, as --images")
    elif options.image_encoder == NO_IMAGES:
        findings.add("modality left out", "--image-encoder is none")
    else:
        found["image"] = image_encoder(options.image_encoder, device=options.device, also=(NO_IMAGES,))
    asked: dict[Source, str] = {"text": options.text_encoder, "image": options.image_encoder}
    for source, name in asked.items():
        if source in found and (plain := stand_in(source, name)):
            findings.add(
                "encoder replaced",
                f"the packages of the usual {source} encoder are not installed",
                done=f"{plain} is used, which knows no meanings; for a better one run  {INSTALL}",
            )
    return found


def made_modalities(
    texts: Sequence[str],
    pictures: Sequence[Path | None],
    encoders: Encoders,
    dim: int,
    findings: Findings,
    cache: EmbeddingCache,
    stage: Stage,
) -> dict[str, Modality]:
    """The modalities text and image, as far as there is something to tell items apart by.

    Raises:
        ValueError: if there is neither.
    """
    making = _Making(encoders, dim, findings, cache, stage)
    cut = [text[:LONGEST] for text in texts]
    found = [making.made("text", cut, np.array([bool(text) for text in texts]))]
    if "image" in encoders:
        found.append(making.made("image", pictures, np.array([path is not None for path in pictures])))
    modalities = {modality.name: modality for modality in found if modality is not None}
    if not modalities:
        reasons = "; ".join(one.found for one in findings.of_all() if one.what == "modality left out")
        raise ValueError(
            f"no modality can be made ({reasons}): a catalogue needs texts or images by which its items differ."
        )
    return modalities


class _Making:
    """How modalities are made, and where it is told."""

    def __init__(self, encoders: Encoders, dim: int, findings: Findings, cache: EmbeddingCache, stage: Stage) -> None:
        self._encoders, self._dim, self._findings, self._cache, self._stage = encoders, dim, findings, cache, stage

    def made(self, source: Source, items: Sequence[Any], present: npt.NDArray[np.bool_]) -> Modality | None:
        """The modality named like its source, or None, which is told."""
        reason = _reason_against(source, items, present)
        if reason:
            self._findings.add("modality left out", reason)
            return None
        encoder = self._encoders[source]
        with self._stage(f"encode {source}s by {encoder.name}", int(present.sum())) as progress:
            modality = make_modality(
                source,
                encoder,
                items,
                present,
                source=source,
                dim=self._dim,
                cache=self._cache,
                progress=progress,
                tell=lambda sentence: self._findings.add("nothing encoded", sentence),
            )
        if modality.dim < self._dim:
            told = f"{source} has {modality.dim} columns instead of {self._dim}"
            self._findings.add("fewer dimensions", told)
        return modality


def _reason_against(source: Source, items: Sequence[Any], present: npt.NDArray[np.bool_]) -> str:
    """Why a modality cannot be made, or nothing."""
    if not present.any():
        return f"no item has {'a text' if source == 'text' else 'an image'}"
    if len({items[row] for row in np.flatnonzero(present).tolist()}) < 2:
        return f"all items have the same {source}"
    return ""
