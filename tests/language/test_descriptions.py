"""Items and personas in words: the template by hand, what a model writes, and the modality of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from recsim.agents.fusion.static import StaticFusion
from recsim.catalog import Catalog
from recsim.experiments.cli import app
from recsim.language.descriptions import BY, MODALITY, WRITTEN, described, template_descriptions, with_descriptions
from recsim.language.model import CausalLM
from recsim.language.writing import polished, tidied, written
from recsim.logs import collect
from recsim.modalities.corruption import corrupt
from recsim.modalities.hashing import HashingEncoder
from recsim.modalities.making import encode_with, make_modality
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.testing import tiny_language_model
from recsim.users.interest import InterestConfig, InterestUsers


class Writer:
    """Writes what it is told to, and remembers what it was asked."""

    name, fingerprint = "writer", "2"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def write(self, prompts: Sequence[str], *, max_tokens: int = 60) -> list[str]:
        first = len(self.asked)
        self.asked += prompts
        return [self.texts[(first + row) % len(self.texts)] for row in range(len(prompts))]

    def log_probs(self, prompts: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        return np.zeros((len(prompts), len(answers)))


@pytest.fixture
def shop() -> Catalog:
    """Six items in two categories, of three prices in the first and one in the second."""
    catalog = Catalog.synthetic(n_items=6, n_categories=2, dims={"text": 4}, seed=1)
    table = catalog.table.assign(
        category=["toys", "tools"] * 3,
        title=["Ball.", "Saw", "", "Axe", "Doll", "Saw"],
        price=[1.0, 5.0, 2.0, 5.0, 9.0, 5.0],
        tags=["red|round; small,new, shiny,sixth", "", " ", "", "", ""],
    )
    return catalog.replaced(table=table)


def test_the_template_by_hand(shop: Catalog) -> None:
    assert template_descriptions(shop) == [
        "Ball. It is in the category toys, and cheap there. It has to do with red, round, small, new, shiny.",
        "Saw. It is in the category tools.",
        "It is in the category toys, and of a middling price there.",
        "Axe. It is in the category tools.",
        "Doll. It is in the category toys, and expensive there.",
        "Saw. It is in the category tools.",
    ]


def test_a_catalogue_without_tags_is_described(catalog: Catalog) -> None:
    texts = template_descriptions(catalog)
    assert len(texts) == len(catalog)
    assert texts[3].startswith("Item 3. It is in the category category_3")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  A red ball.  ", "A red ball."),
        ("\n\nA ball. It is red.\nAnother item: a saw", "A ball. It is red."),
        ('"A 3.5 cm ball, which is sm', "A 3.5 cm ball, which is sm"),
        ("A ball! Is it re", "A ball!"),
        ("...", ""),
        (" \n \t", ""),
    ],
)
def test_what_was_written_is_tidied(raw: str, expected: str) -> None:
    assert tidied(raw) == expected


def test_a_model_describes_each_item_in_a_prompt_of_its_own(shop: Catalog) -> None:
    writer = Writer("A fine thing. And", "...")
    done: list[int] = []
    texts, by = described(shop, writer, done.append)
    assert by == ["writer", "template"] * 3
    assert texts[0] == "A fine thing."
    assert texts[1] == template_descriptions(shop)[1]
    assert done == [6]
    assert len(writer.asked) == 6
    for item, prompt in enumerate(writer.asked):
        assert (f'Title: "{shop.table["title"].iloc[item]}"' in prompt) == (item != 2 or 'Title: ""' in prompt)
        assert prompt.count("\n") == 1


def test_descriptions_become_a_modality_and_what_failed_a_finding(shop: Catalog) -> None:
    found = with_descriptions(shop, encoder=HashingEncoder(), model=Writer("A ball.", "", "A saw."), dim=8)
    assert list(found.modalities) == ["text", MODALITY]
    assert found.modalities[MODALITY].present.all()
    encoding = found.modalities[MODALITY].encoding
    assert encoding is not None
    assert (encoding.source, encoding.reads, encoding.encoder) == ("description", "text", "hashing")
    assert found.table[BY].tolist() == ["writer", "template", "writer"] * 2
    assert found.table[WRITTEN].iloc[0] == "A ball."
    same = found.modalities[MODALITY].embedding
    np.testing.assert_allclose(same[0], same[3], atol=1e-6)  # both are a ball
    assert found.findings["item_id"].tolist() == [shop.table["item_id"].iloc[item] for item in (1, 4)]
    assert set(found.findings["found"]) == {"language model writer wrote nothing"}
    assert "4 by writer, 2 by template" in found.card
    assert "\n\n## Descriptions\n\nMade from the catalogue `" in found.card
    with pytest.raises(ValueError, match=r"has a modality 'description' already: describe the catalogue that it was"):
        with_descriptions(found, encoder=HashingEncoder())


def test_the_template_leaves_no_findings(shop: Catalog, tmp_path: Path) -> None:
    found = with_descriptions(shop, encoder=HashingEncoder())
    assert len(found.findings) == 0
    assert set(found.table[BY]) == {"template"}
    again = Catalog.load(found.save(tmp_path / "described"))
    assert again.fingerprint == found.fingerprint
    assert again.table[WRITTEN].tolist() == found.table[WRITTEN].tolist()


def test_other_items_are_brought_into_the_space_of_descriptions(catalog: Catalog, tmp_path: Path) -> None:
    """Of the same descriptions come the same rows, after a file too; those of new items lie near items like them."""
    shop = with_descriptions(catalog, encoder=HashingEncoder(), dim=8)
    found = Catalog.load(shop.save(tmp_path / "described", dtype="float32")).modalities[MODALITY]
    assert found.encoding is not None
    rows = encode_with(found.encoding, shop.table[WRITTEN].to_list())
    np.testing.assert_array_equal(rows, shop.modalities[MODALITY].embedding)
    new = Catalog.synthetic(n_items=24, n_categories=4, seed=9)
    near = (encode_with(found.encoding, described(new)[0]) @ rows.T).argmax(axis=1)
    assert (catalog.category[near] == new.category).mean() > 0.9


def test_faults_of_texts_leave_descriptions_as_they_were_written(catalog: Catalog) -> None:
    text = make_modality(
        "text", HashingEncoder(), catalog.table["text"].to_list(), np.ones(len(catalog), bool), source="text"
    )
    shop = with_descriptions(catalog.replaced(modalities={"text": text}), encoder=HashingEncoder(), dim=8)
    hurt = corrupt(shop, "typos", 5)
    assert (hurt.modalities["text"].embedding != shop.modalities["text"].embedding).any()
    np.testing.assert_array_equal(hurt.modalities[MODALITY].embedding, shop.modalities[MODALITY].embedding)


def test_agents_fuse_descriptions_like_any_modality(catalog: Catalog) -> None:
    found = with_descriptions(catalog, encoder=HashingEncoder(), dim=8)
    world = Simulator(found, InterestUsers(found, InterestConfig(click_offset=-1.0)), slate_size=4, horizon=5, seed=1)
    log = collect(world, uniform(found, 4), 60)
    fusion = StaticFusion.fit(log, found, world.layout)
    assert fusion.names[:3] == ("text", "image", MODALITY)
    assert fusion.weights[2] != 0.0


def test_personas_are_polished_or_stay_as_they_are() -> None:
    personas = ["This person likes tools.", "This person likes toys."]
    assert polished(personas) == personas
    writer = Writer("Tools are their thing.", "")
    assert polished(personas, writer) == ["Tools are their thing.", personas[1]]
    assert [prompt.split("\n")[0] for prompt in writer.asked] == personas


def test_progress_counts_the_texts() -> None:
    done: list[int] = []
    assert written(["a"] * 70, Writer("Yes indeed."), progress=done.append) == ["Yes indeed."] * 70
    assert done == [64, 70]


@pytest.mark.slow
def test_a_real_model_describes_the_same_twice(shop: Catalog, tiny: Path) -> None:
    model = CausalLM(tiny, max_length=1024)
    first, second = (described(shop, model) for _ in range(2))
    assert first == second
    assert all(first[0])


@pytest.mark.slow
def test_the_command_describes_a_catalogue(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSIM_CACHE", str(tmp_path / "cache"))
    shop.save(tmp_path / "shop")
    model = tiny_language_model(tmp_path / "tiny", corpus=template_descriptions(shop))
    command = ["catalog", "describe", str(tmp_path / "shop"), "--encoder", "hashing", "--dim", "5"]
    for extra, writer in (([], "template"), (["--language-model", str(model)], "tiny")):
        out = tmp_path / f"by {writer}"
        done = CliRunner().invoke(app, [*command, "--out", str(out), *extra])
        assert done.exit_code == 0, done.output
        assert writer in set(Catalog.load(out).table[BY])
        assert Catalog.load(out).name == out.name
    for extra, message in (
        ([], "exists already"),
        (["--overwrite", "--language-model", "nowhere"], "no language model"),
    ):
        done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "by tiny"), *extra])
        assert done.exit_code == 2
        assert message in " ".join(done.output.split())
