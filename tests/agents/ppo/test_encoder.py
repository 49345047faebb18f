import pytest
import torch

from recsim.agents.ppo.encoder import ENCODERS


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_reads_what_is_there_in_order(kind: str) -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        encoder = ENCODERS[kind](5, 4, 8).eval()
    items = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
    present = torch.tensor([[True, True, True, False], [False] * 4])
    with torch.no_grad():
        found = encoder(items, present)
        garbage = encoder(items.masked_fill(~present.unsqueeze(-1), torch.nan), present)
        swapped = encoder(items[:, [1, 0, 2, 3]], present)
    assert found.shape == (2, 8)
    assert torch.isfinite(found).all()
    assert torch.equal(found, garbage)
    assert not torch.allclose(found[0], swapped[0])
    assert torch.equal(found[1], swapped[1])
