"""Feature-level fusion in torch: one vector from what several modalities say, some of which may be missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recsim.agents.networks import drawn_from


class Fusion(nn.Module):
    """One vector from the parts of M modalities. What stands in an absent part never matters.

    The parts are unit vectors, such as `Catalog.taste` between two `Catalog.offsets`, or means of some; they are scaled
    to entries of order 1 first.

    Attributes:
        sizes: (M,) columns of each modality.
        size: length of the vector.
    """

    def __init__(self, sizes: Sequence[int], size: int) -> None:
        """Fusion of modalities with `sizes` columns into `size` numbers."""
        super().__init__()
        self.sizes, self.size = tuple(sizes), size

    def forward(self, parts: Sequence[Tensor], present: Tensor) -> Tensor:
        """Fuse.

        Args:
            parts: M tensors (..., D_M).
            present: (..., M) bool, which modalities there are; where there is none, the result is finite as well.

        Returns:
            (..., size).
        """
        return self.combine(self.known(parts, present), present)

    def known(self, parts: Sequence[Tensor], present: Tensor) -> list[Tensor]:
        """M tensors (..., D_M), the parts with entries of order 1, and 0 where they are absent."""
        return [
            torch.where(there.unsqueeze(-1), part, 0.0) * math.sqrt(size)
            for part, there, size in zip(parts, present.unbind(-1), self.sizes, strict=True)
        ]

    def combine(self, parts: Sequence[Tensor], present: Tensor) -> Tensor:
        """`forward` of parts as `known` returns them."""
        raise NotImplementedError


class ConcatFusion(Fusion):
    """A linear map of all parts side by side, 0 where absent, and of flags that say which of them there are."""

    def __init__(self, sizes: Sequence[int], size: int) -> None:
        """See `Fusion`."""
        super().__init__(sizes, size)
        self.network = nn.Linear(sum(sizes) + len(sizes), size)

    def combine(self, parts: Sequence[Tensor], present: Tensor) -> Tensor:
        """`forward` of parts as `known` returns them."""
        fused: Tensor = self.network(torch.cat([*parts, present.to(parts[0].dtype)], dim=-1))
        return fused


class WeightedConcatFusion(ConcatFusion):
    """`ConcatFusion` of parts times one learned weight a modality: a softmax over the modalities there are, times M."""

    def __init__(self, sizes: Sequence[int], size: int) -> None:
        """See `Fusion`."""
        super().__init__(sizes, size)
        self.importance = nn.Parameter(torch.zeros(len(sizes)))

    def combine(self, parts: Sequence[Tensor], present: Tensor) -> Tensor:
        """`forward` of parts as `known` returns them."""
        weight = len(self.sizes) * _masked_softmax(self.importance.expand(present.shape), present)
        weighted = [part * share.unsqueeze(-1) for part, share in zip(parts, weight.unbind(-1), strict=True)]
        return super().combine(weighted, present)


class GatedFusion(Fusion):
    """Gated multimodal units (Arevalo et al. 2017, section 3.1, for M modalities).

    fused = sum_M z_M * tanh(W_M x_M), z_M = logistic(Z_M [x_1, ..., x_M]); z is 0 where the modality is absent.
    """

    def __init__(self, sizes: Sequence[int], size: int) -> None:
        """See `Fusion`."""
        super().__init__(sizes, size)
        self.embed = nn.ModuleList(nn.Linear(part, size) for part in sizes)
        self.gate = nn.ModuleList(nn.Linear(sum(sizes), size) for _ in sizes)

    def combine(self, parts: Sequence[Tensor], present: Tensor) -> Tensor:
        """`forward` of parts as `known` returns them."""
        together = torch.cat(list(parts), dim=-1)
        content = torch.stack([embed(part).tanh() for embed, part in zip(self.embed, parts, strict=True)], dim=-2)
        gate = torch.stack([gate(together).sigmoid() for gate in self.gate], dim=-2)  # (..., M, size)
        return (gate * content * present.unsqueeze(-1)).sum(dim=-2)


class _TokenFusion(Fusion):
    """Fusion of tokens: each modality's part, embedded, plus a learned vector that says which modality it is."""

    def __init__(self, sizes: Sequence[int], size: int) -> None:
        super().__init__(sizes, size)
        self.embed = nn.ModuleList(nn.Linear(part, size) for part in sizes)

    def combine(self, parts: Sequence[Tensor], present: Tensor) -> Tensor:
        return self.pool(self.tokens(parts), present)

    def tokens(self, parts: Sequence[Tensor]) -> Tensor:
        """(..., M, size) tokens of `known` parts; the embedding's bias is the modality's vector."""
        return torch.stack([embed(part) for embed, part in zip(self.embed, parts, strict=True)], dim=-2)

    def pool(self, tokens: Tensor, present: Tensor) -> Tensor:
        """(..., size) from any number T of tokens (..., T, size), of which those `present` (..., T) count."""
        raise NotImplementedError


