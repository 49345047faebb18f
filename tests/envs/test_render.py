"""The picture of a frame, and render modes of `SlateEnv`."""

import io
import itertools
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo
from PIL import Image

from recsim.catalog import Catalog
from recsim.envs.render import _sign
from recsim.envs.scene import STATES, scene
from recsim.envs.single import SlateEnv
from recsim.report.palette import LIGHT

ROOT = Path(__file__).parents[2]


def rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(LIGHT[name][1:]))


def coloured(frame: np.ndarray, colour: tuple[int, ...]) -> np.ndarray:
    """Rows and columns of the pixels of that colour."""
    return np.argwhere((frame == colour).all(axis=2))


def frame_of(env: SlateEnv) -> np.ndarray:
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    return frame


@pytest.mark.parametrize("slate_size", [1, 2, 4, 7, 10, 20, 24])
def test_frames_have_one_size(world: dict[str, Any], slate_size: int) -> None:
    env = SlateEnv(**world | {"slate_size": slate_size}, render_mode="rgb_array")
    env.reset()
    frames = [frame_of(env)]
    while not any(env.step(env.action_space.sample())[2:4]):
        frames.append(frame_of(env))
    shapes = {frame.shape for frame in frames}
    assert len(shapes) == 1
    height, width, channels = shapes.pop()
    assert height % 2 == width % 2 == 0  # video codecs want it
    assert (channels, frames[0].dtype) == (3, np.uint8)
    assert all((first != second).any() for first, second in itertools.pairwise(frames))


def test_clicked_and_bought_cards_stand_out(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork, render_mode="rgb_array")
    env.reset(options={"user": 2})
    before = frame_of(env)
    env.step(np.array([5, 2, 7, 8]))  # clicks 5, buys 2
    after = frame_of(env)
    new = {name: coloured(after, rgb(name)) for name in ("accent", "caution")}
    assert all(len(new[name]) > len(coloured(before, rgb(name))) + 3000 for name in new)
    cards = after[80:90, :880]  # the strips of the cards
    clicked, bought = (coloured(cards, rgb(name))[:, 1] for name in ("accent", "caution"))
    assert clicked.max() < bought.min()
    assert bought.max() - bought.min() < 250


def test_a_user_who_left_is_told_in_words_and_colour(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork, render_mode="rgb_array")
    env.reset(options={"user": 1})
    counts = []
    for _ in range(2):
        env.step(np.array([5, 6, 7, 8]))
        counts.append(len(coloured(frame_of(env)[40:64], rgb("refuse"))))
    assert counts[0] == 0 < counts[1]


def test_states_differ_in_shape() -> None:
    signs = [np.asarray(_sign(state), float) for state in STATES if state != "shown"]  # "shown" and "unseen" never meet
    assert all(np.abs(one - other).mean() > 20 for one, other in itertools.combinations(signs, 2))


def test_pictures_of_items(clockwork: dict[str, Any], catalog: Catalog, tmp_path: Path) -> None:
    images = {"wide.png": Image.new("RGB", (90, 9), "#12fe34"), "clear.png": Image.new("RGBA", (5, 5), (9, 8, 7, 0))}
    for name, image in images.items():
        image.save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    names = ["wide.png", "clear.png", "broken.png", ""]
    shop = Catalog("shop", catalog.table.assign(image=names * 6), catalog.modalities, image_dir=tmp_path)
    env = SlateEnv(**clockwork | {"catalog": shop}, render_mode="rgb_array")
    env.reset()
    env.step(np.arange(4))
    frame = frame_of(env)[:, :900]
    seen = coloured(frame, (0x12, 0xFE, 0x34))
    high, wide = np.ptp(seen, axis=0) + 1
    assert wide == pytest.approx(10 * high, rel=0.1)
    assert not len(coloured(frame, (9, 8, 7)))
    tiles = coloured(frame, rgb("panel"))  # of the last two: a picture that cannot be read, and none
    assert tiles[:, 1].min() > 450
    assert len(tiles) > 2 * 0.9 * wide**2


def test_pictures_that_were_not_looked_at_are_pale(world: dict[str, Any], catalog: Catalog, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "#12fe34").save(tmp_path / "green.png")
    shop = Catalog("shop", catalog.table.assign(image="green.png"), catalog.modalities, image_dir=tmp_path)
    env = SlateEnv(**world | {"catalog": shop}, render_mode="rgb_array")
    total = 0
    for user in range(6):
        env.reset(options={"user": user})
        env.step(np.arange(4))
        looked_at = sum(card.state != "unseen" for card in scene(env.simulator, env._last, 0.0).cards)
        assert len(coloured(frame_of(env), (0x12, 0xFE, 0x34))) == looked_at * 190**2
        total += looked_at
    assert 0 < total < 6 * 4


