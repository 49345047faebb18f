"""Plackett-Luce in torch: slates drawn by Gumbel-top-k, and their exact log-probability, with gradients."""

from __future__ import annotations

import torch


def sample(scores: torch.Tensor, k: int, generator: torch.Generator) -> torch.Tensor:
    """(n, k) int64 slates without repeats from (n, m) scores: the top k of scores + Gumbel noise (Kool et al. 2019)."""
    unit = torch.rand(scores.shape, generator=generator, device=scores.device).clamp_(1e-20, 1.0 - 1e-7)
    return (scores - torch.log(-torch.log(unit))).topk(k, dim=1).indices


def log_prob(scores: torch.Tensor, slate: torch.Tensor) -> torch.Tensor:
    """(n, k) log-probability of each item of a slate given the items above it.

    The normalisers are built from the bottom of the slate up, from the items never chosen to the first one chosen, so
    that nothing cancels; one pass over the catalogue serves all positions.

    Args:
        scores: (n, m) logits.
        slate: (n, k) int64 without repeats.
    """
    chosen = scores.gather(1, slate)
    rest = scores.scatter(1, slate, -torch.inf).logsumexp(dim=1, keepdim=True)
    upward = torch.cat([rest, chosen.flip(1)], dim=1).logcumsumexp(dim=1)[:, 1:]  # (n, k) bottom position first
    return chosen - upward.flip(1)
