"""What users were shown and clicked, from logs."""

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.language.interest_histories import Histories, check_apart, histories_of
from recsim.logs import Log, collect
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.users.interest import InterestConfig, InterestUsers

N_ITEMS = 24


@pytest.fixture(scope="module")
def log(catalog: Catalog) -> Log:
    world = Simulator(
        catalog, InterestUsers(catalog, InterestConfig(click_offset=-1.0)), slate_size=3, horizon=6, seed=2
    )
    return collect(world, uniform(catalog, 3), np.arange(100, 140))


def test_histories_have_the_first_slates_of_every_user_in_order(log: Log) -> None:
    shuffled = log[np.random.Generator(np.random.Philox(1)).permutation(len(log))]
    for n_slates in (None, 2):
        found = histories_of(shuffled, n_slates)
        assert found.user.tolist() == sorted(set(log.user.tolist()))
        for row, user in enumerate(found.user):
            slates = [log.slate[i] for i in range(len(log)) if log.user[i] == user][:n_slates]
            clicks = [log.click[i] for i in range(len(log)) if log.user[i] == user][:n_slates]
            shown = np.concatenate(slates)
            assert found.item[row][: len(shown)].tolist() == shown.tolist()
            assert (found.item[row][len(shown) :] == -1).all()
            assert found.click[row][: len(shown)].tolist() == np.concatenate(clicks).tolist()


def test_counts_are_those_of_a_loop(log: Log) -> None:
    found = histories_of(log)
    clicked, passed = found.clicked(N_ITEMS).toarray(), found.passed(N_ITEMS).toarray()
    for row in range(len(found)):
        for item in range(N_ITEMS):
            here = found.item[row] == item
            assert clicked[row, item] == (here & found.click[row]).sum()
            assert passed[row, item] == (here & ~found.click[row]).sum()
    assert clicked.sum() > 0


def test_newest_names_what_was_clicked_last_first_and_nothing_twice() -> None:
    item = np.array([[4, 7, 4, 9, -1, 5]])
    click = np.array([[True, True, True, False, False, True]])
    histories = Histories(np.array([3]), item, click)
    assert histories.newest(0, 5) == [5, 4, 7]
    assert histories.newest(0, 2) == [5, 4]


def test_what_is_no_history_is_refused(log: Log) -> None:
    item, none = np.array([[1], [2]]), np.zeros((2, 1), bool)
    with pytest.raises(ValueError, match=r"^user 5 has two histories; put them into one row\.$"):
        Histories(np.array([5, 5]), item, none)
    with pytest.raises(ValueError, match=r"shapes \(2,\), \(2, 1\) and \(1, 1\); \(n,\), \(n, p\) and"):
        Histories(np.array([5, 6]), item, none[:1])
    with pytest.raises(ValueError, match=r"^user 6 clicked an empty position, which nobody can"):
        Histories(np.array([5, 6]), np.array([[1], [-1]]), np.array([[False], [True]]))
    with pytest.raises(ValueError, match=r"^n_slates is 0; a history has at least 1 slate\.$"):
        histories_of(log, 0)


def test_users_who_were_told_cannot_be_asked_about() -> None:
    check_apart([1, 2], [3])
    with pytest.raises(ValueError, match=r"^user 2 is among those whose interests were told \(2 such users\); predict"):
        check_apart([1, 2, 3], [3, 2, 9])
