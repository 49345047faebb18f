"""Agents of somebody's own: each way to learn and to act serves a run, and what is wrong is told in a sentence."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsim.experiments.cli import app
from recsim.experiments.config import CustomPolicy, RunConfig
from recsim.experiments.config_file import config_text
from recsim.experiments.errors import UserError
from recsim.experiments.policies import build
from recsim.experiments.run_folder import RunFolder
from recsim.experiments.runner import run, train
from recsim.experiments.world import World

MODULE = "own_agents_of_the_tests"
AGENTS = """
import json
import numpy as np
from recsim.policy import Ranking, popularity
from recsim.rollout import visits

not_a_class = 3


class Nothing:
    def __init__(self, catalog, layout, favourite=0):
        self.catalog, self.value = catalog, np.zeros(len(catalog))
        self.value[favourite] = 1.0

    def scores(self, observation):
        return np.tile(self.value, (len(observation), 1))


class Kept(Nothing):
    def save(self, path):
        path.write_text(json.dumps(self.value.tolist()))

    @classmethod
    def load(cls, path, catalog, layout):
        agent = cls(catalog, layout)
        agent.value = np.array(json.loads(path.read_text()))
        return agent


class Fitted(Kept):
    def fit(self, log):
        self.value = np.bincount(log.slate[log.click], minlength=len(self.catalog)).astype(float)


class Online(Kept):
    def __init__(self, catalog, layout, *, seed, slate_size):
        super().__init__(catalog, layout)
        self.value = np.random.Generator(np.random.Philox(seed)).random(len(catalog)) + slate_size

    @classmethod
    def load(cls, path, catalog, layout):
        agent = cls(catalog, layout, seed=0, slate_size=0)
        agent.value = np.array(json.loads(path.read_text()))
        return agent

    def train(self, simulator, users, progress):
        for visit in visits(simulator, Ranking("learning", self, simulator.slate_size, 1.0), np.arange(users)):
            np.add.at(self.value, visit.step.slate[visit.step.response.click], 1.0)
        progress(users)


class ActsItself:
    def __init__(self, catalog, layout, slate_size):
        self.name, ranking = "another name", popularity(catalog, slate_size, 1.0)
        self.act, self.step_log_prob, self.log_prob = ranking.act, ranking.step_log_prob, ranking.log_prob

    def act(self): ...
    def step_log_prob(self): ...
    def log_prob(self): ...


class Mute:
    def __init__(self, catalog, layout): ...


class HalfPolicy(Mute):
    def act(self, observation, streams): ...


class TwoWays(Kept):
    def fit(self, log): ...
    def train(self, simulator, users): ...


class Maker(Kept):
    @classmethod
    def fit(cls, log, catalog, layout): ...


class Forgetful(Nothing):
    def fit(self, log): ...


class SavesNothing(Fitted):
    def save(self, path):
        path.with_suffix(".npy").write_text("elsewhere")


class Transposed(Nothing):
    def scores(self, observation):
        return super().scores(observation).T


class Listing(Nothing):
    def scores(self, observation):
        return super().scores(observation).tolist()


class Undefined(Nothing):
    def scores(self, observation):
        return super().scores(observation) / 0.0 if len(observation) else None


class ForgetsShape(Fitted):
    @classmethod
    def load(cls, path, catalog, layout):
        agent = super().load(path, catalog, layout)
        agent.value = agent.value[:-1]
        return agent


