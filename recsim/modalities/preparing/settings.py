"""What `prepare` is to do: a list of steps, as they stand in a YAML file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

AlignmentMethod = Literal["cca", "procrustes", "contrastive"]
FusionMethod = Literal["concatenated", "weighted", "discriminant", "cca", "procrustes", "contrastive"]
Folds = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Step(BaseModel):
    """What every step has in common: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Clean(Step):
    """Repair titles and texts, and encode again what has changed.

    Attributes:
        ids: whether words that look like ids of files or of cameras are taken out.
        encode: whether the modalities that were made from texts follow; without it they keep what they were made of.
    """

    kind: Literal["clean"] = "clean"
    ids: bool = False
    encode: bool = True


class Impute(Step):
    """Fill in a modality where it is absent by what another one says of the item.

    Attributes:
        modality: that is filled in.
        source: that it is foretold from.
        method: ridge regression, or the mean of the nearest items in `source`.
        neighbours: how many nearest items.
        folds: of the cross-validation that says how good it is.
    """

    kind: Literal["impute"] = "impute"
    modality: str
    source: str
    method: Literal["ridge", "knn"] = "ridge"
    neighbours: Annotated[int, Field(ge=1)] = 10
    folds: Folds = 5

    @model_validator(mode="after")
    def _two(self) -> Impute:
        if self.modality == self.source:
            raise ValueError(f"modality and source are both {self.source!r}; name another modality to foretell it from")
        return self


class Standardise(Step):
    """Give every column of a modality the mean 0 and the standard deviation 1."""

    kind: Literal["standardise"] = "standardise"
    modality: str


class Denoise(Step):
    """Keep of a modality what a few components say.

    Attributes:
        modality: whose rows are replaced.
        components: how many are kept.
        method: principal components, those of the largest variance; or independent ones, the least Gaussian.
    """

    kind: Literal["denoise"] = "denoise"
    modality: str
    components: Annotated[int, Field(ge=1)]
    method: Literal["pca", "ica"] = "pca"


class Outliers(Step):
    """Find the items that are least like any others in a modality.

    Attributes:
        modality: that is looked at.
        share: of the present items that are called outliers.
        action: flag them only, or clip them toward the centre as well.
    """

    kind: Literal["outliers"] = "outliers"
    modality: str
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    action: Literal["flag", "clip"] = "flag"


class TwoModalities(Step):
    """A step that holds two modalities of an item against each other."""

    first: str = "text"
    second: str = "image"
    method: AlignmentMethod = "cca"
    folds: Folds = 5

    @model_validator(mode="after")
    def _two(self) -> TwoModalities:
        if self.first == self.second:
            raise ValueError(f"first and second are both {self.first!r}; name two modalities")
        return self


class Inconsistent(TwoModalities):
    """Find the items whose two modalities say different things.

    Attributes:
        below: an item is flagged whose agreement (`disagreement.Agreement.standing`) is below this. Below 1/2 most
            strangers suit each other better than its own two do.
        divisions: into folds, over which the agreement is averaged.
    """

    kind: Literal["inconsistent"] = "inconsistent"
    below: Share = 0.5
    divisions: Annotated[int, Field(ge=1)] = 5


class Align(TwoModalities):
    """Bring two modalities into one space, in which the two of an item lie close; both are replaced.

    Attributes:
        dim: columns of the space; by default as many as the smaller of the two has. Procrustes keeps all.
    """

    kind: Literal["align"] = "align"
    dim: Annotated[int, Field(ge=1)] | None = None


class Vote(Step):
    """Hold every item's category against what its nearest items in each modality are.

    Attributes:
        modalities: that vote, each with a weight by how often it is right.
        neighbours: nearest items that are asked in each modality.
        folds: of which each is judged by weights fitted to the others.
        above: an item is flagged whose vote gives another category more than this probability.
    """

    kind: Literal["vote"] = "vote"
    modalities: Annotated[tuple[str, ...], Field(min_length=1)] = ("text", "image")
    neighbours: Annotated[int, Field(ge=1)] = 10
    folds: Folds = 5
    above: Share = 0.9


class Fuse(Step):
    """Make one modality of several.

    Attributes:
        modalities: that are fused.
        method: see `fusing`; "weighted" and "discriminant" learn from the categories.
        name: of the new modality.
        replace: whether it takes the place of those that it was made of.
        folds: of the cross-validation that says how good it is.
    """

    kind: Literal["fuse"] = "fuse"
    modalities: Annotated[tuple[str, ...], Field(min_length=2)] = ("text", "image")
    method: FusionMethod = "concatenated"
    name: str = "fused"
    replace: bool = False
    folds: Folds = 5

    @model_validator(mode="after")
    def _fits(self) -> Fuse:
        if len(set(self.modalities)) < len(self.modalities):
            raise ValueError(f"modalities are {', '.join(self.modalities)}; name each of them once")
        if self.method in ("cca", "procrustes", "contrastive") and len(self.modalities) != 2:
            raise ValueError(f"{self.method} aligns two modalities and not {len(self.modalities)}; name two")
        return self


AnyStep = Annotated[
    Clean | Impute | Standardise | Denoise | Outliers | Inconsistent | Align | Vote | Fuse, Field(discriminator="kind")
]


class Preparation(BaseModel):
    """Steps, done in this order.

    Attributes:
        steps: at least one.
        seed: of everything that is drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Annotated[tuple[AnyStep, ...], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 0
