"""Google's RecSim: interest evolution with many users who share their candidates, random slates prepared beforehand."""

import numpy as np
from timing import report

from recsim import choice_model
from recsim.environments import interest_evolution
from recsim.simulator import environment, recsim_gym

N_USERS, N_ITEMS, SLATE_SIZE = 1024, 1000, 10
SLATES = 4  # prepared slates of every user, shown in turn


def main() -> None:
    """Time whole sessions: users whose session is over are not counted, and all are reset once the last one is."""
    users = [
        interest_evolution.IEvUserModel(
            SLATE_SIZE,
            choice_model_ctor=choice_model.MultinomialProportionalChoiceModel,
            response_model_ctor=interest_evolution.IEvResponse,
            user_state_ctor=interest_evolution.IEvUserState,
            seed=seed,
        )
        for seed in range(N_USERS)
    ]
    items = interest_evolution.UtilityModelVideoSampler(doc_ctor=interest_evolution.IEvVideo, seed=0)
    world = environment.MultiUserEnvironment(users, items, N_ITEMS, SLATE_SIZE, resample_documents=False)
    env = recsim_gym.RecSimGymEnv(world, _watch_time)
    generator = np.random.Generator(np.random.Philox(0))
    slates = [[generator.choice(N_ITEMS, SLATE_SIZE, replace=False) for _ in range(N_USERS)] for _ in range(SLATES)]
    np.random.seed(0)  # noqa: NPY002 (what its users draw from)
    env.reset()

    def step() -> int:
        moved = 0
        for slate in slates:
            moved += sum(not user.is_terminal() for user in users)
            if env.step(slate)[2]:
                env.reset()
        return moved

    stepped = f"interest evolution: {N_USERS:,} users, {N_ITEMS:,} items, slates of {SLATE_SIZE}"
    report("recsim-no-tf", stepped, step)


def _watch_time(responses: list[list[interest_evolution.IEvResponse]]) -> float:
    return sum(map(interest_evolution.clicked_watchtime_reward, responses))


if __name__ == "__main__":
    main()
