"""Slates taken from a log, in the shape in which runs keep theirs."""

import numpy as np
from pydantic import TypeAdapter

from recsim import Catalog
from recsim.logs import Log, LogInfo
from recsim.report.examples import Example, logged_examples


def log_of(users: list[int], sessions: list[int], steps: list[int]) -> Log:
    n = len(users)
    slate = np.tile(np.array([3, 0, -1]), (n, 1))
    click = np.zeros((n, 3), bool)
    click[:, 1] = True
    return Log(
        LogInfo(2, 0, "production", "drawn", "0f", "Users", 3, 9, ("click",), (1.0,)),
        user=np.array(users),
        session=np.array(sessions),
        step=np.array(steps),
        observation=np.zeros((n, 1), np.float32),
        slate=slate,
        click=click,
        conversion=np.zeros((n, 3), bool),
        objectives=np.zeros((n, 3, 1)),
        step_log_prob=np.zeros((n, 3)),
    )


def test_first_slates_of_the_first_sessions(catalog: Catalog) -> None:
    log = log_of([7, 7, 7, 7, 8], [0, 0, 0, 1, 0], [0, 1, 2, 0, 0])
    found = TypeAdapter(tuple[Example, ...]).validate_python(logged_examples(log, catalog, n_sessions=2, n_slates=2))
    assert [(one.user, one.session, one.step) for one in found] == [(7, 0, 0), (7, 0, 1), (7, 1, 0)]
    first = found[0]
    assert first.policy == "production"
    assert [item.item_id for item in first.items] == ["id-3", "id-0", ""]
    assert first.items[1].title == "<script>alert(1)</script>"
    assert first.items[0].price == catalog.table.loc[3, "price"]
    assert (first.click, first.examined) == ((False, True, False), None)
