"""Cleaning, imputation, denoising, alignment and fusion of modalities: a catalogue in, one with findings out."""

from recsim.modalities.preparing.pipeline import prepare
from recsim.modalities.preparing.settings import (
    Align,
    Clean,
    Denoise,
    Fuse,
    Impute,
    Inconsistent,
    Outliers,
    Preparation,
    Standardise,
    Vote,
)

__all__ = [
    "Align",
    "Clean",
    "Denoise",
    "Fuse",
    "Impute",
    "Inconsistent",
    "Outliers",
    "Preparation",
    "Standardise",
    "Vote",
    "prepare",
]
