"""Policies by what people call them."""

import pytest

from recsim.experiments.choice import chosen_policy, judged_policies
from recsim.experiments.config import PopularityPolicy, RunConfig
from recsim.experiments.errors import UserError


@pytest.mark.parametrize("word", ["static fusion", "static_fusion", " static fusion"])
def test_a_policy_has_a_name_a_file_name_and_a_kind(small: RunConfig, word: str) -> None:
    assert chosen_policy(small, word) == small.policies[2]


def test_a_kind_that_two_policies_have_chooses_none(small: RunConfig) -> None:
    twice = (PopularityPolicy(kind="popularity", name="a"), PopularityPolicy(kind="popularity", name="b"))
    config = small.model_copy(update={"policies": twice})
    assert chosen_policy(config, "b") == twice[1]
    with pytest.raises(UserError, match=r"^the config has no policy 'popularity'; choose from a, b\.$"):
        chosen_policy(config, "popularity")


def test_an_unknown_name_is_told_with_the_nearest(small: RunConfig) -> None:
    with pytest.raises(UserError, match=r"^the config has no policy 'linucp'; did you mean 'linucb'\?$"):
        chosen_policy(small, "linucp")


def test_a_temperature_replaces_that_of_the_config(small: RunConfig) -> None:
    assert chosen_policy(small, "popularity", 2.0) == PopularityPolicy(kind="popularity", temperature=2.0)
    with pytest.raises(UserError, match=r"^'uniform' is of kind uniform, which has no temperature; leave it out\.$"):
        chosen_policy(small, "uniform", 2.0)


def test_all_but_oracles_are_judged(small: RunConfig) -> None:
    assert judged_policies(small, None) == list(small.policies[:4])
    assert judged_policies(small, "linucb, uniform,linucb") == [small.policies[3], small.policies[0]]
    with pytest.raises(
        UserError, match=r"^'myopic oracle' sees the hidden state of users, which no log holds; leave it"
    ):
        judged_policies(small, "uniform,myopic_oracle")
