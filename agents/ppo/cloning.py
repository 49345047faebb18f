"""A warm start from any ranker: behaviour cloning of its Plackett-Luce policy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from recsim.agents.networks import descend
from recsim.agents.ranker import Ranker
from recsim.policy import Scorer

_BATCH = 512


def clone(
    ranker: Ranker,
    scorer: Scorer,
    observation: NDArray[np.float32],
    temperature: float,
    *,
    epochs: int = 10,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> float:
    """Let a ranker imitate what `scorer` would show at the top, in the situations of a log.

    It minimises the mean of KL(softmax(scorer / temperature) || softmax(ranker)) over the observations: behaviour
    cloning (Pomerleau 1991) of a teacher whose probabilities are known.

    Args:
        ranker: its parameters are changed.
        scorer: the teacher.
        observation: (n, d), such as `Log.observation`.
        temperature: of the teacher's policy.
        epochs: passes over the observations.
        learning_rate: of Adam.
        seed: of the batches.

    Returns:
        The mean divergence in the last epoch, in nats.

    Raises:
        ValueError: if training diverges.
    """
    optimizer = torch.optim.Adam(ranker.parameters(), lr=learning_rate)
    generator = torch.Generator().manual_seed(seed)
    divergence = 0.0
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(observation), generator=generator), _BATCH):
            seen = observation[rows.numpy()]
            teacher = torch.from_numpy(scorer.scores(seen) / temperature).float().log_softmax(dim=1)
            student = ranker(torch.from_numpy(seen)).log_softmax(dim=1)
            loss = (teacher.exp() * (teacher - student)).sum(dim=1).mean()
            descend(optimizer, loss, f"in pass {epoch + 1} of imitating the teacher")
            total += float(loss.detach()) * len(rows)
        divergence = total / len(observation)
    return divergence
