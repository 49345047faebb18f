"""The catalogue fluent-emoji-color from its raw folder, for measurements on items that nothing was tuned on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recsim.catalog import Catalog
from recsim.modality import Modality


def fluent_emoji(folder: Path) -> Catalog:
    """The items of the folder with the embeddings that lie in it, 64 columns each.

    Raises:
        FileNotFoundError: if the folder lacks a file.
    """
    files = ("catalogue.csv", "emb_text_pca64.npy", "emb_image_pca64.npy")
    lost = [name for name in files if not (folder / name).is_file()]
    if lost:
        raise FileNotFoundError(f"{folder} holds no {lost[0]}: name the folder of fluent-emoji-color.")
    table = pd.read_csv(folder / files[0], dtype="str", keep_default_na=False).assign(price=0.0)
    embeddings = {name: np.load(folder / f"emb_{name}_pca64.npy").astype(np.float32) for name in ("text", "image")}
    modalities = {name: Modality(name, rows, rows.any(axis=1)) for name, rows in embeddings.items()}
    return Catalog("fluent-emoji-color", table, modalities)
