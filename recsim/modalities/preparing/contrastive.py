"""A contrastive head: two small projections, trained so that partners find each other among the others of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recsim.modalities.preparing.correlation import cca
from recsim.modalities.preparing.pairs import Floats, Items, folds
from recsim.streams import sub_seed
from recsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURE = 0.07  # at the start; learned (Radford et al. 2021, section 2.5, as is the largest scale)
LARGEST_SCALE = 100.0
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.01
BATCH, EPOCHS, PATIENCE = 256, 200, 10
HELD_OUT = 8  # one pair in so many says when to stop


def contrastive(first: Floats, second: Floats, dim: int, *, groups: Items, seed: int) -> tuple[Floats, Floats]:
    """(d1, r) and (d2, r) float64 weights that minimise the symmetric InfoNCE of pairs in batches.

    With s_ij = cos(first_i A, second_j B) / temperature, the loss is the mean of the cross-entropies of row i and of
    column i of s against i (van den Oord et al. 2018, "Representation learning with contrastive predictive coding";
    Radford et al. 2021, "Learning transferable visual models from natural language supervision", figure 3). Training
    begins at the canonical correlations of the training pairs, which found held-out partners more often than a random
    start did, and keeps the epoch that is best on the pairs held out, an eighth of those given. Sums are
    single-threaded, so the same seed gives the same bits.

    Args:
        first: (p, d1) float64 with column means 0.
        second: (p, d2) float64 with column means 0.
        dim: columns r, at most min(d1, d2).
        groups: (p,) int64, groups of copies; these are held out together.
        seed: of the pairs held out and of the batches.
    """
    import torch

    held = folds(groups, HELD_OUT, sub_seed(seed, "held out")) == 0
    start = cca(first[~held], second[~held], min(dim, int((~held).sum()) - 1))
    with one_torch_thread():
        views = [torch.from_numpy(rows.astype(np.float32)) for rows in (first, second)]
        inside = torch.from_numpy(~held)
        weights = [torch.from_numpy(part.astype(np.float32)) for part in start]
        best = _train(
            [view[inside] for view in views], [view[~inside] for view in views], weights, sub_seed(seed, "batches")
        )
    return best[0].numpy().astype(np.float64), best[1].numpy().astype(np.float64)


def _train(training: list[Tensor], held: list[Tensor], weights: list[Tensor], seed: int) -> list[Tensor]:
    """The weights of the best epoch on the held-out pairs, the start among them."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    weights = [part.clone().requires_grad_() for part in weights]
    log_scale = torch.tensor(float(np.log(1 / TEMPERATURE)), requires_grad=True)
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": [log_scale], "weight_decay": 0.0}],
        lr=LEARNING_RATE,
    )
    best, lowest, waited = _copies(weights), _held_out_loss(held, weights, log_scale), 0
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(training[0]), generator=draw), BATCH):
            optimizer.zero_grad()
            loss(training[0][batch] @ weights[0], training[1][batch] @ weights[1], log_scale).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        current = _held_out_loss(held, weights, log_scale)
        waited += 1
        if current < lowest:
            best, lowest, waited = _copies(weights), current, 0
        if waited == PATIENCE:
            break
    return best


def loss(first: Tensor, second: Tensor, log_scale: Tensor) -> Tensor:
    """() the symmetric InfoNCE of projected pairs (b, r), row i of both one item."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    scores = normalize(first, dim=1) @ normalize(second, dim=1).T * log_scale.exp().clamp(max=LARGEST_SCALE)
    own = torch.arange(len(scores))
    return (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2


def _held_out_loss(held: list[Tensor], weights: list[Tensor], log_scale: Tensor) -> float:
    import torch

    with torch.no_grad():
        return float(loss(held[0] @ weights[0], held[1] @ weights[1], log_scale))


def _copies(weights: list[Tensor]) -> list[Tensor]:
    return [part.detach().clone() for part in weights]
