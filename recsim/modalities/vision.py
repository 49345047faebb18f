"""Image embeddings by any vision model of transformers: ViT, DINOv2, ConvNeXt, CLIP and others."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.modalities import batches
from recsim.modalities.digest import fingerprint, model_files
from recsim.modalities.loading import checked_device, checked_dtype, load_model, loading, named, weight_bytes
from recsim.modalities.pictures import on_white
from recsim.packages import optional_module

VERSION = 1  # of what is done here to an image: raise it with every change that changes embeddings


class VisionEncoder:
    """What a vision model makes of an image as a whole (not of length 1).

    A model of texts and images, such as CLIP, gives what it compares with texts. Another one gives what its pooling
    layer makes, or, where it has none or the weights of it were not saved, the mean of its last features. Images are
    laid on white where they are transparent; size, crop and scale are those that the model was saved with.

    Attributes:
        name: the model's folder or name; with ``@`` and the type where that is not float32.
        fingerprint: of the model's files, the type and the version of this module.
        dim: as many columns as the model makes.
        weight_bytes: what the weights take in memory.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        batch_size: int = 32,
        device: str = "cpu",
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        """Loads the model; nothing is fetched from the network.

        Args:
            folder: a model and image processor as transformers saves them.
            batch_size: images a forward pass.
            device: a torch device, such as ``cpu`` or ``cuda``.
            dtype: in which the model computes: float32, float16 or bfloat16.
            name: of the model; by default its folder.
        """
        where = Path(folder)
        self.device, self._dtype = checked_device(device), checked_dtype(dtype)
        model, self._pools = load_model(where, "image")
        self._model: Any = model.to(device=device, dtype=self._dtype)
        self._processor = _processor(where)
        self.batch_size = batch_size
        self.name = named(name or str(where), dtype)
        self.weight_bytes = weight_bytes(self._model)
        self.fingerprint = fingerprint(model_files(where), kind="vision", version=VERSION, dtype=dtype)
        self.dim = int(self._encode_pictures([_blank()]).shape[1])

    def encode(self, items: Sequence[str | PathLike[str]]) -> npt.NDArray[np.float32]:
        """(m, d) float32, one row for each image file."""
        rows = np.empty((len(items), self.dim), np.float32)
        for start, paths in enumerate(batches(items, self.batch_size)):
            first = start * self.batch_size
            rows[first : first + len(paths)] = self._encode_pictures([on_white(path) for path in paths])
        return rows

    def _encode_pictures(self, pictures: list[Any]) -> npt.NDArray[np.float32]:
        import torch

        made = [self._processor(images=picture, return_tensors="pt")["pixel_values"] for picture in pictures]
        stacks = [torch.cat(made)] if len({pixels.shape for pixels in made}) == 1 else made  # some keep their shape
        with torch.inference_mode():
            vectors = [self._vectors(pixels.to(self.device, self._dtype)).float().cpu().numpy() for pixels in stacks]
        return np.concatenate(vectors)

    def _vectors(self, pixels: Any) -> Any:
        """(batch, d): of each image as a whole."""
        if hasattr(self._model, "get_image_features"):
            found = self._model.get_image_features(pixel_values=pixels)
            return getattr(found, "pooler_output", found)
        made = self._model(pixel_values=pixels)
        for pooled in ("image_embeds", "pooler_output") if self._pools else ():
            if getattr(made, pooled, None) is not None:
                return getattr(made, pooled).flatten(1)  # ResNet and others leave (batch, d, 1, 1)
        hidden = made.last_hidden_state.float()  # (batch, tokens, d) or (batch, d, height, width)
        return hidden.mean(dim=1 if hidden.ndim == 3 else (2, 3))


def _processor(folder: Path) -> Any:
    """The model's own image processor, by Pillow: the same with and without torchvision."""
    transformers = optional_module("transformers", "transformers", alone=False)
    with loading(folder, "the image processor (preprocessor_config.json)"):
        return transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")


def _blank() -> Any:
    from PIL import Image

    return Image.new("RGB", (32, 32), "white")