class Buggy(Fitted):
    def fit(self, log):
        raise ValueError("a bug of somebody's own")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The agents above as a module that can be imported."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{MODULE}.py").write_text(AGENTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    yield
    sys.modules.pop(MODULE, None)


def with_agents(small: RunConfig, *agents: dict[str, Any]) -> RunConfig:
    """The small config with a uniform production log, the policy uniform, and agents of one's own."""
    policies = [{"kind": "custom", **agent, "agent": f"{MODULE}:{agent['agent']}"} for agent in agents]
    parts = {"production_log": {"policy": "uniform", "n_users": 40}, "policies": [{"kind": "uniform"}, *policies]}
    return RunConfig.model_validate(small.model_dump(mode="json") | parts)


@pytest.fixture
def all_ways(small: RunConfig) -> RunConfig:
    """Every way to learn and to act."""
    return with_agents(
        small,
        {"agent": "Nothing", "options": {"favourite": 7}},
        {"agent": "Fitted", "temperature": 0.5},
        {"agent": "Fitted", "name": "from production", "log": "production"},
        {"agent": "Online", "n_users": 20},
        {"agent": "ActsItself", "name": "its own way"},
    )


@pytest.mark.slow
def test_every_way_to_learn_and_to_act_serves_a_whole_run(
    all_ways: RunConfig, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = CliRunner().invoke(app, ["run", str(write_config(config_text(all_ways))), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert RunFolder(out).finished[:6] == [
        "launch log", "training log", "production log", "train Fitted", "train from production", "train Online",
    ]  # fmt: skip
    assert {path.name for path in (out / "models").iterdir()} == {
        "fitted.agent", "from_production.agent", "online.agent",
    }  # fmt: skip
    metrics = json.loads((out / "metrics.json").read_text())
    names = ["uniform", "Nothing", "Fitted", "from production", "Online", "its own way"]
    assert [policy["name"] for policy in metrics["policies"]] == names
    assert {estimate["policy"] for estimate in metrics["offline"]} == set(names)
    assert all(name in (out / "report.html").read_text() for name in names)
    again = run(all_ways, tmp_path / "again").path
    assert (again / "metrics.json").read_bytes() == (out / "metrics.json").read_bytes()


@pytest.mark.slow
def test_agents_are_made_with_their_options_and_learn_from_their_logs(all_ways: RunConfig, tmp_path: Path) -> None:
    import numpy as np

    from recsim.logs import read_log

    out, world = run(all_ways, tmp_path / "run").path, World.of(all_ways)
    values = {path.stem: json.loads(path.read_text()) for path in (out / "models").iterdir()}
    for name, file in (("fitted", "launch"), ("from_production", "training")):
        log = read_log(out / "logs" / f"{file}.parquet")
        assert values[name] == np.bincount(log.slate[log.click], minlength=30).tolist()
    assert min(values["online"]) >= 3.0  # the slate size that it was made with
    assert any(value > 4.0 for value in values["online"])  # clicks that it counted
    simulator = world.simulator("anybody")
    first = build(all_ways.policies[1], world, out, simulator).act(simulator.reset(np.arange(4)), simulator.streams)
    assert (first.slate[:, 0] == 7).all()


def test_one_agent_is_trained_by_the_command_line(
    all_ways: RunConfig, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    path, out = write_config(config_text(all_ways)), tmp_path / "run"
    result = CliRunner().invoke(app, ["train", str(path), "from_production", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(out / "models" / "from_production.agent")
    assert RunFolder(out).finished == ["training log", "train from production"]
    result = CliRunner().invoke(app, ["train", str(path), "Nothing", "--out", str(out)])
    assert result.exit_code == 2
    assert result.stderr == "'Nothing' is of kind custom, which needs no training.\n"


def test_training_from_production_collects_what_the_policy_in_production_needs(
    small: RunConfig, tmp_path: Path
) -> None:
    config = with_agents(small, {"agent": "Fitted", "log": "production"})
    config = config.model_copy(update={"production_log": small.production_log})
    assert train(config, config.policies[1], tmp_path / "run").finished == [
        "launch log", "fit static fusion", "training log", "train Fitted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ({"agent": "Missing"}, f"agent '{MODULE}:Missing' cannot be imported: {MODULE} has no 'Missing'. Is it spelt"),
        ({"agent": "not_a_class"}, "3 is no class; name a class that takes a catalogue and a layout."),
        ({"agent": "Mute"}, "Mute cannot act: give it a method scores(observation), or the missing 'act'."),
        ({"agent": "HalfPolicy"}, "HalfPolicy cannot act: give it a method scores(observation), or the missing 'step_"),
        ({"agent": "TwoWays"}, "TwoWays has both fit and train; keep the one by which it learns."),
        ({"agent": "Maker"}, "fit of Maker makes an agent; here it is made first: write it as fit(self, log)."),
        ({"agent": "Forgetful"}, "Forgetful learns, so it is kept in a file: give it the missing method 'save'."),
        ({"agent": "Nothing", "options": {"favorite": 1}}, "does not take catalogue, layout and options: got an unexp"),
        ({"agent": "Transposed"}, "its scores have shape (30, 2) for 2 users and 30 items; (2, 30) is needed."),
        ({"agent": "Listing"}, "its scores are a list; they are a numpy array of numbers."),
        ({"agent": "ActsItself", "temperature": 0.5}, "'ActsItself' chooses its slates itself, without a temperature;"),
    ],
)
def test_a_class_that_is_no_agent_is_refused_before_anything_runs(
    small: RunConfig, tmp_path: Path, agent: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        run(with_agents(small, agent), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:.*encountered in divide")
def test_scores_that_are_no_numbers_are_refused(small: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"its scores have \w+ for row 0, item 0; they are finite\.$"):
        run(with_agents(small, {"agent": "Undefined"}), tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SavesNothing", "save wrote nothing at the path that it was given; write there, and let no ending be added"),
        ("ForgetsShape", "its scores have shape (2, 29) for 2 users and 30 items; (2, 30) is needed."),
    ],
)
def test_an_agent_that_cannot_be_kept_is_told_after_its_training(
    small: RunConfig, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        run(with_agents(small, {"agent": name}), tmp_path / "run")
    assert RunFolder(tmp_path / "run").finished == ["launch log", "production log"]


def test_a_bug_in_the_own_class_keeps_its_traceback(small: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^a bug of somebody's own$") as caught:
        run(with_agents(small, {"agent": "Buggy"}), tmp_path / "run")
    assert not isinstance(caught.value, UserError)
    assert caught.traceback[-1].path.name == f"{MODULE}.py"


def test_a_module_that_does_not_exist_is_told(small: RunConfig, tmp_path: Path) -> None:
    policies = (CustomPolicy(kind="custom", agent="no.such:Agent"),)
    with pytest.raises(UserError, match=r"^agent 'no\.such:Agent' cannot be imported: No module named 'no'"):
        run(small.model_copy(update={"policies": policies}), tmp_path / "run")
