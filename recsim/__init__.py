"""Simulated users, logged slates and off-policy evaluation of multimodal recommender policies."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsim.catalog import Catalog, load_catalog
    from recsim.modality import Modality

__version__ = "0.1.0"
__all__ = ["Catalog", "Modality", "__version__", "load_catalog"]
_HOME = {"Catalog": "recsim.catalog", "Modality": "recsim.modality", "load_catalog": "recsim.catalog"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'recsim' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
