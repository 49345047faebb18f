"""T-RECS: content filtering, random slates prepared beforehand instead of its own, with two kinds of user."""

import warnings

import numpy as np
from timing import report
from trecs.components import Users
from trecs.models import ContentFiltering

N_USERS, N_ITEMS, N_ATTRIBUTES, SLATE_SIZE = 1024, 1250, 128, 10
SLATES = 16  # prepared slates of every user, shown in turn
KINDS = {"users who stay as they are": 0.0, "users who drift": 0.05}


class Prepared(ContentFiltering):
    """Its simulation with slates from outside: what is timed is the world, not the recommender."""

    def __init__(self, drift: float, slates: np.ndarray) -> None:
        """Its defaults, but for the sizes and how far users turn towards what they choose, a share of the angle."""
        users = Users(size=(N_USERS, N_ATTRIBUTES), num_users=N_USERS, drift=drift, seed=0)
        super().__init__(
            num_users=N_USERS,
            num_items=N_ITEMS,
            num_attributes=N_ATTRIBUTES,
            num_items_per_iter=SLATE_SIZE,
            actual_user_representation=users,
            seed=0,
        )
        self._slates = slates
        self._shown = 0

    def recommend(self, **_: object) -> np.ndarray:
        """The next prepared slates, (n, k)."""
        self._shown += 1
        return self._slates[self._shown % SLATES]


def main() -> None:
    """Time steps without training in between."""
    warnings.filterwarnings("ignore", "No measurements are currently defined")
    generator = np.random.Generator(np.random.Philox(0))
    slates = generator.random((SLATES, N_USERS, N_ITEMS)).argpartition(SLATE_SIZE)[..., :SLATE_SIZE]
    for kind, drift in KINDS.items():
        model = Prepared(drift, slates)

        def step(model: ContentFiltering = model) -> int:
            model.run(SLATES, train_between_steps=False, disable_tqdm=True)
            model.users.actual_user_scores.state_history.clear()  # it would keep all scores it ever made, 10 MB a step
            return SLATES * N_USERS

        report("trecs", f"content filtering: {N_USERS:,} {kind}, {N_ITEMS:,} items, slates of {SLATE_SIZE}", step)


if __name__ == "__main__":
    main()
