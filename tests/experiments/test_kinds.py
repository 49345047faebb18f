"""The kinds of learned policies: the table is complete, light to import, and what a config asks of it is checked."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from recsim.experiments.choice import judged_policies
from recsim.experiments.config import LearnedPolicy, RunConfig
from recsim.experiments.config_file import ConfigError, read_config
from recsim.experiments.errors import UserError
from recsim.experiments.kinds import LEARNED
from recsim.experiments.policies import check_agents, model_file
from recsim.experiments.runner import run
from recsim.experiments.world import World
from recsim.users.importing import imported

NAMED = {kind: learned for kind, learned in LEARNED.items() if learned.agent}


def test_every_learned_policy_of_a_config_is_in_the_table() -> None:
    settings = {
        kind: found for found in get_args(LearnedPolicy) for kind in get_args(found.model_fields["kind"].annotation)
    }
    assert {kind: learned.settings for kind, learned in LEARNED.items()} == settings


def test_the_table_imports_no_agent_and_nothing_heavy() -> None:
    code = (
        "import sys, recsim.experiments.kinds\n"
        "heavy = ('torch', 'stable_baselines3', 'gymnasium', 'sklearn', 'recsim.agents.')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("kind", NAMED)
def test_every_agent_of_the_table_can_be_trained_and_loaded(kind: str) -> None:
    agent = imported(NAMED[kind].agent, "agent")
    assert callable(agent.load)
    assert NAMED[kind].way == "environment" or callable(agent.save)
    assert {"log": hasattr(agent, "fit"), "users": hasattr(agent, "train")}.get(str(NAMED[kind].way), True)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("{kind: fusion, method: gatd}", "'policies.0.method' is 'gatd'; did you mean 'gated'?"),
        ("{kind: fusion}", "'policies.0.method' is missing; add it."),
        ("{kind: linear_thomson}", "'policies.0.kind' is 'linear_thomson'; did you mean 'linear_thompson'?"),
        (
            "{kind: linear_thompson, options: {scael: 1.0}}",
            "unknown key 'policies.0.options.scael'; did you mean 'scale'?",
        ),
        (
            "{kind: linucb, options: {alpha: 1.0}}",  # it is a setting of its own
            "unknown key 'policies.0.options.alpha'; choose from ridge, item_ridge.",
        ),
        (
            "{kind: epsilon_greedy, options: {epsilon: much}}",
            "'policies.0.options.epsilon' is 'much'; it must be a number.",
        ),
        (
            "{kind: neural_linear, options: {hidden: 2.5}}",
            "'policies.0.options.hidden' is 2.5; it must be a whole number.",
        ),
        (
            "{kind: linear_thompson, explore: true, temperature: 1.0}",
            "in 'policies.0': a bandit explores in its own way, without a temperature; leave one of them out.",
        ),
        (
            "{kind: fusion, method: als, options: {factor: 4}}",  # of its collaborative part
            "unknown key 'policies.0.options.factor'; did you mean 'factors'?",
        ),
        (
            "{kind: fusion, method: gated, options: {heads: mmoe}}",  # it is what the method means
            "unknown key 'policies.0.options.heads'; choose from epochs, rate, decay, size, factors, modalities.",
        ),
        (
            "{kind: llm_reranker, options: {candidates: 5}}",
            "'policies.0.model' is missing; add it.",
        ),
        (
            "{kind: llm_reranker, model: models/mine, options: {model: models/other}}",  # it is a setting of its own
            "unknown key 'policies.0.options.model'; choose from weight, candidates, history, characters, bound, "
            "fitted_on, device, dtype, batch_size, max_length, chat, scores.",
        ),
        (
            "{kind: sb3, algorithm: ppo, model: mine.zip, options: {trust: true}}",  # a config runs nobody's code
            "unknown key 'policies.0.options.trust'; choose from policy_kwargs, deterministic.",
        ),
        (
            "{kind: custom, agent: my_agent}",
            "in 'policies.0.agent': 'my_agent' names no class; write 'package.module:Class'.",
        ),
    ],
)
def test_what_is_wrong_with_an_agent_is_told_with_its_line(
    write_config: Callable[[str], Path], policy: str, sentence: str
) -> None:
    path = write_config(f"name: a\npolicies:\n  - {policy}\nrecent: 5\n")
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{path}, line 3: {sentence}')}$"):
        read_config(path)


@pytest.mark.parametrize("method", ["als", "item_knn", "lightgcn", "transformer"])
def test_a_fusion_that_reads_recent_clicks_is_refused_where_none_are_told(
    method: str, small: RunConfig, tmp_path: Path, write_config: Callable[[str], Path]
) -> None:
    path = write_config(f"name: a\npolicies:\n  - {{kind: fusion, method: {method}}}\n")
    told = f"'{method}', which reads what was clicked lately; set recent of the config to 20 or so"
    with pytest.raises(ConfigError, match=f"line 3: 'policies.0.method' is {told}"):
        read_config(path)
    for policy in ({"kind": "fusion", "method": method}, {"kind": "ppo", "teacher": method}):
        config = RunConfig.model_validate(small.model_dump(mode="json") | {"policies": [policy]})
        with pytest.raises(UserError, match=told):
            run(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "policy",
    [
        {"kind": "ppo", "modalities": ["sound"]},
        {"kind": "fusion", "method": "gated", "options": {"modalities": ["sound"]}},
    ],
)
def test_modalities_that_the_catalogue_has_not_are_refused(small: RunConfig, policy: dict[str, object]) -> None:
    config = RunConfig.model_validate(small.model_dump(mode="json") | {"policies": [policy]})
    with pytest.raises(UserError, match=r"^'[\w ]+': the catalogue .* has no modality 'sound'; it has text, image\.$"):
        check_agents(World.of(config))


def slateq(small: RunConfig, users: object, choice: str | None) -> World:
    options = {} if choice is None else {"choice": choice}
    parts = {"users": {"options": {"choice": users}}, "policies": [{"kind": "slateq", "options": options}]}
    return World.of(RunConfig.model_validate(small.model_dump(mode="json") | parts))


def test_slateq_is_refused_where_users_click_more_items_than_it_expects(small: RunConfig) -> None:
    for users in ("pbm", "dcm", "dbn"):
        with pytest.raises(
            UserError, match=r"^'slateq' has the choice mnl.* set choice: pbm among its options, or leave"
        ):
            check_agents(slateq(small, users, "mnl"))
        check_agents(slateq(small, users, None))
    for users in ("mnl", "cascade", {"model": "dcm", "continuation": 0.0}):
        check_agents(slateq(small, users, "mnl"))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"kind": "fusion", "method": "none"}, r"^'policies\.0\.method' is 'none'; choose from average, "),
        (
            {"kind": "linucb", "options": {"width": 1.0}},
            r"^unknown key 'policies\.0\.options\.width'; choose from ridge",
        ),
        (
            {"kind": "sb3", "algorithm": "ppo", "model": "/nowhere.zip"},
            r"^'sb3': there is no model /nowhere\.zip: train one first\.$",
        ),
        ({"kind": "linucb", "options": {"ridge": -1.0}}, r"^'linucb': ridge is -1\.0; it is a number above 0\.$"),
    ],
)
def test_a_config_from_python_is_checked_before_anything_runs(
    small: RunConfig, tmp_path: Path, policy: dict[str, object], message: str
) -> None:
    config = RunConfig.model_validate(small.model_dump(mode="json") | {"policies": [policy]})
    with pytest.raises(UserError, match=message):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_trained_elsewhere_is_looked_for_beside_the_config(write_config: Callable[[str], Path]) -> None:
    text = "name: a\npolicies:\n  - {kind: uniform}\n  - {kind: sb3, algorithm: ppo, model: models/mine.zip}\n"
    path = write_config(text)
    policy = read_config(path).policies[1]
    assert policy.model_dump()["model"] == str(path.parent / "models" / "mine.zip")
    assert model_file(policy) is None


def test_a_language_model_is_looked_for_beside_the_config_before_anything_runs(
    write_config: Callable[[str], Path],
) -> None:
    text = "name: a\nrecent: 5\npolicies:\n  - {kind: llm_reranker, model: models/mine}\n"
    config = read_config(write_config(text))
    model = write_config(text).parent / "models" / "mine"
    assert config.policies[0].model_dump()["model"] == str(model)
    with pytest.raises(UserError, match=f"^'llm reranker': '{model}' holds no language model: pass a folder with the"):
        check_agents(World.of(config))
    told = "line 1: 'llm reranker' reads what was clicked or bought lately; set recent to 20 or so"
    with pytest.raises(ConfigError, match=told):
        read_config(write_config(text.replace("recent: 5\n", "")))


def test_what_sees_more_than_a_log_is_not_judged_by_one(small: RunConfig, write_config: Callable[[str], Path]) -> None:
    recurrent = {"kind": "sb3", "algorithm": "recurrent_ppo"}
    both = {"policies": [recurrent, {"kind": "uniform"}]}
    config = RunConfig.model_validate(small.model_dump(mode="json") | both)
    assert [policy.title for policy in judged_policies(config)] == ["uniform"]
    with pytest.raises(UserError, match=r"^'sb3' sees more of a session than one observation, which no log holds; le"):
        judged_policies(config, "sb3")
    path = write_config("name: a\npolicies:\n  - {kind: sb3, algorithm: recurrent_ppo}\n  - {kind: myopic_oracle}\n")
    with pytest.raises(ConfigError, match="all policies are oracles or recurrent, on which a log says nothing; add"):
        read_config(path)