class AttentionFusion(_TokenFusion):
    """Attention pooling: a learned query looks at the tokens there are (Ilse et al. 2018, section 2.4, equation 8).

    fused = V sum_M a_M t_M, a = softmax_M(<query, tanh(K t_M)>); 0 where there are no tokens.
    """

    def __init__(self, sizes: Sequence[int], size: int) -> None:
        """See `Fusion`."""
        super().__init__(sizes, size)
        self.key = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)
        self.value = nn.Linear(size, size, bias=False)

    def pool(self, tokens: Tensor, present: Tensor) -> Tensor:
        """(..., size) from tokens (..., T, size), of which those `present` (..., T) count."""
        share = _masked_softmax(self.query(self.key(tokens).tanh()).squeeze(-1), present)
        pooled: Tensor = self.value((share.unsqueeze(-1) * tokens).sum(dim=-2))
        return pooled


class TransformerFusion(_TokenFusion):
    """A transformer layer over the tokens and one that is always there, whose output is the fused vector.

    The layer is Vaswani et al.'s (2017) with normalisation first (Xiong et al. 2020); the extra token is BERT's [CLS]
    (Devlin et al. 2019, section 3).
    """

    def __init__(self, sizes: Sequence[int], size: int, heads: int = 2) -> None:
        """See `Fusion`; `heads` is the number of attention heads, a divisor of `size`.

        Raises:
            ValueError: if it is none.
        """
        if size % heads:
            raise ValueError(
                f"size is {size}, which {heads} attention heads do not divide evenly; choose a multiple of {heads}."
            )
        super().__init__(sizes, size)
        self.summary = nn.Parameter(torch.zeros(size))
        self.layer = nn.TransformerEncoderLayer(
            size, heads, dim_feedforward=2 * size, dropout=0.0, batch_first=True, norm_first=True
        )

    def pool(self, tokens: Tensor, present: Tensor) -> Tensor:
        """(..., size) from tokens (..., T, size), of which those `present` (..., T) count."""
        rows, count = tokens.shape[:-2], tokens.shape[-2]
        sequence = torch.cat([self.summary.expand(*rows, 1, -1), tokens], dim=-2).reshape(-1, count + 1, self.size)
        missing = torch.cat([present.new_zeros(*rows, 1), ~present], dim=-1).reshape(-1, count + 1)
        encoded: Tensor = self.layer(sequence, src_key_padding_mask=missing)[:, 0]
        return encoded.reshape(*rows, self.size)


KINDS: Mapping[str, type[Fusion]] = {
    "concat": ConcatFusion,
    "weighted_concat": WeightedConcatFusion,
    "gated": GatedFusion,
    "attention": AttentionFusion,
    "transformer": TransformerFusion,
}


def make_fusion(kind: str, sizes: Sequence[int], size: int, *, seed: int = 0) -> Fusion:
    """A fusion of a kind in `KINDS`, its first parameters drawn from `seed`.

    Raises:
        ValueError: if there is no such kind, or it cannot have this size.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no fusion {kind!r}; the kinds are {', '.join(KINDS)}.")
    with drawn_from(seed):
        return KINDS[kind](sizes, size)


def _masked_softmax(logits: Tensor, present: Tensor) -> Tensor:
    """(..., T) softmax over what is present, 0 elsewhere and where nothing is."""
    lowest = torch.finfo(logits.dtype).min
    return logits.masked_fill(~present, lowest).softmax(dim=-1) * present
