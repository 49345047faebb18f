"""RecoGym: the sponsored offers of one user, browsing in between included, random products prepared beforehand."""

import gym
import numpy as np
import recogym
from timing import report

ENVIRONMENT = "reco-gym-v1"
N_PRODUCTS = 1000
OFFERS = 1024  # prepared, shown in turn


def main() -> None:
    """Time whole sessions, resets included: a step is an offer of one product, as there are no slates."""
    env = gym.make(ENVIRONMENT, disable_env_checker=True).unwrapped  # its checker refuses spaces set later
    env.init_gym({**recogym.env_1_args, "num_products": N_PRODUCTS, "random_seed": 0})
    offers = np.random.Generator(np.random.Philox(0)).integers(N_PRODUCTS, size=OFFERS).tolist()

    def begin() -> None:
        """Go on with the next user who sees an offer: the first step takes no offer, and may end the session."""
        done = True
        while done:
            env.reset()
            done = env.step(None)[2]

    begin()

    def step() -> int:
        for offer in offers:
            if env.step(offer)[2]:
                begin()
        return OFFERS

    report("recogym", f"{ENVIRONMENT}: 1 user, {N_PRODUCTS:,} products, 1 product a step", step)


if __name__ == "__main__":
    main()
