"""Text embeddings by averaging word vectors, without torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recsim.modalities.digest import fingerprint

VERSION = 1  # of what is done here to a text: raise it with every change that changes embeddings
VECTORS = Path(__file__).parent / "glove50" / "glove50.npz"
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")  # letters of any alphabet; d'orange is one word


class GloveEncoder:
    """Mean of the GloVe vectors of a text's known words (Pennington et al., 2014, https://aclanthology.org/D14-1162).

    The vectors are 4,357 of the 400,000 of glove.6B.50d: every known word of two catalogues of clip art and emoji.
    Unknown words are skipped, and a text without a known word gets a row of zeros. A word counts as often as it stands
    in the text; upper and lower case are the same.

    Attributes:
        name: ``glove``.
        fingerprint: of the vectors and the version of this module.
        dim: 50.
        weight_bytes: what the vectors take in memory.
    """

    name = "glove"
    dim = 50

    def __init__(self) -> None:
        """Reads the vectors that come with recsim."""
        with np.load(VECTORS) as stored:
            self._row = {str(word): row for row, word in enumerate(stored["words"])}
            self._vectors = stored["vectors"].astype(np.float32)
        self.weight_bytes = self._vectors.nbytes
        self.fingerprint = fingerprint([VECTORS], kind="glove", version=VERSION)

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        """(m, 50) float32, one row for each text, not of length 1."""
        embedding = np.zeros((len(items), self.dim), np.float32)
        for item, text in enumerate(items):
            if rows := [self._row[word] for word in _WORD.findall(text.lower()) if word in self._row]:
                embedding[item] = self._vectors[rows].mean(axis=0)
        return embedding
