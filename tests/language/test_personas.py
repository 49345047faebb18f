import numpy as np
import pytest

from recsim import Catalog, Modality
from recsim.language.personas import Personas, Tastes


@pytest.fixture(scope="module")
def shop():
    """Six items in three categories: text and image agree about flowers and trees, not about stones."""
    catalog = Catalog.synthetic(n_items=6, n_categories=3)
    flower, tree, stone = np.eye(3, dtype=np.float32)
    table = catalog.table.assign(
        title=["Rose", "Oak", "Slate", "Tulip", "Elm", "Flint"], category=["flower", "tree", "stone"] * 2
    )
    everywhere = np.ones(6, bool)
    text = np.array([flower, tree, stone, flower + tree / 9, tree, stone])
    image = np.array([flower, tree, flower, flower, tree, flower])
    return catalog.replaced(
        table=table,
        modalities={"text": Modality("text", text, everywhere), "image": Modality("image", image, everywhere)},
    )


def interest(text, image):
    """(1, 6) float32, of unit length in both modalities."""
    parts = [np.array(part, np.float32) / np.linalg.norm(part) for part in (text, image)]
    return np.concatenate(parts)[None].astype(np.float32)


def tastes(personas, wish, weight=(0.7, 0.3), price=1.0, appetite=0.0) -> Tastes:
    return personas.tastes(wish, *(np.array(part, np.float32) for part in ([weight], [price], [appetite])))


def test_categories_are_liked_by_their_mean_match(shop):
    found = tastes(Personas(shop), interest([0, 0, 1], [1, 0, 0]))
    # categories in alphabetical order: flower 0.3 * 1, stone 0.7 * 1 + 0.3 * 1, tree 0
    assert found.liked.tolist() == [[1, -1, -1]]
    assert found.disliked.tolist() == [[2]]
    assert found.drawn_to.tolist() == [[1, 0]]
    assert found.example.shape == (1, 2, 0)
    assert len(found) == 1


def test_a_persona_says_what_a_person_likes_and_goes_by(shop):
    personas = Personas(shop)
    assert personas.texts(tastes(personas, interest([0, 0, 1], [1, 0, 0]), price=2.0, appetite=1.0)) == [
        'This person likes "stone" and has no time for "tree". '
        'They judge items mostly by what is written about them, which draws them to "stone". '
        'They judge items partly by how they look, which draws them to "flower". '
        "They buy only what is cheap. They look for what few people know."
    ]
    assert personas.texts(tastes(personas, interest([0, 1, 0], [0, 1, 0]), (0.05, 0.95), 0.1, -1.0)) == [
        'This person likes "tree" and has no time for "stone". '
        'They judge items mostly by how they look, which draws them to "tree". '
        "They hardly care about what is written about them. "
        "They hardly look at prices. They prefer what most people know."
    ]
    assert "They compare prices." in personas.texts(tastes(personas, interest([0, 1, 0], [0, 1, 0])))[0]


def test_examples_are_the_nearest_items_of_each_modality(shop):
    personas = Personas(shop, examples=2)
    found = tastes(personas, interest([1, 0.2, 0], [0, 1, 0]))
    assert found.example.tolist() == [[[3, 0], [1, 4]]]
    assert 'draws them to "flower", such as "Tulip" and "Rose".' in personas.texts(found)[0]
    twins = shop.replaced(table=shop.table.assign(title="Rose"))
    assert 'draws them to "flower", such as "Rose".' in Personas(twins, examples=2).texts(found)[0]
    with pytest.raises(ValueError, match="examples of a persona is 7; the catalogue has 0 to 6 to give"):
        Personas(shop, examples=7)


def test_up_to_three_categories_are_liked_of_many():
    catalog = Catalog.synthetic(n_items=24, n_categories=12)
    wish = np.random.Generator(np.random.Philox(0)).standard_normal((5, 32)).astype(np.float32)
    ones, half = np.ones(5, np.float32), np.full((5, 2), 0.5, np.float32)
    found = Personas(catalog).tastes(wish, half, ones, ones)
    assert (found.liked >= 0).all()
    assert (found.liked != found.disliked).all()
    centre = np.array([catalog.taste[catalog.category == c].mean(axis=0) for c in range(12)])
    match = wish @ centre.T
    np.testing.assert_array_equal(found.liked, np.argsort(-match, axis=1)[:, :3])
    np.testing.assert_array_equal(found.disliked[:, 0], match.argmin(axis=1))


def test_where_there_is_one_category_it_is_liked_and_nothing_else_is_said():
    catalog = Catalog.synthetic(n_items=3, n_categories=1, dims={"text": 4})
    personas = Personas(catalog)
    one = np.ones(1, np.float32)
    found = personas.tastes(np.ones((1, 4), np.float32), np.ones((1, 1), np.float32), one, one * 0)
    assert (found.liked.tolist(), found.disliked.tolist()) == ([[0, -1, -1]], [[-1]])
    assert personas.texts(found)[0].startswith(
        'This person likes "category_0". They judge items by what is written about them, which draws them to "categ'
    )
