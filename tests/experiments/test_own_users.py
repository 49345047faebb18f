"""Users of somebody's own: those of the README serve a whole run, and their own errors are theirs to see."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsim.experiments.cli import app
from recsim.experiments.config import RunConfig
from recsim.experiments.config_file import config_text
from recsim.experiments.errors import UserError
from recsim.experiments.run_folder import RunFolder
from recsim.experiments.runner import run
from recsim.experiments.stages import stages_of

MODULE = "own_users_of_the_tests"
MORE = """

class Idle(Bargainers):
    def respond(self, state, slate, users):
        response, after = super().respond(state, slate, users)
        return Response(response.click & False, response.conversion & False, response.leave), after


class Broken(Bargainers):
    def __init__(self, catalog, mood):
        raise ValueError(f"a bug of somebody's own, {mood}")


class Mute:
    def __init__(self, catalog):
        pass
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user model of the README, and others made from it, as a module that can be imported."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "class Bargainers" in block)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{MODULE}.py").write_text(block + MORE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    yield
    sys.modules.pop(MODULE, None)


def with_users(small: RunConfig, name: str, *kinds: str, **changes: object) -> RunConfig:
    """The small config with other users and policies."""
    users = {"model": f"{MODULE}:{name}", **changes}
    return RunConfig.model_validate(
        small.model_dump(mode="json") | {"users": users, "policies": [{"kind": kind} for kind in kinds]}
    )


def test_the_users_of_the_readme_serve_a_whole_run_without_a_truth_of_slates(
    small: RunConfig, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    config, out = with_users(small, "Bargainers", "uniform", "popularity", "static_fusion"), tmp_path / "run"
    result = CliRunner().invoke(app, ["run", str(write_config(config_text(config))), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout.count(" — ") == 3
    assert RunFolder(out).finished == [stage.name for stage in stages_of(config)]
    assert (out / "report.html").is_file()
    metrics = json.loads((out / "metrics.json").read_text())
    assert [(policy["name"], policy["slate_truth"]) for policy in metrics["policies"]] == [
        ("uniform", None), ("popularity", None), ("static fusion", None),
    ]  # fmt: skip
    assert all(policy["truth"]["click"]["mean"] > 0 for policy in metrics["policies"])
    assert {estimate["policy"] for estimate in metrics["offline"]} == {"uniform", "popularity", "static fusion"}
    slates = [estimate for estimate in metrics["offline"] if estimate["estimand"] == "slate"]
    assert {estimate["truth"] for estimate in slates} == {None}


def test_an_oracle_for_users_who_declare_nothing_is_refused_at_the_start(
    small: RunConfig, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_config(config_text(with_users(small, "Bargainers", "uniform", "myopic_oracle")))
    result = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert result.stderr == (
        f"'myopic oracle' must know what users think, and '{MODULE}:Bargainers' declares no probabilities: give the "
        "class a method appeal(state, items) and an attribute choice, or leave the policy out.\n"
    )
    assert not (tmp_path / "run").exists()


def test_users_who_never_click_are_no_ground_for_a_fusion(small: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^the static fusion cannot be fitted on the launch log: the log has 0 clicks on [\d,]+ pos"
    ):
        run(with_users(small, "Idle", "static_fusion"), tmp_path / "run")


def test_a_bug_in_the_users_own_class_keeps_its_traceback(small: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^a bug of somebody's own, grim$") as caught:
        run(with_users(small, "Broken", "uniform", options={"mood": "grim"}), tmp_path / "run")
    assert not isinstance(caught.value, UserError)
    assert caught.traceback[-1].path.name == f"{MODULE}.py"


def test_options_and_classes_that_do_not_fit_are_told(small: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^users '{MODULE}:Broken' do not take .*: missing a required argument: 'mo"):
        run(with_users(small, "Broken", "uniform"), tmp_path / "run")
    with pytest.raises(UserError, match=r"^Mute is not a user model: it has no method 'sample'\.$"):
        run(with_users(small, "Mute", "uniform"), tmp_path / "run")
