"""Training by stable-baselines3 as a stage of a run: evaluated, guarded, and resumed where it was cut short."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from recsim.agents.training.checkpoint import Checkpoints, resume
from recsim.agents.training.constraint import AtLeast
from recsim.agents.training.evaluation import Evaluation
from recsim.agents.training.guard import Diverged, FiniteGuard
from recsim.envs import FusionWeights, Preference, ProtoAction, SlateVecEnv, SlateVectorEnv
from recsim.experiments.errors import UserError
from recsim.experiments.policies import model_file
from recsim.experiments.policy_settings import PPOPolicy, TrainedPolicy
from recsim.experiments.progress import Advance
from recsim.experiments.training import CURVE_COLUMNS, curve_file
from recsim.experiments.world import World
from recsim.files import write_table
from recsim.policy import Policy
from recsim.streams import sub_seed

WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "slate": lambda rows: rows,
    "proto": ProtoAction,
    "fusion_weights": FusionWeights,
}


@dataclass(frozen=True)
class Learner:
    """A model of stable-baselines3 and what the project must know of it.

    Attributes:
        settings: of its training.
        model: the untrained model.
        policy: makes the policy that is evaluated from a model.
        save: writes a model to a path, whole or not at all.
    """

    settings: TrainedPolicy
    model: Any
    policy: Callable[[Any], Policy]
    save: Callable[[Any, Path], None]


def environment(settings: TrainedPolicy, world: World, action: str = "slate") -> SlateVecEnv:
    """The training environment: the run's world with users of its own, for actions of a kind, and preferences."""
    rows = SlateVectorEnv(
        settings.n_envs,
        catalog=world.catalog,
        users=world.heard,
        slate_size=world.config.slate_size,
        horizon=world.config.horizon,
        recent=world.config.recent,
        objectives=world.objectives,
        seed=sub_seed(world.config.seed, f"users of training {settings.slug}"),
    )
    wrapped = WRAPPERS[action](rows)
    if isinstance(settings, PPOPolicy) and settings.preference:
        unit = 1.0 / world.objectives.weights
        wrapped = Preference(wrapped, concentration=settings.preference.concentration, unit=unit)
    return SlateVecEnv(wrapped)


def learn(learner: Learner, world: World, run: Path, into: Path, progress: Advance) -> Evaluation:
    """Train, and write model, learning curve and TensorBoard events into the scratch folder `into`.

    What an interrupted training leaves in the run folder (`checkpoints/<slug>`: its last checkpoint, the best model and
    its events) is gone on with and, in the end, removed.

    Raises:
        UserError: if training diverges; the checkpoint stays.
    """
    settings, model = learner.settings, learner.model
    folder = run / "checkpoints" / settings.slug
    checkpoint, best, events = folder / "checkpoint.pt", folder / "best.zip", folder / "events"
    evaluation = _evaluation(learner, world, best)
    parts: dict[str, Evaluation | AtLeast] = {"evaluation": evaluation}
    if isinstance(settings, PPOPolicy) and settings.constraint:
        parts["constraint"] = AtLeast(**settings.constraint.model_dump())
    if checkpoint.is_file():
        resume(model, checkpoint, parts)
    elif folder.exists():
        shutil.rmtree(folder)
    model.set_logger(configure(str(events), ["tensorboard"]))
    callbacks: list[BaseCallback] = [FiniteGuard(lambda: checkpoint if checkpoint.is_file() else None), *parts.values()]
    if settings.checkpoint_every and settings.is_resumed:
        callbacks.append(Checkpoints(checkpoint, settings.checkpoint_every, parts))
    callbacks.append(_Told(progress))
    done = model.num_timesteps
    try:
        model.learn(settings.timesteps - done, callback=callbacks, reset_num_timesteps=done == 0)
    except Diverged as error:
        raise UserError(f"{settings.title!r}: {error}") from error
    finally:
        model.logger.close()
    _write(learner, evaluation, best, into)
    (into / "tensorboard").mkdir(parents=True, exist_ok=True)
    shutil.move(events, into / "tensorboard" / settings.slug)
    shutil.rmtree(folder)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
    return evaluation


def _evaluation(learner: Learner, world: World, best: Path) -> Evaluation:
    settings, judged = learner.settings, world.config.evaluation
    return Evaluation(
        world.simulator(f"learning curve of {settings.slug}"),
        settings.eval_users,
        settings.eval_every,
        learner.policy,
        level=judged.level,
        batch=judged.batch,
        patience=settings.patience,
        save_best=(lambda model: learner.save(model, best)) if settings.keep == "best" else None,
    )


def _write(learner: Learner, evaluation: Evaluation, best: Path, into: Path) -> None:
    settings, model = learner.settings, into / str(model_file(learner.settings))
    if settings.keep == "best":
        model.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(best, model)
    else:
        learner.save(learner.model, model)
    kept = evaluation.best if settings.keep == "best" else evaluation.points[-1]
    points = [(settings.title, *astuple(point)[:4], point is kept) for point in evaluation.points]
    write_table(into / curve_file(settings), pd.DataFrame(points, columns=CURVE_COLUMNS))


class _Told(BaseCallback):
    """Tells the progress of a stage how many slates were trained on."""

    def __init__(self, progress: Advance) -> None:
        super().__init__()
        self._progress = progress

    def _on_step(self) -> bool:
        self._progress(self.num_timesteps)
        return True
