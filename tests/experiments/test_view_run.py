"""Runs with a view: agents, logs and reports see it, users do not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsim import Catalog
from recsim.experiments import evaluation, training
from recsim.experiments.cli import app
from recsim.experiments.config import RunConfig
from recsim.experiments.config_file import config_text, read_config
from recsim.experiments.errors import UserError
from recsim.experiments.policy_settings import PPOPolicy
from recsim.experiments.run_folder import RunFolder
from recsim.experiments.runner import run
from recsim.experiments.world import World
from recsim.files import read_json
from recsim.logs import Log, read_log
from recsim.users.misreporting import Misreporting

PLAIN = """\
name: seen
seed: 3
catalog: {synthetic: {n_items: 30, n_categories: 3}}
slate_size: 3
horizon: 5
launch_log: {policy: popularity, temperature: 1.0, n_users: 40}
production_log: {policy: popularity, temperature: 1.0, n_users: 40}
evaluation: {n_users: 30, n_boot: 20, batch: 16}
policies:
  - kind: uniform
  - {kind: static_fusion, temperature: 0.5}
  - {kind: linucb, n_users: 20}
  - {kind: offpolicy_reinforce, options: {epochs: 1}}
  - kind: myopic_oracle
"""
VIEW = """\
view:
  seed: 5
  corruptions:
    - {name: gaussian, severity: 4}
    - {name: missing_text, severity: 3}
    - {name: misreported_clicks, severity: 5}
