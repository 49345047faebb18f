import numpy as np
import pytest
import torch

from recsim.agents.slateq.choice import OneChoice, SeparateClicks
from recsim.agents.slateq.slates import best_slates
from recsim.policy import top_k
from recsim.users.choice import MultinomialLogit
from recsim.users.contract import Appeal

LOGITS = torch.log(torch.tensor([[1.0, 3.0, 4.0], [2.0, 5.0, 9.0]]))
SHOWN = torch.tensor([[True, True, True], [True, True, False]])


def test_one_choice_is_multinomial_logit_of_what_is_shown() -> None:
    click = OneChoice().clicks(LOGITS, SHOWN)
    np.testing.assert_allclose(click, [[1 / 9, 3 / 9, 4 / 9], [2 / 8, 5 / 8, 0.0]], rtol=1e-6)
    appeal = torch.sigmoid(LOGITS).double().numpy()
    truth = MultinomialLogit().probabilities(Appeal(appeal, appeal), np.array([[0, 1, 2], [0, 1, -1]]))
    np.testing.assert_allclose(click, truth.click, rtol=1e-6)


def test_surprise_at_a_choice_and_at_none() -> None:
    click = torch.tensor([[False, True, False], [False, False, False]])
    np.testing.assert_allclose(OneChoice().surprise(LOGITS, SHOWN, click), [-np.log(3 / 9), -np.log(1 / 8)], rtol=1e-6)


def test_several_clicks_are_no_choice() -> None:
    click = torch.tensor([[False, True, False], [True, True, False]])
    with pytest.raises(ValueError, match=r"row 1 has 2 clicks.*choice='pbm'"):
        OneChoice().surprise(LOGITS, SHOWN, click)


def test_separate_clicks_are_looks_times_appeal() -> None:
    model = SeparateClicks(3)
    with torch.no_grad():
        model.log_look.copy_(torch.log(torch.tensor([2.0, 1.0, 0.5])))
    click = model.clicks(LOGITS, SHOWN)
    expected = np.array([[1 / 2, 3 / 4 / 2, 4 / 5 / 4], [2 / 3, 5 / 6 / 2, 0.0]])
    np.testing.assert_allclose(click.detach(), expected, rtol=1e-6)
    surprise = model.surprise(LOGITS, SHOWN, torch.tensor([[True, False, True], [False, True, False]]))
    likelihood = np.array([expected[0, 0] * (1 - expected[0, 1]) * expected[0, 2], (1 - 2 / 3) * expected[1, 1]])
    np.testing.assert_allclose(surprise.detach(), -np.log(likelihood), rtol=1e-5)


def test_the_items_that_score_highest_are_the_slate_that_earns_most() -> None:
    draw = np.random.Generator(np.random.Philox(5))
    appeal, value, none = draw.normal(size=(50, 9)), draw.gamma(2.0, size=(50, 9)), draw.uniform(size=50)
    shown = top_k(OneChoice().scores(appeal, value, none, 4), 4)
    best = best_slates(np.exp(appeal), value, none, 4)
    np.testing.assert_array_equal(np.sort(shown, axis=1), np.sort(best, axis=1))
    probable = (value - none[:, None]) / (1.0 + np.exp(-appeal))
    np.testing.assert_array_equal(SeparateClicks(4).slates(appeal, value, none, 4, "exact"), top_k(probable, 4))
