"""Text embeddings by hashing words and their pieces, with nothing to learn and nothing to install."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recsim.modalities.digest import fingerprint

VERSION = 1  # of what is done here to a text: raise it with every change that changes embeddings
PIECES = (3, 5)  # shortest and longest, in letters


class HashingEncoder:
    """How often each word and each piece of a word stands in a text, added up in hashed columns with hashed signs.

    Feature hashing (Weinberger et al., 2009, https://arxiv.org/abs/0902.2206): inner products are in expectation those
    of the counts themselves. Pieces of 3 to 5 letters make spellings and forms of a word alike; what different words
    mean is not known, so a dog is no more like a puppy than like a tax.

    Attributes:
        name: ``hashing``.
        fingerprint: of the settings and the version of this module.
        dim: 512.
        weight_bytes: 0, as nothing was learned.
    """

    name = "hashing"
    weight_bytes = 0
    dim = 512

    def __init__(self) -> None:
        """Makes scikit-learn's HashingVectorizer."""
        from sklearn.feature_extraction.text import HashingVectorizer

        words = HashingVectorizer(analyzer="word").build_analyzer()
        pieces = HashingVectorizer(analyzer="char_wb", ngram_range=PIECES).build_analyzer()
        self._vectorizer = HashingVectorizer(
            analyzer=lambda text: [*words(text), *pieces(text)], n_features=self.dim, norm="l2", dtype=np.float32
        )
        self.fingerprint = fingerprint(kind="hashing", version=VERSION, dim=self.dim)

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        """(m, 512) float32 rows of length 1, one for each text; 0 for a text without a letter or digit."""
        if not items:
            return np.zeros((0, self.dim), np.float32)
        return np.asarray(self._vectorizer.transform(list(items)).toarray(), np.float32)
