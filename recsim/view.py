"""Two catalogues of the same items: the true ones that users meet, and the view of them that agents and reports see."""

from __future__ import annotations

from recsim.catalog import Catalog


def check_view(catalog: Catalog, view: Catalog) -> None:
    """Refuse what is no view of a catalogue: other items, or the same under other terms.

    Objectives and popularity come from the view as well, so they must be those of the true items. What a view may
    change is texts, images, embeddings, which modalities there are, and which category an item is filed under.

    Raises:
        ValueError: if the items are others or in another order, a price or popularity differs, or there are other
            categories.
    """
    if view is catalog:
        return
    if len(view) != len(catalog):
        raise ValueError(
            f"the view {view.name!r} has {len(view):,} items and the catalogue {catalog.name!r} {len(catalog):,}: a "
            "view is the same items in the same order."
        )
    for name in ("item_id", "price", "popularity"):
        true, seen = catalog.table[name], view.table[name]
        different = (true != seen).to_numpy(bool)
        if different.any():
            row = int(different.argmax())
            shown, meant = seen.to_list()[row], true.to_list()[row]
            raise ValueError(
                f"{name} of row {row} is {shown!r} in the view {view.name!r} and {meant!r} in the catalogue "
                f"{catalog.name!r}: a view is the same items in the same order, at the same prices and with the same "
                "popularity."
            )
    if view.categories != catalog.categories:
        odd = sorted(set(view.categories) ^ set(catalog.categories))
        raise ValueError(
            f"category {odd[0]!r} is in only one of the view {view.name!r} and the catalogue {catalog.name!r}: users "
            "tell their favourite by its number, so both need the same categories."
        )
