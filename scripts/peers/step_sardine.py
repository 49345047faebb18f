"""SARDINE: its registered environment for slates of ten, one user, random slates prepared beforehand."""

import gymnasium
import numpy as np
import sardine  # noqa: F401 (registers the environments)
from timing import report

ENVIRONMENT = "sardine/SlateTopK-BoredInf-v0"


def main() -> None:
    """Time whole sessions, resets included."""
    env = gymnasium.make(ENVIRONMENT)
    world = env.unwrapped
    generator = np.random.Generator(np.random.Philox(0))
    slates = [generator.choice(world.num_items, world.slate_size, replace=False) for _ in range(world.H)]
    env.reset(seed=0)

    def step() -> int:
        for slate in slates:
            _, _, terminated, truncated, _ = env.step(slate)
            if terminated or truncated:
                env.reset()
        return len(slates)

    report("sardine-rec", f"{ENVIRONMENT}: 1 user, {world.num_items:,} items, slates of {world.slate_size}", step)


if __name__ == "__main__":
    main()
