"""One run with every kind of policy and every fusion method: it is trained, judged, reported, and twice the same."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml

from recsim.agents.fusion import METHODS
from recsim.experiments.config import RunConfig
from recsim.experiments.kinds import LEARNED
from recsim.experiments.policies import build
from recsim.experiments.progress import Advance, Silent
from recsim.experiments.run_folder import RunFolder
from recsim.experiments.runner import run, train
from recsim.experiments.world import World
from recsim.testing import tiny_language_model

pytestmark = pytest.mark.slow

EVERY_KIND = """\
name: every kind
seed: 5
catalog: {synthetic: {n_items: 30, n_categories: 3}}
slate_size: 3
horizon: 5
recent: 2
launch_log: {n_users: 80}
production_log: {policy: static_fusion, n_users: 60}
evaluation: {n_users: 16, n_boot: 20, batch: 16}
policies:
  - {kind: uniform}
  - {kind: popularity}
  - {kind: static_fusion, temperature: 0.5}
  - {kind: linucb, n_users: 12, options: {ridge: 2.0}}
  - {kind: linear_thompson, n_users: 12, explore: true}
  - {kind: logistic_thompson, n_users: 12}
  - {kind: neural_linear, n_users: 12}
  - {kind: cascade_linucb, n_users: 12}
  - {kind: epsilon_greedy, n_users: 12, explore: true, options: {epsilon: 0.2}}
  - {kind: slateq, n_users: 12}
  - {kind: offpolicy_reinforce, options: {epochs: 2}}
  - {kind: conservative, options: {epochs: 2}}
  - {kind: counterfactual, options: {epochs: 2, estimator: snips, weight: slate}}
  - {kind: ppo, timesteps: 64, n_envs: 4, n_steps: 8, batch_size: 16, n_epochs: 1, eval_every: 64, eval_users: 4}
  - {kind: sb3, algorithm: ppo, action: slate, timesteps: 64, n_envs: 4, eval_every: 64, eval_users: 4,
     options: {n_steps: 8, batch_size: 16, n_epochs: 1}}
  - {kind: sb3, name: recurrent, algorithm: recurrent_ppo, timesteps: 64, n_envs: 4, eval_every: 64, eval_users: 4,
     options: {n_steps: 8, batch_size: 16, n_epochs: 1}}
  - {kind: custom, name: own linucb, agent: "recsim.agents.bandits.linucb:LinUCB", n_users: 12, options: {alpha: 0.1}}
  - {kind: myopic_oracle}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """The config above, a re-ranker by a tiny language model, and a fusion of every method."""
    parts = yaml.safe_load(EVERY_KIND)
    model = tiny_language_model(tmp_path_factory.mktemp("models") / "tiny", corpus=[EVERY_KIND])
    brief = {"candidates": 4, "fitted_on": 10}
    parts["policies"].append({"kind": "llm_reranker", "model": str(model), "temperature": 0.5, "options": brief})
    for method, found in METHODS.items():
        brief = {"epochs": 2} if method == "lightgcn" or found.kind == "NetworkFusion" else {}
        parts["policies"].append({"kind": "fusion", "method": method, "temperature": 0.5, "options": brief})
    return RunConfig.model_validate(parts)


@pytest.fixture(scope="module")
def finished(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(config, tmp_path_factory.mktemp("runs") / "every").path


def test_every_kind_and_method_has_its_place_in_the_report(finished: Path, config: RunConfig) -> None:
    assert {policy.kind for policy in config.policies} == {*LEARNED, "uniform", "popularity", "myopic_oracle"}
    metrics, page = json.loads((finished / "metrics.json").read_text()), (finished / "report.html").read_text()
    assert [policy["name"] for policy in metrics["policies"]] == [policy.title for policy in config.policies]
    for policy in metrics["policies"]:
        assert policy["truth"]["reward"]["mean"] > 0
        assert policy["name"] in page
    judged = {estimate["policy"] for estimate in metrics["offline"]}
    assert judged == {policy.title for policy in config.policies} - {"myopic oracle", "recurrent"}


class StopsEveryTraining(Silent):
    """A display that stops each training once: in its middle where that is told, or else after it."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        def advance(done: int) -> None:
            if name.startswith("train ") and name not in self.stopped:
                self.stopped.add(name)
                raise KeyboardInterrupt

        yield advance


def test_trainings_that_are_all_cut_short_end_the_same(finished: Path, config: RunConfig, tmp_path: Path) -> None:
    out, display = tmp_path / "again", StopsEveryTraining()
    trainings = {name for name in RunFolder(finished).finished if name.startswith("train ")}
    for _ in trainings:
        with pytest.raises(KeyboardInterrupt):
            run(config, out, resume=True, display=display)
    run(config, out, resume=True, display=display)
    assert display.stopped == trainings
    for name in ("metrics.json", "examples.json"):
        assert (out / name).read_bytes() == (finished / name).read_bytes()


def test_a_trained_policy_acts_alone(finished: Path, config: RunConfig, tmp_path: Path) -> None:
    """What `recsim train` leaves for one policy is what the whole run has, whatever stands around it."""
    policy = next(policy for policy in config.policies if policy.kind == "offpolicy_reinforce")
    folder = train(config, policy, tmp_path / "one")
    assert folder.finished == ["launch log", "fit static fusion", "training log", "train offpolicy reinforce"]
    world = World.of(config)
    simulator = world.simulator("anybody")
    observation, streams = simulator.reset(np.arange(8)), simulator.streams
    slates = [build(policy, world, path, simulator).act(observation, streams).slate for path in (folder.path, finished)]
    np.testing.assert_array_equal(*slates)