def test_awkward_texts(awkward: Catalog) -> None:
    env = SlateEnv(catalog=awkward, slate_size=12, render_mode="rgb_array")
    env.reset()
    env.step(np.arange(12))
    assert frame_of(env).shape[2] == 3


@pytest.mark.parametrize("mode", ["rgb_array", "ansi", "human"])
def test_rendering_changes_nothing(world: dict[str, Any], mode: str) -> None:
    quiet, watched = SlateEnv(**world), SlateEnv(**world, render_mode=mode)
    draw = np.random.Generator(np.random.Philox(2))
    assert np.array_equal(quiet.reset(seed=5)[0], watched.reset(seed=5)[0])
    for _ in range(15):
        slate = draw.integers(0, 24, 4)
        watched.render()
        (first, *rest, told), (second, *same, heard) = quiet.step(slate), watched.step(slate)
        watched.render()
        assert np.array_equal(first, second)
        assert rest == same
        assert np.array_equal(told["objectives"], heard["objectives"])
        if rest[1] or rest[2]:
            assert np.array_equal(quiet.reset()[0], watched.reset()[0])


def test_a_refused_slate_leaves_the_frame(world: dict[str, Any]) -> None:
    env = SlateEnv(**world, render_mode="ansi")
    env.reset()
    env.step(np.arange(4))
    before = env.render()
    with pytest.raises(ValueError, match="item 24"):
        env.step(np.array([0, 1, 24, 3]))
    assert env.render() == before
    assert pickle.loads(pickle.dumps(env)).render() == before


def test_human_prints_every_frame_once(world: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    texts, env = SlateEnv(**world, render_mode="ansi"), SlateEnv(**world, render_mode="human")
    expected = []
    for player in (texts, env):
        player.reset()
        expected.append(player.render())
        player.step(np.arange(4))
        expected.append(player.render())
    assert expected[2:] == [None, None]
    assert capsys.readouterr().out == f"{expected[0]}\n{expected[1]}\n"


def test_human_survives_an_output_that_knows_ascii_only(awkward: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written := io.BytesIO(), "ascii"))
    env = SlateEnv(catalog=awkward, slate_size=4, render_mode="human")
    env.reset()
    env.step(np.array([2, 3, 4, 5]))
    assert b"?????" in written.getvalue()


def test_make_collects_frames(world: dict[str, Any]) -> None:
    env = gymnasium.make("recsim/Slate-v0", render_mode="rgb_array_list", **world)
    env.reset()
    env.step(np.arange(4))
    frames = env.render()
    assert isinstance(frames, list)
    assert [np.shape(frame) for frame in frames] == [(640, 1280, 3)] * 2
    assert env.metadata["render_fps"] == 1


def test_make_records_videos(world: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="moviepy, which gymnasium's RecordVideo needs, is not installed")
    env = RecordVideo(gymnasium.make("recsim/Slate-v0", render_mode="rgb_array", **world), str(tmp_path / "videos"))
    env.reset()
    while not any(env.step(np.arange(4))[2:4]):
        pass
    env.close()
    (video,) = (tmp_path / "videos").glob("*.mp4")
    assert video.stat().st_size > 10_000


def test_wrong_modes(world: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no render mode 'rgb'; the render modes are human, ansi, rgb_array"):
        SlateEnv(**world, render_mode="rgb")
    env = SlateEnv(**world)
    env.reset()
    with pytest.warns(UserWarning, match='render without a render mode: make the environment with render_mode="rgb_'):
        assert env.render() is None
    for mode in ("rgb_array", "ansi", "human"):
        with pytest.raises(RuntimeError, match="render before reset: there is no user yet"):
            SlateEnv(**world, render_mode=mode).render()


@pytest.mark.slow
def test_the_documented_example_draws_the_documented_picture(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/rendering.md").read_text(), flags=re.DOTALL)
    subprocess.run([sys.executable, "-W", "error", "-c", example], cwd=tmp_path, check=True, timeout=200)
    drawn, committed = (
        np.asarray(Image.open(folder / "render.png").convert("RGB"), float)
        for folder in (tmp_path, ROOT / "docs/images")
    )
    assert drawn.shape == committed.shape
    assert np.abs(drawn - committed).mean() < 1.0, "run the example in docs/rendering.md and commit its picture"
