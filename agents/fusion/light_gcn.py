"""Training of LightGCN; apart from `collaborative`, so that the other models do not import torch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch_geometric.nn import LightGCN

from recsim.agents.networks import descend, drawn_from


def item_embeddings(
    interactions: csr_matrix, seed: int, size: int, layers: int, epochs: int, learning_rate: float, decay: float
) -> NDArray[np.float32]:
    """Embeddings of items by layer, trained by Bayesian personalised ranking (Rendle et al. 2009).

    In each of the epochs every interaction is set against an item drawn anew, uniformly.

    Args:
        interactions: (users, m), above 0 where somebody clicked; its values weigh the edges.
        seed: of the first embeddings and of the draws.
        size: f.
        layers: L.
        epochs: steps of Adam.
        learning_rate: of Adam.
        decay: ridge of the embeddings, relative to the loss.

    Returns:
        (L + 1, m, f) float32, x^(0) to x^(L).

    Raises:
        ValueError: if training diverges.
    """
    n_users, n_items = interactions.shape
    edges = interactions.tocoo()
    user, item = torch.from_numpy(edges.row).long(), torch.from_numpy(edges.col).long() + n_users
    graph = torch.cat([torch.stack([user, item]), torch.stack([item, user])], dim=1)
    weight = torch.from_numpy(edges.data).float().repeat(2)
    draws = torch.Generator().manual_seed(seed)
    with drawn_from(seed):
        model = LightGCN(n_users + n_items, size, layers)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for epoch in range(epochs):
        embedding = model.get_embedding(graph, weight)
        other = torch.randint(n_users, n_users + n_items, item.shape, generator=draws)
        liked = (embedding[user] * embedding[item]).sum(dim=1)
        drawn = (embedding[user] * embedding[other]).sum(dim=1)
        loss = model.recommendation_loss(liked, drawn, torch.cat([user, item, other]), lambda_reg=decay)
        descend(optimiser, loss, f"at step {epoch + 1}")
    with torch.no_grad():
        by_layer = [model.embedding.weight]
        for convolution in model.convs:
            by_layer.append(convolution(by_layer[-1], graph, weight))
        return torch.stack(by_layer)[:, n_users:].numpy()
