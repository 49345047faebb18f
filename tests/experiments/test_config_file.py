"""Configs: what is accepted, and what is told about what is not, with file and line."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from recsim import observation
from recsim.experiments.config import PPOPolicy, RunConfig
from recsim.experiments.config_file import ConfigError, config_text, first_difference, read_config
from recsim.experiments.errors import UserError
from recsim.experiments.world import World

Write = Callable[[str], Path]
POLICIES = "policies:\n  - kind: uniform\n"


def refused(write_config: Write, text: str, line: int | None, sentence: str) -> None:
    """The config is refused with exactly this line, after the path of the file."""
    path = write_config(text)
    place = f"{path}, line {line}: " if line is not None else ""
    with pytest.raises(ConfigError, match=f"^{re.escape(place + sentence)}$"):
        read_config(path)


def test_defaults_are_filled_in_and_survive_being_written(write_config: Write) -> None:
    config = read_config(write_config(f"name: a\n{POLICIES}"))
    assert (config.seed, config.slate_size, config.horizon, config.catalog.name) == (0, 10, 30, "openclipart")
    assert config.objectives.model_dump() == {"click": 1.0, "conversion": 4.0, "novelty": 0.5}
    again = RunConfig.model_validate(yaml.safe_load(config_text(config)))
    assert again == config


@pytest.mark.parametrize("name", ["quickstart", "smoke"])
def test_the_configs_that_come_with_the_package_are_read_and_survive_being_written(
    name: str, smoke_file: Path, write_config: Write
) -> None:
    config = read_config(smoke_file.with_name(f"{name}.yaml"))
    assert config.name == name
    assert {policy.kind for policy in config.policies} >= {"uniform", "static_fusion", "linucb", "ppo", "myopic_oracle"}
    assert read_config(write_config(config_text(config))) == config


@pytest.mark.parametrize("written", ["3e-4", "0.0003", "3.0e-04", "3E-4"])
def test_numbers_are_numbers_however_they_are_written(write_config: Write, written: str) -> None:
    text = f"name: a\npolicies:\n  - {{kind: ppo, learning_rate: {written}, gamma: 1}}\n"
    policy = read_config(write_config(text)).policies[0]
    assert isinstance(policy, PPOPolicy)
    assert policy.learning_rate == 3e-4
    assert policy.gamma == 1.0


def test_a_title_is_the_name_or_the_kind_in_words(write_config: Write) -> None:
    text = "name: a\npolicies:\n  - kind: static_fusion\n  - {kind: ppo, name: PPO (long)}\n".replace(
        " (long)", " long"
    )
    first, second = read_config(write_config(text)).policies
    assert (first.title, first.slug, second.title, second.slug) == (
        "static fusion",
        "static_fusion",
        "PPO long",
        "ppo_long",
    )


def test_a_config_is_written_without_what_does_not_apply(write_config: Write) -> None:
    text = "name: a\nproduction_log: {policy: uniform}\npolicies: [{kind: uniform}, {kind: linucb, name: bandit}]\n"
    config = read_config(write_config(text))
    written = yaml.safe_load(config_text(config))
    assert written["production_log"] == {"policy": "uniform", "n_users": 1000}
    assert written["policies"][0] == {"kind": "uniform"}
    assert written["policies"][1]["name"] == "bandit"
    assert read_config(write_config(config_text(config))) == config


def test_a_catalogue_folder_is_looked_for_beside_the_config(write_config: Write, tmp_path: Path) -> None:
    config = read_config(write_config(f"name: a\ncatalog: ../shop\n{POLICIES}"))
    assert config.catalog.name == str((tmp_path.parent / "shop").resolve())


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (f"name: a\nseeds: 1\n{POLICIES}", 2, "unknown key 'seeds'; did you mean 'seed'?"),
        (
            "name: a\npolicies:\n  - kind: uniform\n  - kind: ppo\n    learning_rat: 1.0\n",
            5,
            "unknown key 'policies.1.learning_rat'; did you mean 'learning_rate'?",
        ),
        (
            f"name: a\nobjectives:\n  click: 1.0\n\n  zeal: 2.0\n{POLICIES}",
            5,
            "unknown key 'objectives.zeal'; choose from click, conversion, novelty.",
        ),
        (
            f"name: a\ncatalog:\n  synthetic:\n    n_item: 3\n{POLICIES}",
            4,
            "unknown key 'catalog.synthetic.n_item'; did you mean 'n_items'?",
        ),
        (
            f"name: a\nusers:\n  options:\n    drif: 0.1\n{POLICIES}",
            4,
            "unknown key 'users.options.drif'; did you mean 'drift'?",
        ),
        ("seed: 1\npolicies: [{kind: uniform}]\n", 1, "'name' is missing; add it."),
        ("name: a\n", 1, "'policies' is missing; add it."),
        ("name: a\npolicies: []\n", 2, "'policies' is empty; it needs at least 1 entry."),
        (
            "name: a\npolicies:\n  kind: uniform\n",
            2,
            "'policies' is {'kind': 'uniform'}; it must be a list, one '- ' for each entry.",
        ),
        (
            "name: a\npolicies:\n  - kind: pop\n",
            3,
            "'policies.0.kind' is 'pop'; did you mean 'ppo'?",
        ),
        (
            "name: a\npolicies: [{kind: uniform}]\nview:\n  corruptions:\n    - {name: typos, severity: 3, kind: x}\n",
            5,
            "unknown key 'view.corruptions.0.kind'; choose from name, severity.",
        ),
        (
            "name: a\npolicies:\n  - temperature: 1.0\n",
            3,
            "'policies.0.kind' is missing; choose from uniform, popularity, static_fusion, fusion, llm_reranker, "
            "linucb, linear_thompson, logistic_thompson, neural_linear, cascade_linucb, epsilon_greedy, slateq, "
            "offpolicy_reinforce, conservative, counterfactual, ppo, sb3, custom, myopic_oracle.",
        ),
        (
            "name: a\npolicies:\n  - uniform\n",
            3,
            "'policies.0' is 'uniform'; it must be a mapping, keys with values below it.",
        ),
        (f"name: a\nhorizon: long\n{POLICIES}", 2, "'horizon' is 'long'; it must be a whole number."),
        (f"name: a\nhorizon: 1.5\n{POLICIES}", 2, "'horizon' is 1.5; it must be a whole number."),
        (f"name: a\nhorizon: true\n{POLICIES}", 2, "'horizon' is True; it must be a whole number."),
        (f"name: a\nhorizon: 0\n{POLICIES}", 2, "'horizon' is 0; it must be at least 1."),
        (f"name: a\nseed: -1\n{POLICIES}", 2, "'seed' is -1; it must be at least 0."),
        (
            f"name: a\nobjectives: {{click: .inf}}\n{POLICIES}",
            2,
            "'objectives.click' is inf; it must be a finite number.",
        ),
        (
            f"name: a\nobjectives:\n{POLICIES}",
            2,
            "'objectives' is empty; it must be a mapping, keys with values below it.",
        ),
        (f"name: 7\n{POLICIES}", 1, "'name' is 7; it must be text."),
        (
            f"name: a/b\n{POLICIES}",
            1,
            "'name' is 'a/b'; it must be letters, digits, spaces and . _ - only, starting with a letter or digit.",
        ),
        (f"name: a\nevaluation: {{level: 1.0}}\n{POLICIES}", 2, "'evaluation.level' is 1.0; it must be below 1."),
        (
            f"name: a\nproduction_log: {{temperature: 0}}\n{POLICIES}",
            2,
            "'production_log.temperature' is 0; it must be above 0.",
        ),
        (
            f"name: a\nlaunch_log: {{policy: uniform, temperature: 2.0}}\n{POLICIES}",
            2,
            "in 'launch_log': the policy uniform has no temperature, leave it out.",
        ),
        (
            f"name: a\nlaunch_log:\n  policy: popularty\n{POLICIES}",
            3,
            "'launch_log.policy' is 'popularty'; did you mean 'popularity'?",
        ),
        (
            f"name: a\nproduction_log: {{policy: ppo}}\n{POLICIES}",
            2,
            "'production_log.policy' is 'ppo'; choose from uniform, popularity, static_fusion.",
        ),
        (
            f"name: a\nusers: {{options: {{drift: much}}}}\n{POLICIES}",
            2,
            "'users.options.drift' is 'much'; it must be a number.",
        ),
        (
            f"name: a\nusers: {{options: {{anchors: 2.5}}}}\n{POLICIES}",
            2,
            "'users.options.anchors' is 2.5; it must be a whole number.",
        ),
        (
            f"name: a\ncatalog: {{name: x, synthetic: {{}}}}\n{POLICIES}",
            2,
            "in 'catalog': needs either a name or synthetic, and not both.",
        ),
        (
            "name: a\npolicies:\n  - kind: uniform\n  - {kind: ppo, n_envs: 3, n_steps: 5, batch_size: 4}\n",
            4,
            "in 'policies.1': n_envs times n_steps is 15, which batch_size 4 does not divide.",
        ),
        (
            "name: a\npolicies:\n  - {kind: ppo, batch_size: 1}\n",
            3,
            "'policies.0.batch_size' is 1; it must be at least 2.",
        ),
        (
            "name: a\npolicies:\n  - kind: myopic_oracle\n",
            1,
            "all policies are oracles, on which a log says nothing; add another policy.",
        ),
        (
            "name: a\npolicies:\n  - kind: linucb\n  - kind: linucb\n",
            1,
            "two policies are called 'linucb'; give each a name of its own.",
        ),
        (
            "name: a\npolicies:\n  - {kind: linucb, name: Static fusion}\n",
            1,
            "a policy of kind linucb is called 'Static fusion', the name of another kind; rename it.",
        ),
    ],
)
def test_what_is_wrong_is_told_with_key_and_line(write_config: Write, text: str, line: int, sentence: str) -> None:
    refused(write_config, text, line, sentence)


def test_all_problems_are_told_in_the_order_of_the_file(write_config: Write) -> None:
    path = write_config("name: a\npolicies:\n  - {kind: ppo, timesteps: none}\nhorizon: 0\nsed: 1\n")
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert [line.partition(": ")[0] for line in str(error.value).splitlines()] == [
        f"{path}, line 3",
        f"{path}, line 4",
        f"{path}, line 5",
    ]


def test_a_key_given_twice_is_refused_with_both_lines(write_config: Write) -> None:
    text = "name: a\npolicies:\n  - kind: ppo\n    gamma: 0.9\n    n_envs: 4\n    gamma: 0.5\n"
    refused(write_config, text, 6, "key 'gamma' is already given in line 4; remove one.")


def test_aliases_and_merge_keys_are_no_duplicates(write_config: Write) -> None:
    text = (
        "name: a\npolicies:\n  - &first {kind: linucb, alpha: 0.1}\n"
        "  - {<<: *first, name: b}\n  - {<<: *first, name: c, alpha: 0.2}\n"
    )
    alphas = [policy.model_dump()["alpha"] for policy in read_config(write_config(text)).policies]
    assert alphas == [0.1, 0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"config.yaml is empty; it needs at least the keys name and policies\.$"),
        ("# nothing\n", r"config.yaml is empty"),
        ("- name: a\n", r"config.yaml, line 1: the file is a list at its top level; it must be keys with values\.$"),
        ("\nhello\n", r"config.yaml, line 2: the file is a single value at its top level"),
        ("name: a\npolicies: [\n", r"config.yaml, line 3: this is not YAML: expected the node content"),
        ("name: a\n\tseed: 1\n", r"config.yaml, line 2: this is not YAML: found character '\\t'"),
        (
            "name: !!python/name:os.system a\n",
            r"config.yaml, line 1: this is not YAML: could not determine a constructor",
        ),
        ("name: a\nname: \x01\n", r"config.yaml: this is not YAML: unacceptable character"),
    ],
)
def test_a_file_that_is_no_config_is_refused(write_config: Write, text: str, message: str) -> None:
    path = write_config(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_a_missing_file_a_folder_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^there is no file .*nowhere\.yaml: check the path\.$"):
        read_config(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match=r"^config .* cannot be read: Is a directory\.$"):
        read_config(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml is not UTF-8 text \(byte 6\); save it as UTF-8\.$"):
        read_config(tmp_path / "latin.yaml")


def test_options_of_users_of_your_own_are_not_judged(write_config: Write) -> None:
    text = f"name: a\nusers: {{model: 'my.package:Users', options: {{anything: [1, 2]}}}}\n{POLICIES}"
    assert read_config(write_config(text)).users.options == {"anything": [1, 2]}


def test_the_first_different_key_is_found(small: RunConfig) -> None:
    assert first_difference(small, small) is None
    other = small.model_copy(update={"horizon": 6, "seed": 4})
    assert first_difference(small, other) == ("seed", 3, 4)
    fewer = small.model_copy(update={"policies": small.policies[:-1]})
    assert first_difference(small, fewer) == ("policies.4.kind", "myopic_oracle", "nothing")


def test_the_baseline_is_the_first_static_fusion_or_else_the_first_policy(
    write_config: Write, small: RunConfig
) -> None:
    assert small.baseline.title == "static fusion"
    assert read_config(write_config(f"name: a\n{POLICIES}")).baseline.title == "uniform"


@pytest.mark.parametrize(
    ("logged", "policies", "needed"),
    [
        ("uniform", "[{kind: uniform}]", False),
        ("static_fusion", "[{kind: uniform}]", True),
        ("uniform", "[{kind: static_fusion}]", True),
        ("uniform", "[{kind: ppo}]", True),
        ("uniform", "[{kind: ppo, warm_start: false}, {kind: linucb}]", False),
    ],
)
def test_the_static_fusion_is_fitted_only_where_it_is_used(
    write_config: Write, logged: str, policies: str, needed: bool
) -> None:
    text = f"name: a\nproduction_log: {{policy: {logged}}}\npolicies: {policies}\n"
    assert read_config(write_config(text)).needs_fusion is needed


def test_a_world_tells_as_many_recent_items_as_asked_for(small: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small.model_copy(update={"recent": 3})
    assert World.of(config).layout.size == World.of(small).layout.size + 2 * 3
    monkeypatch.setattr(observation, "MOST_ITEMS", 2)
    with pytest.raises(UserError, match="recent is 3, but the catalogue .* items"):
        World.of(config)
