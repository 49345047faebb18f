"""Collaborative filtering from clicks alone: what users liked who liked what this user clicked.

Models are fitted to interactions, a sparse matrix of users and items, above 0 where somebody clicked, and serve other
users by folding in: what a user clicked is the row that a new user would add to the matrix. A row without clicks scores
every item 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender, normalize
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ItemFactors:
    """Matrix factorisation of implicit feedback (Hu, Koren and Volinsky 2008), by `implicit`'s ALS.

    A new user's factor is the least-squares solution given the items' factors Y, their equation (4),
    x = (Y'CY + regularization I)^-1 Y'Cp, and the score of an item <x, y>.

    Attributes:
        factors: (m, f) float32, Y.
        regularization: ridge of the factors.
        alpha: confidence of an interaction of 1; what was not clicked has confidence 1.
    """

    factors: NDArray[np.float32]
    regularization: float
    alpha: float

    @classmethod
    def fit(
        cls,
        interactions: csr_matrix,
        *,
        seed: int = 0,
        factors: int = 32,
        regularization: float = 1.0,
        alpha: float = 5.0,
        iterations: int = 15,
    ) -> ItemFactors:
        """The factors of interactions (users, m)."""
        with threadpool_limits(1):  # implicit asks for it, and sums must not depend on the number of threads
            model = AlternatingLeastSquares(
                factors, regularization, alpha, iterations=iterations, num_threads=1, random_state=seed
            )
            model.fit(interactions, show_progress=False)
        return cls(model.item_factors, regularization, alpha)

    def scores(self, history: csr_matrix) -> Floats:
        """(n, m) float64, <x, y> of the factors x of users with the interactions `history` (n, m)."""
        with threadpool_limits(1):
            model = AlternatingLeastSquares(self.factors.shape[1], self.regularization, self.alpha, num_threads=1)
        model.item_factors = self.factors
        users = model.recalculate_user(np.arange(history.shape[0]), history)
        found: Floats = (users @ self.factors.T).astype(np.float64)
        return found

    def arrays(self) -> Arrays:
        """What `of_arrays` makes the same model of."""
        return {"factors": self.factors, "settings": np.array([self.regularization, self.alpha])}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> ItemFactors:
        """The model that gave `arrays`."""
        return cls(arrays["factors"], *map(float, arrays["settings"]))


@dataclass(frozen=True)
class ItemNeighbours:
    """Neighbourhoods of items (Sarwar et al. 2001): the cosine of two items' columns of interactions.

    The score of an item is the sum of its similarities to what the user clicked, itself left out.

    Attributes:
        similarity: (m, m) sparse float64, of every item's nearest neighbours; row j holds what an interaction with
            item j adds to others.
    """

    similarity: csr_matrix

    @classmethod
    def fit(cls, interactions: csr_matrix, *, seed: int = 0, neighbours: int = 100) -> ItemNeighbours:
        """The similarities of interactions (users, m); nothing is drawn."""
        model = ItemItemRecommender(K=neighbours + 1, num_threads=1)  # every item is its own nearest neighbour
        model.fit(normalize(interactions.T).T.tocsr(), show_progress=False)
        similarity = model.similarity.T.tocsr()  # implicit has a row for each item that gains
        similarity.setdiag(0.0)
        similarity.eliminate_zeros()
        similarity.sort_indices()
        return cls(similarity)

    def scores(self, history: csr_matrix) -> Floats:
        """(n, m) float64, summed similarities for users with the interactions `history` (n, m)."""
        found: Floats = (history @ self.similarity).toarray().astype(np.float64)
        return found

    def arrays(self) -> Arrays:
        """What `of_arrays` makes the same model of."""
        return {part: getattr(self.similarity, part) for part in ("indptr", "indices", "data")}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> ItemNeighbours:
        """The model that gave `arrays`."""
        size = len(arrays["indptr"]) - 1
        return cls(csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(size, size)))


@dataclass(frozen=True)
class GraphEmbeddings:
    """LightGCN (He et al. 2020): embeddings smoothed over the graph of users and items, trained by BPR loss.

    With edges of weight r_ui and degrees d, x_u^(l+1) = sum_i r_ui / sqrt(d_u d_i) x_i^(l), likewise for items, and the
    final embedding is the mean of x^(0), ..., x^(L). A new user takes part in this propagation with x_u^(0) = 0, that
    is x_u = sum_i r_ui / sqrt(d_u) inward_i with inward_i = (x_i^(0) + ... + x_i^(L-1)) / ((L + 1) sqrt(d_i)).

    Attributes:
        inward: (m, f) float32, what an item passes on to users.
        final: (m, f) float32, the items' final embeddings.
    """

    inward: NDArray[np.float32]
    final: NDArray[np.float32]

    @classmethod
    def fit(
        cls,
        interactions: csr_matrix,
        *,
        seed: int = 0,
        size: int = 32,
        layers: int = 2,
        epochs: int = 100,
        learning_rate: float = 0.02,
        decay: float = 1e-4,
    ) -> GraphEmbeddings:
        """The embeddings of interactions (users, m), by Adam on the whole graph with a fresh negative item an edge."""
        from recsim.agents.fusion.light_gcn import item_embeddings

        with threadpool_limits(1):
            by_layer = item_embeddings(interactions, seed, size, layers, epochs, learning_rate, decay)  # (L + 1, m, f)
        degree = np.maximum(np.asarray(interactions.sum(axis=0)).reshape(-1, 1), 1.0)
        inward = by_layer[:-1].sum(axis=0) / (len(by_layer) * np.sqrt(degree))
        return cls(inward.astype(np.float32), by_layer.mean(axis=0))

    def scores(self, history: csr_matrix) -> Floats:
        """(n, m) float64, <x_u, x_i> for users with the interactions `history` (n, m)."""
        degree = np.maximum(np.asarray(history.sum(axis=1)), 1.0)
        users = (history @ self.inward) / np.sqrt(degree)
        found: Floats = (users @ self.final.T).astype(np.float64)
        return found

    def arrays(self) -> Arrays:
        """What `of_arrays` makes the same model of."""
        return {"inward": self.inward, "final": self.final}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> GraphEmbeddings:
        """The model that gave `arrays`."""
        return cls(arrays["inward"], arrays["final"])


Collaborative = ItemFactors | ItemNeighbours | GraphEmbeddings
COLLABORATIVE: Mapping[str, type[Collaborative]] = {
    "als": ItemFactors,
    "item_knn": ItemNeighbours,
    "lightgcn": GraphEmbeddings,
}