"""
LOGS = (training.LAUNCH_LOG, training.TRAINING_LOG, evaluation.PRODUCTION_LOG)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same run without and with a view."""
    folder = tmp_path_factory.mktemp("views")
    made = []
    for name, text in (("plain", PLAIN), ("viewed", PLAIN + VIEW)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        made.append(run(read_config(folder / f"{name}.yaml"), folder / name).path)
    return made


def worlds(runs: list[Path]) -> list[World]:
    return [World.of(RunFolder(path).config) for path in runs]


def logs(runs: list[Path], file: str) -> list[Log]:
    return [read_log(path / file) for path in runs]


@pytest.mark.slow
def test_users_stand_on_the_true_items_and_agents_on_the_view(runs: list[Path]) -> None:
    plain, viewed = worlds(runs)
    assert plain.catalog is plain.items
    assert plain.heard is plain.users
    assert viewed.items.fingerprint == plain.catalog.fingerprint
    assert viewed.catalog.name == "synthetic, gaussian 4, missing_text 3, misreported_clicks 5"
    assert viewed.simulator("anybody").catalog is viewed.catalog
    assert viewed.users.catalog is viewed.items  # type: ignore[attr-defined]
    np.testing.assert_array_equal(plain.users.bait, viewed.users.bait)  # type: ignore[attr-defined]
    assert isinstance(viewed.heard, Misreporting)
    assert (viewed.heard.users, viewed.heard.rate) == (viewed.users, 0.2)
    assert viewed.simulator("anybody").users is viewed.users
    assert viewed.simulator("anybody", training=True).users is viewed.heard


@pytest.mark.slow
def test_agents_are_trained_among_misreporting_users_and_judged_among_true_ones(runs: list[Path]) -> None:
    from recsim.experiments.learner import environment

    viewed = worlds(runs)[1]
    training_env = environment(PPOPolicy(kind="ppo", timesteps=64), viewed)
    assert training_env.simulator.users is viewed.heard
    assert training_env.simulator.catalog is viewed.catalog
    assert viewed.simulator("learning curve of ppo").users is viewed.users


@pytest.mark.slow
def test_clicks_are_misreported_to_those_who_learn_and_to_nobody_else(runs: list[Path]) -> None:
    for file in LOGS:
        plain, viewed = logs(runs, file)
        assert viewed.info.fingerprint == worlds(runs)[1].catalog.fingerprint
        np.testing.assert_array_equal(plain.slate, viewed.slate)  # popularity looks at nothing
        np.testing.assert_array_equal(plain.conversion, viewed.conversion)
        assert (plain.click != viewed.click).any() == (file != evaluation.PRODUCTION_LOG)


@pytest.mark.slow
def test_policies_that_see_no_view_earn_what_they_did(runs: list[Path]) -> None:
    plain, viewed = (pd.read_parquet(path / evaluation.SESSIONS).set_index("policy") for path in runs)
    for policy in ("uniform", "myopic oracle"):
        pd.testing.assert_frame_equal(plain.loc[policy], viewed.loc[policy])
    for policy in ("static fusion", "linucb"):
        assert not plain.loc[policy].equals(viewed.loc[policy])


@pytest.mark.slow
def test_the_truth_on_the_log_is_the_true_one(runs: list[Path]) -> None:
    plain, viewed = (read_json(path / evaluation.SLATE_TRUTH) for path in runs)
    assert plain["uniform"] == viewed["uniform"]
    assert plain["static fusion"] != viewed["static fusion"]
    judged = {estimate["policy"] for estimate in read_json(runs[1] / evaluation.OFFLINE)["estimates"]}
    assert judged == {"uniform", "static fusion", "linucb", "offpolicy reinforce"}


@pytest.mark.slow
def test_a_finished_run_is_resumed_reported_and_evaluated(runs: list[Path], tmp_path: Path) -> None:
    viewed = RunFolder(runs[1])
    finished = viewed.finished
    assert run(viewed.config, viewed.path, resume=True).finished == finished
    report = CliRunner().invoke(app, ["report", str(viewed.path)])
    assert report.exit_code == 0, report.output
    evaluated = CliRunner().invoke(
        app, ["evaluate", "--log", str(viewed.path / evaluation.PRODUCTION_LOG), "--run", str(viewed.path)]
    )
    assert evaluated.exit_code == 0, evaluated.output
    foreign = CliRunner().invoke(
        app, ["evaluate", "--log", str(runs[0] / evaluation.PRODUCTION_LOG), "--run", str(viewed.path)]
    )
    assert foreign.exit_code == 2
    assert (
        "has catalogue 'synthetic', but the config has 'synthetic, gaussian 4, missing_text 3, misreported_clicks 5'"
        in foreign.output
    )


@pytest.mark.slow
def test_another_catalogue_may_be_the_view(write_config: Callable[[str], Path], tmp_path: Path) -> None:
    shop = Catalog.synthetic(n_items=30, n_categories=3)
    shop.save(tmp_path / "shop")
    blurred = shop.modalities["image"].embedding[:, :4]
    prepared = shop.replaced(
        name="prepared", modalities={"image": type(shop.modalities["image"])("image", blurred, np.ones(30, bool))}
    )
    prepared.save(tmp_path / "prepared")
    text = PLAIN.replace("{synthetic: {n_items: 30, n_categories: 3}}", "./shop")
    config = read_config(write_config(f"{text}view: {{catalog: ./prepared}}\n"))
    assert config.view is not None
    assert config.view.catalog == str(tmp_path / "prepared")
    world = World.of(config)
    assert (world.items.name, world.catalog.name, world.layout["liked"]) == ("synthetic", "prepared", slice(0, 4))
    folder = run(config, tmp_path / "run")
    Catalog.synthetic(n_items=30, n_categories=3, seed=1).save(tmp_path / "shop", overwrite=True)
    with pytest.raises(UserError, match="price of row 0 is"):
        run(config, folder.path, resume=True)
    other = shop.replaced(modalities={"text": shop.modalities["text"]})
    other.save(tmp_path / "shop", overwrite=True)  # the same items, but users would be others
    with pytest.raises(UserError, match="was started with other items than catalogue 'synthetic' has now"):
        run(config, folder.path, resume=True)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("{}", "needs a catalog or corruptions; without either, leave the view out"),
        ("{corruptions: [{name: typo, severity: 1}]}", r"no corruption 'typo' \(did you mean 'typos'\?\); the corrupt"),
        ("{corruptions: [{name: rain, severity: 1}]}", "there is no corruption 'rain'; the corruptions are missing_"),
        ("{corruptions: [{name: typos, severity: 6}]}", "'view.corruptions.0.severity' is 6"),
        (
            "{corruptions: [{name: stale, severity: 1}, {name: stale, severity: 2}]}",
            "has the corruption stale twice, with the same luck; choose one severity",
        ),
    ],
)
def test_a_view_that_makes_no_sense_is_refused(write_config: Callable[[str], Path], view: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_config(write_config(f"{PLAIN}view: {view}\n"))


def test_a_corruption_that_cannot_be_done_is_refused(write_config: Callable[[str], Path]) -> None:
    config = read_config(write_config(f"{PLAIN}view: {{corruptions: [{{name: typos, severity: 2}}]}}\n"))
    with pytest.raises(UserError, match="modality 'text' of catalogue 'synthetic' does not say how it was made"):
        World.of(config)


def test_a_view_survives_being_written(write_config: Callable[[str], Path]) -> None:
    config: RunConfig = read_config(write_config(PLAIN + VIEW))
    assert read_config(write_config(config_text(config))) == config
