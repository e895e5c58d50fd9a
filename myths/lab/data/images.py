"""Image datasets as uint8 tensors on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from myths.lab.data import prepared
from myths.lab.data.folders import ImageFolder, image_folder, load_uncropped
from myths.lab.errors import CannotStart, UsageError


@dataclass(frozen=True)
class ImageSet:
    """Images and labels, channels first, values 0 to 255. Test-only datasets have no training split."""

    name: str
    x_train: UInt8[Tensor, "n c h w"] | None
    y_train: Int64[Tensor, " n"] | None
    x_test: UInt8[Tensor, "m c h w"]
    y_test: Int64[Tensor, " m"]
    classes: tuple[str, ...]
    """Names of the classes; their numbers if the dataset has no names."""

    def training_split(self) -> tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, " n"]]:
        """Return the training images and labels.

        Raises:
            UsageError: The dataset has no training split.
        """
        if self.x_train is None or self.y_train is None:
            raise UsageError(f"{self.name} has no training split: train on another dataset and use it for testing")
        return self.x_train, self.y_train


def image_set(name: str, device: str | torch.device) -> ImageSet:
    """Load a prepared or built-in image dataset completely. Gray images have one channel.

    The module ``layout`` describes how image folders are read. Without splits, all images are test images. With splits, val/ is used for
    testing if there is no test/, and is unused otherwise.

    Args:
        name: Name of the dataset.
        device: Device of the tensors.

    Raises:
        CannotStart: The dataset is not available or damaged, has no labeled images, or its images differ in size.
    """
    found = prepared.require(name)
    if found.kind == "images" and found.path is not None:
        arrays: Mapping[str, np.ndarray] = _decode(image_folder(name))
    else:
        arrays = prepared.load(name)
    if not {"x_test", "y_test"} <= arrays.keys():
        raise CannotStart(
            f"{name} holds {', '.join(sorted(arrays))}; an image dataset requires x_test and y_test, and usually has x_train and y_train"
        )
    labeled = [split for split in ("train", "test") if f"y_{split}" in arrays]
    count = 1 + max(int(arrays[f"y_{split}"].max()) for split in labeled)
    classes = tuple(str(c) for c in arrays["classes"]) if "classes" in arrays else tuple(str(c) for c in range(count))
    trains = {"x_train", "y_train"} <= arrays.keys()
    return ImageSet(
        name=name,
        x_train=_pixels(name, arrays["x_train"], device) if trains else None,
        y_train=_numbers(arrays["y_train"], device) if trains else None,
        x_test=_pixels(name, arrays["x_test"], device),
        y_test=_numbers(arrays["y_test"], device),
        classes=classes,
    )


def _decode(folder: ImageFolder) -> dict[str, np.ndarray]:
    """Return the arrays of an image folder: NHWC, three channels."""
    layout = folder.layout
    chosen: dict[str, list[int]] = {"test": list(range(len(folder)))}
    if layout.is_split:
        chosen = {"train": layout.indices("train"), "test": layout.indices("test") or layout.indices("val")}
        if not chosen["test"]:
            raise CannotStart(f"{folder.name} has a training split but no test split: arrange it as train/CLASS/image and test/CLASS/image")
    number = {name: i for i, name in enumerate(layout.classes)}
    arrays: dict[str, np.ndarray] = {"classes": np.array(layout.classes)}
    for part, positions in chosen.items():
        labeled = [i for i in positions if layout.labels[i]]
        if not labeled and part == "test":
            raise CannotStart(f"{folder.name} has no classes: arrange it as CLASS/image, or train/CLASS/image and test/CLASS/image")
        if labeled:
            arrays[f"x_{part}"] = _whole(folder, labeled)
            arrays[f"y_{part}"] = np.array([number[layout.labels[i]] for i in labeled])
    return arrays


def _whole(folder: ImageFolder, files: Sequence[int]) -> np.ndarray:
    images = load_uncropped(folder, files)
    if len(sizes := {image.shape[:2] for image in images}) > 1:
        (h, w), (other_h, other_w) = sorted(sizes)[:2]
        raise CannotStart(
            f"the images in {folder.root} differ in size ({w}x{h}, {other_w}x{other_h} …): resize them to one and add them again"
        )
    return np.stack(images)


def _pixels(name: str, images: np.ndarray, device: str | torch.device) -> UInt8[Tensor, "n c h w"]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise CannotStart(
            f"the images of {name} are {images.dtype} {images.shape}; expected uint8 [n, height, width] or [n, height, width, 3]"
        )
    channels_last = images[..., None] if images.ndim == 3 else images
    return torch.from_numpy(np.array(channels_last.transpose(0, 3, 1, 2), order="C")).to(device)


def _numbers(labels: np.ndarray, device: str | torch.device) -> Int64[Tensor, " n"]:
    return torch.from_numpy(labels.astype(np.int64)).to(device)
