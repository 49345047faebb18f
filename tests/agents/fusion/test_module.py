import pytest
import torch

from recsim.agents.fusion.module import KINDS, Fusion, make_fusion

SIZES = (3, 5, 2)


def _parts(seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(4, 6, size, generator=generator) for size in SIZES]


def _present() -> torch.Tensor:
    """(4, 6, 3) every combination of modalities, all of them and none among them."""
    combinations = torch.cartesian_prod(*[torch.tensor([False, True])] * 3)
    return combinations.repeat(3, 1).reshape(4, 6, 3)


@pytest.fixture(params=KINDS)
def fusion(request: pytest.FixtureRequest) -> Fusion:
    return make_fusion(request.param, SIZES, 8, seed=1)


def test_what_stands_in_an_absent_part_never_matters(fusion: Fusion) -> None:
    present, parts = _present(), _parts()
    garbage = [torch.where(present[..., [j]], part, torch.nan) for j, part in enumerate(parts)]
    fused = fusion(garbage, present)
    assert fused.shape == (4, 6, 8)
    assert fused.isfinite().all()
    assert torch.equal(fused, fusion(parts, present))
    fused.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())


def test_what_stands_in_a_present_part_matters(fusion: Fusion) -> None:
    parts, present = _parts(), torch.ones(4, 6, 3, dtype=torch.bool)
    for changed in range(3):
        others = [part + (j == changed) for j, part in enumerate(parts)]
        assert not torch.isclose(fusion(parts, present), fusion(others, present)).all(dim=-1).any()


def test_whether_a_part_is_there_matters(fusion: Fusion) -> None:
    parts, whole = _parts(), torch.ones(4, 6, 3, dtype=torch.bool)
    without = whole.clone()
    without[..., 1] = False
    assert not torch.isclose(fusion(parts, whole), fusion(parts, without)).all(dim=-1).any()


def test_rows_do_not_depend_on_each_other(fusion: Fusion) -> None:
    parts, present = _parts(), _present()
    alone = fusion([part[2, 3] for part in parts], present[2, 3])
    torch.testing.assert_close(fusion(parts, present)[2, 3], alone)


def test_the_seed_decides_the_first_parameters_and_nothing_else_is_drawn(fusion: Fusion) -> None:
    before = torch.random.get_rng_state()
    same, other = (
        make_fusion(next(k for k, v in KINDS.items() if v is type(fusion)), SIZES, 8, seed=s) for s in (1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    parts, present = _parts(), _present()
    assert torch.equal(fusion(parts, present), same(parts, present))
    assert not torch.equal(fusion(parts, present), other(parts, present))


def test_weights_of_the_weighted_concatenation_add_up_to_the_number_of_modalities() -> None:
    fusion = make_fusion("weighted_concat", (1, 1, 1), 2)
    with torch.no_grad():
        fusion.importance.copy_(torch.tensor([1.0, 2.0, 3.0]).log())
        fusion.network.weight.copy_(torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0]]))
        fusion.network.bias.zero_()
    ones = [torch.ones(2, 1)] * 3
    fused = fusion(ones, torch.tensor([[True, True, True], [False, True, True]]))
    torch.testing.assert_close(fused, torch.tensor([[3 * 1 / 6, 3 * 3 / 6], [0.0, 3 * 3 / 5]]))


def test_a_gated_unit_is_the_sum_of_gate_times_content() -> None:
    fusion = make_fusion("gated", (1, 1), 1)
    with torch.no_grad():
        for j in range(2):
            fusion.embed[j].weight.fill_(1.0 + j)
            fusion.gate[j].weight.copy_(torch.tensor([[0.5, -1.0]]))
            fusion.embed[j].bias.zero_()
            fusion.gate[j].bias.zero_()
    x, y = torch.tensor([0.3]), torch.tensor([0.7])
    gate = torch.sigmoid(0.5 * x - 1.0 * y)
    torch.testing.assert_close(fusion([x, y], torch.tensor([True, True])), gate * x.tanh() + gate * (2 * y).tanh())


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no fusion 'sum'; the kinds are concat"):
        make_fusion("sum", SIZES, 8)


def test_a_transformer_of_a_size_that_its_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(
        ValueError, match="size is 9, which 2 attention heads do not divide evenly; choose a multiple of 2"
    ):
        make_fusion("transformer", SIZES, 9)
