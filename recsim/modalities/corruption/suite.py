"""The suite: every corruption with what its severities mean, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from recsim.catalog import Catalog
from recsim.modalities.corruption import collection, features, labelling, transmission
from recsim.modalities.corruption.damage import Damage
from recsim.spelling import did_you_mean
from recsim.streams import Streams

if TYPE_CHECKING:
    from recsim.modalities.cache import EmbeddingCache

SEVERITIES = (1, 2, 3, 4, 5)

Stage = Literal["collection", "transmission", "labelling", "feature", "training"]
Concerns = Literal["text", "image", "embeddings", "category", "clicks"]
Severities = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Corruption:
    """A corruption.

    Attributes:
        name: by which it is asked for.
        stage: where on its way to the agent the fault happens.
        concerns: what it damages.
        what: what it does, with a place for the parameter.
        parameters: the parameter at severities 1 to 5.
        damage: makes the damage: `damage(catalog, parameter, luck of the items, cache of embeddings)`; None where it is
            not the catalogue that is damaged.
        encodes: whether texts or images are encoded again.
    """

    name: str
    stage: Stage
    concerns: Concerns
    what: str
    parameters: Severities
    damage: Callable[[Catalog, float, Streams, EmbeddingCache | None], Damage] | None
    encodes: bool = False

    def parameter(self, severity: int) -> float:
        """What a severity means.

        Raises:
            ValueError: if there is no such severity.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity of {self.name!r} is {severity!r}: severities are 1, 2, 3, 4 and 5.")
        return self.parameters[severity - 1]

    def means(self, severity: int) -> str:
        """The same in words."""
        return self.what.format(self.parameter(severity))


_SUITE = (
    Corruption(
        "missing_text",
        "collection",
        "text",
        "{:.0%} of the items have no title, no text and no text embedding",
        (0.1, 0.2, 0.3, 0.5, 0.7),
        collection.missing_text,
    ),
    Corruption(
        "missing_image",
        "collection",
        "image",
        "{:.0%} of the items have no image and no image embedding",
        (0.1, 0.2, 0.3, 0.5, 0.7),
        collection.missing_image,
    ),
    Corruption(
        "typos",
        "collection",
        "text",
        "{:.0%} of the letters of title and text are mistyped",
        (0.02, 0.05, 0.1, 0.2, 0.35),
        collection.typos,
        encodes=True,
    ),
    Corruption(
        "truncated_image",
        "transmission",
        "image",
        "the lowest {:.0%} of every image did not arrive and is grey",
        (0.1, 0.25, 0.4, 0.6, 0.8),
        transmission.truncated_image,
        encodes=True,
    ),
    Corruption(
        "dropped_image",
        "transmission",
        "image",
        "{:.0%} of the images are a grey placeholder",
        (0.1, 0.2, 0.3, 0.5, 0.7),
        transmission.dropped_image,
        encodes=True,
    ),
    Corruption(  # strengths of gaussian_blur in ImageNet-C
        "blur",
        "transmission",
        "image",
        "every image is blurred by a Gaussian of {:g} pixels in 224",
        (1.0, 2.0, 3.0, 4.0, 6.0),
        transmission.blur,
        encodes=True,
    ),
    Corruption(  # strengths of gaussian_noise in ImageNet-C
        "image_noise",
        "transmission",
        "image",
        "every pixel has normal noise of {:g}, white being 1",
        (0.08, 0.12, 0.18, 0.26, 0.38),
        transmission.image_noise,
        encodes=True,
    ),
    Corruption(
        "swapped_categories",
        "labelling",
        "category",
        "{:.0%} of the items exchange their category with another item",
        (0.05, 0.1, 0.2, 0.35, 0.5),
        labelling.swapped_categories,
    ),
    Corruption(
        "swapped_titles",
        "labelling",
        "text",
        "{:.0%} of the items exchange title, text and text embedding with another item",
        (0.05, 0.1, 0.2, 0.35, 0.5),
        labelling.swapped_titles,
    ),
    Corruption(  # the cosine to the true embedding is about 1 / sqrt(1 + parameter squared): 0.97 to 0.45
        "gaussian",
        "feature",
        "embeddings",
        "every embedding, of length 1, has normal noise of length {:g}",
        (0.25, 0.5, 1.0, 1.5, 2.0),
        features.gaussian,
    ),
    Corruption(
        "duplicated",
        "feature",
        "embeddings",
        "{:.0%} of the items have the embeddings of another item",
        (0.05, 0.1, 0.2, 0.35, 0.5),
        features.duplicated,
    ),
    Corruption(  # never one half, where opposite embeddings would leave nothing
        "stale",
        "feature",
        "embeddings",
        "every embedding is mixed with {:.0%} of another item's",
        (0.1, 0.2, 0.3, 0.45, 0.6),
        features.stale,
    ),
    Corruption(
        "misreported_clicks",
        "training",
        "clicks",
        "{:.0%} of what was looked at is reported clicked where it was not, or not clicked where it was",
        (0.01, 0.02, 0.05, 0.1, 0.2),
        None,
    ),
)

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType({corruption.name: corruption for corruption in _SUITE})


def corruption_of(name: str) -> Corruption:
    """The corruption of a name.

    Raises:
        ValueError: if there is none.
    """
    if name not in CORRUPTIONS:
        hint = did_you_mean(name, CORRUPTIONS, otherwise="")
        meant = f" ({hint})" if hint else ""
        raise ValueError(f"there is no corruption {name!r}{meant}; the corruptions are {', '.join(CORRUPTIONS)}.")
    return CORRUPTIONS[name]
