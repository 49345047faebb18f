"""What answers lead to, asked of a tiny model that was taught one thing: whether somebody likes an item's category.

It was taught on prompts about other people, and answers follow from the words of the prompt, never from the simulator.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recsim.agents.language.judge import ClickJudge
from recsim.agents.language.mixing import mixing_weight
from recsim.catalog import Catalog
from recsim.language.interest import UntaughtInterests, category_affinity
from recsim.language.interest_features import model_scores, prompt_of
from recsim.language.interest_histories import histories_of
from recsim.language.interest_scores import scores_of
from recsim.language.model import CausalLM
from recsim.language.quoting import quoted
from recsim.logs import Log, collect
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.testing import taught_language_model
from recsim.users.interest import InterestConfig, InterestUsers
from recsim.users.llm import LLMUsers

pytestmark = pytest.mark.slow

NAMES = ("garden", "kitchen", "music", "sports")
LIKES = re.compile(r"This person likes (.*?)(?: and has no time|\.)|the latest first: (.*)\.$", re.MULTILINE)
CATEGORY = re.compile(r'Category: "(.*?)"')


class Scribe:
    """Writes down what it is asked."""

    name, fingerprint = "scribe", "0"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def log_probs(self, prompts: list[str], answers: list[str]) -> np.ndarray:
        self.asked += prompts
        return np.zeros((len(prompts), len(answers)))

    def write(self, prompts: list[str], *, max_tokens: int = 60) -> list[str]:
        return [""] * len(prompts)


@pytest.fixture(scope="module")
def shop() -> Catalog:
    """40 items of 4 categories, titled like these."""
    made = Catalog.synthetic(n_items=40, n_categories=4, dims={"text": 6, "image": 5}, seed=1)
    names = [NAMES[category] for category in made.category]
    return made.replaced(table=made.table.assign(category=names, title=names, text=""))


@pytest.fixture(scope="module")
def world(shop: Catalog) -> Simulator:
    """Users who click what they like and stay."""
    users = InterestUsers(shop, InterestConfig(click_offset=-1.0, boredom=0.0, monotony=0.0, drift=0.0), seed=3)
    return Simulator(shop, users, slate_size=4, horizon=8, recent=5, seed=3)


@pytest.fixture(scope="module")
def logged(world: Simulator) -> Log:
    return collect(world, uniform(world.catalog, 4), np.arange(150))


def about_people(shop: Catalog, users: Streams) -> list[str]:
    """Four items, one a category, for each person."""
    one_each = np.array([np.flatnonzero(shop.category == category)[0] for category in range(4)])
    asker = LLMUsers(shop, model=Scribe())
    state = asker.sample(users)
    return asker.prompts(state, np.tile(one_each, (len(state), 1)))


def about_clicks(world: Simulator, users: np.ndarray) -> list[str]:
    scribe, log = Scribe(), collect(world, uniform(world.catalog, 4), users)
    ClickJudge(scribe, world.catalog, world.layout).log_odds(log.observation, log.slate)
    return list(dict.fromkeys(scribe.asked))


def about_histories(luck: np.random.Generator, number: int) -> list[str]:
    """Up to 10 titles of made-up people, who like one category more or less."""
    shares = luck.dirichlet(np.full(4, 0.5), number)
    lengths = luck.integers(1, 11, number)
    drawn = (luck.choice(NAMES, length, p=share) for length, share in zip(lengths, shares, strict=True))
    return [prompt_of([quoted(title) for title in titles]) for titles in drawn]


def answer(prompt: str, luck: np.random.Generator) -> str:
    """What the words of a prompt say; by chance where they say nothing."""
    if prompt.endswith("category:"):
        [(name, _)] = Counter(re.findall('"(.*?)"', prompt)).most_common(1)
        return f" {name}"
    liked, category = LIKES.search(prompt), CATEGORY.search(prompt)
    assert liked is not None
    assert category is not None
    known = liked[1] or liked[2]
    sure = "N/A" not in (category[1], known.strip('"'))
    return " yes" if (f'"{category[1]}"' in known if sure else luck.random() < 0.5) else " no"


@pytest.fixture(scope="module")
def taught(shop: Catalog, world: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    luck = np.random.Generator(np.random.Philox(4))
    people = about_people(shop, Streams.of(1, 800))
    likes = [prompt for prompt in people if answer(prompt, luck) == " yes"]
    prompts = [*people, *likes, *likes]  # as many as those who do not
    prompts += about_clicks(world, np.arange(1000, 1250)) + about_histories(luck, 3000)
    answers = [answer(prompt, luck) for prompt in prompts]
    folder = tmp_path_factory.mktemp("models") / "taught"
    return taught_language_model(folder, prompts, answers)


@pytest.fixture(scope="module")
def model(taught: Path) -> CausalLM:
    return CausalLM(taught, max_length=512)


def test_it_has_learned_what_it_was_taught(shop: Catalog, world: Simulator, model: CausalLM) -> None:
    """Of people whom it was not told of. Who always says no is right three times in four about personas."""
    luck = np.random.Generator(np.random.Philox(5))
    for prompts, answers in (
        (about_people(shop, Streams.of(2, 60)), [" yes", " no"]),
        (about_clicks(world, np.arange(2000, 2020)), [" yes", " no"]),
        (about_histories(luck, 200), [f" {name}" for name in NAMES]),
    ):
        known = [prompt for prompt in prompts if 'first: "N/A"' not in prompt]
        said = model.log_probs(known, answers).argmax(axis=1)
        right = [answers[best] == answer(prompt, luck) for best, prompt in zip(said, known, strict=True)]
        assert np.mean(right) > 0.85


def test_the_same_lessons_teach_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys.modules["recsim.testing.tiny_language_model"], "STEPS", 3)
    lessons = [prompt_of([quoted(name)]) for name in NAMES], [f" {name}" for name in NAMES]
    first, second = (CausalLM(taught_language_model(tmp_path / name, *lessons)) for name in "ab")
    assert first.fingerprint == second.fingerprint
    other = CausalLM(taught_language_model(tmp_path / "c", *lessons, seed=1))
    assert other.fingerprint != first.fingerprint


def test_people_click_on_what_their_persona_likes(shop: Catalog, model: CausalLM) -> None:
    users = LLMUsers(shop, model=model)
    people = users.sample(Streams.of(7, 40))
    click = users.appeal(people, np.tile(np.arange(40), (40, 1))).click
    liked = shop.category == people.liked[:, :1]
    assert click[liked].mean() > click[~liked].mean() + 0.3
    assert np.mean([row[own].min() > row[~own].max() for row, own in zip(click, liked, strict=True)]) > 0.9


def test_the_log_bears_out_its_judgement(world: Simulator, logged: Log, model: CausalLM) -> None:
    """Of clicks on random slates, beside nothing else that is known."""
    judge = ClickJudge(model, world.catalog, world.layout)
    later = logged[np.flatnonzero(judge.knows(logged.observation))[:400]]
    said = np.clip(judge.log_odds(later.observation, later.slate), -3.0, 3.0)
    assert mixing_weight(np.zeros(said.shape), said, later) > 0.0
    assert mixing_weight(np.zeros(said.shape), -said, later) == 0.0


def test_it_tells_interests_from_titles(shop: Catalog, world: Simulator, logged: Log, model: CausalLM) -> None:
    """Chance has a personal correlation of 0; four standard errors above, nobody having been told of."""
    histories = histories_of(logged)
    world.reset(histories.user)
    affinity = category_affinity(world.users, world.state, shop)
    predictor = UntaughtInterests(model_scores(model, shop)(histories))
    found = scores_of(predictor.predict(histories), affinity)["personal correlation"]
    assert found.mean() > 4 * found.std() / np.sqrt(len(found))
