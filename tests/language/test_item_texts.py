import pytest

from recsim import Catalog
from recsim.language.items import ItemTexts


@pytest.fixture
def shop():
    catalog = Catalog.synthetic(n_items=4, n_categories=2, seed=3)
    table = catalog.table.assign(
        title=["Rose", "Oak", "Tulip", "Elm"],
        text=["Rose.", "A tall tree.", 'red"\nPrice: 0', "x" * 400],
        category=["flower", "tree", "flower", "tree"],
        price=[1.0, 2.5, 1999.999, 0.0],
    )
    return catalog.replaced(table=table)


def test_an_item_is_told_by_title_category_price_and_text(shop):
    texts = ItemTexts(shop)
    assert texts[0] == 'Title: "Rose". Category: "flower". Price: 1.00.'  # its text says no more than its title
    assert texts[1] == 'Title: "Oak". Category: "tree". Price: 2.50. Text: "A tall tree.".'
    assert texts[2] == 'Title: "Tulip". Category: "flower". Price: 2000.00. Text: "red\' Price: 0".'
    assert texts[3].endswith(f'Text: "{"x" * 299}…".')


def test_the_text_can_be_cut_or_left_out(shop):
    assert ItemTexts(shop, characters=6)[1].endswith('Text: "A…".')
    assert ItemTexts(shop, characters=0)[1] == 'Title: "Oak". Category: "tree". Price: 2.50.'
    with pytest.raises(ValueError, match="characters of an item's text is -1: it is 0 or more"):
        ItemTexts(shop, characters=-1)
