"""Plackett-Luce with a category discount in torch: the exact log-probability of slates, with gradients."""

from __future__ import annotations

import torch

_NOTHING = 1e-30  # in place of an empty sum: its logarithm is finite and too small to matter


def log_prob(
    scores: torch.Tensor,
    slate: torch.Tensor,
    one_hot: torch.Tensor | None = None,
    discount: torch.Tensor | None = None,
) -> torch.Tensor:
    """(n, k) log-probability of each item of a slate given the items above it; see `recsim.diverse`.

    Items never shown are summed by category, once for all positions; those shown later are added one by one, so that
    nothing cancels.

    Args:
        scores: (n, m) finite logits.
        slate: (n, k) int64 without repeats, k < m.
        one_hot: (m, C) categories of the items; by default all are of one.
        discount: (n,) logits lost per item of the same category above; by default 0.
    """
    one_hot = scores.new_ones(scores.shape[1], 1) if one_hot is None else one_hot
    discount = scores.new_zeros(len(scores)) if discount is None else discount
    chosen, own = scores.gather(1, slate), one_hot[slate]  # (n, k), (n, k, C)
    above = own.cumsum(dim=1) - own  # (n, k, C) items of each category above each position
    rest = scores.scatter(1, slate, -torch.inf)
    high = rest.detach().amax(dim=1, keepdim=True)
    never = ((rest - high).exp() @ one_hot + _NOTHING).log() + high  # (n, C)
    loss = discount[:, None, None]
    never_at = never[:, None, :] - loss * above  # (n, k, C)
    chosen_at = chosen[:, None, :] - loss * (above @ own.transpose(1, 2))  # (n, k, k): item l, seen from position j
    gone = torch.ones(chosen_at.shape[1:], dtype=torch.bool, device=scores.device).tril(-1)
    total = torch.cat([never_at, chosen_at.masked_fill(gone, -torch.inf)], dim=2).logsumexp(dim=2)
    return chosen_at.diagonal(dim1=1, dim2=2) - total
