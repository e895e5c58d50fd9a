"""Image folders: flat or with class folders, any image size and mode. Unreadable files are skipped and listed."""

from __future__ import annotations

import functools
import json
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from myths.lab.data import prepared
from myths.lab.data.layout import Layout, find_images, read_layout
from myths.lab.errors import CannotStart

if TYPE_CHECKING:
    from PIL import Image

Filter = Literal["box", "bilinear", "bicubic", "lanczos"]

# Pillow's decoders raise many exceptions for damaged images, without a common base class.
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, OverflowError, EOFError, struct.error, zlib.error)
_THREADS = 4

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ImageFolder:
    """The images below ``root``: sorted relative paths, their folders as labels, and skipped files."""

    name: str
    root: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    """Folder of each file relative to ``root``, separated by "/"; "" for a file in ``root`` itself."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Files that were skipped, each with the reason, including those skipped when the folder was added."""

    def __len__(self) -> int:
        return len(self.files)

    @functools.cached_property
    def layout(self) -> Layout:
        """Split and class of each image."""
        return read_layout(self.files)

    def filter(self, keep: Callable[[str], bool]) -> ImageFolder:
        """Return the images whose label satisfies ``keep``."""
        return self.pick([i for i, label in enumerate(self.labels) if keep(label)])

    def pick(self, positions: Iterable[int]) -> ImageFolder:
        """Return the images at the given positions, in that order."""
        chosen = list(positions)
        files, labels = (tuple(values[i] for i in chosen) for values in (self.files, self.labels))
        return ImageFolder(self.name, self.root, files, labels, self.skipped)


def image_folder(name: str) -> ImageFolder:
    """Return a prepared image folder, with its hash verified (once per process).

    Raises:
        CannotStart: The dataset is not available, damaged, not an image folder, or has no readable image.
    """
    found = prepared.require(name)
    if found.kind != "images" or found.path is None:
        raise CannotStart(f"{name} is a dataset of kind {found.kind}, not an image folder")
    return _checked(name, found.path, found.sha256)


def decode(
    folder: ImageFolder, side: int, filter: Filter = "bicubic", files: Iterable[int] | None = None
) -> UInt8[Tensor, "n 3 side side"]:
    """Load images as square RGB on the CPU: center crop, then resize with an antialiasing filter.

    Gray, palette, CMYK and 16-bit images are converted to 8-bit RGB. Transparent images are placed on white. The EXIF orientation is
    applied.

    Args:
        folder: The image folder.
        side: Height and width of the output in pixels.
        filter: Resampling filter.
        files: Positions of the images to load. Default: all.

    Returns:
        Pixel values 0 to 255.

    Raises:
        CannotStart: A file can no longer be read.
    """
    squares = _read(folder, range(len(folder)) if files is None else files, lambda image: _square(image, side, filter))
    images = np.stack(squares) if squares else np.zeros((0, side, side, 3), np.uint8)
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def load_uncropped(folder: ImageFolder, files: Iterable[int]) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    """Load images in RGB at their original sizes, without cropping.

    Raises:
        CannotStart: A file can no longer be read.
    """
    return _read(folder, files, lambda image: image)


def load_rgb(path: Path) -> Image.Image:
    """Load one image file as 8-bit RGB, with EXIF orientation applied and transparency placed on white."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        opened.load()
        image: Image.Image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bit(np.asarray(image, dtype=np.float64), ";16" in image.mode)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class ImageInfo:
    """Size and Pillow mode of an image file, or the reason why it cannot be read."""

    width: int = 0
    height: int = 0
    mode: str = ""
    frames: int = 1
    turned: bool = False
    """Whether its EXIF orientation rotates or mirrors it."""
    why_unreadable: str = ""


def inspect_images(files: Iterable[Path]) -> list[ImageInfo]:
    """Open and decode each file and return its properties."""
    return _each(_inspect, list(files))


def unreadable(files: Iterable[Path]) -> dict[Path, str]:
    """Return the files that cannot be read completely, each with the reason."""
    listed = list(files)
    return {file: seen.why_unreadable for file, seen in zip(listed, inspect_images(listed), strict=True) if seen.why_unreadable}


def skipped_message(skipped: Mapping[str, str] | Iterable[tuple[str, str]], shown: int = 5) -> str:
    """Return a message with the number and names of skipped files; "" if there are none."""
    names = list(dict(skipped))
    if not names:
        return ""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{len(names)} skipped because they cannot be read: {', '.join(names[:shown])}{more}"


def _read(folder: ImageFolder, files: Iterable[int], change: Callable[[Image.Image], Image.Image]) -> list[np.ndarray]:
    def one(file: str) -> np.ndarray:
        try:
            return np.asarray(change(load_rgb(folder.root / file)))
        except _unreadable() as error:
            raise CannotStart(f"{folder.root / file} can no longer be read ({error}): add the folder again") from error

    return _each(one, [folder.files[i] for i in files])


@functools.lru_cache(maxsize=16)
def _checked(name: str, root: Path, sha256: str) -> ImageFolder:
    prepared.require_verified(name)
    known = _known_skipped(root.with_name(f"{root.name}.json"))
    paths = find_images(root).images
    # ``myths data add`` checked the images, and the verified hash shows that they are unchanged.
    bad = {} if known is not None else {p.relative_to(root).as_posix(): why for p, why in unreadable(paths).items()}
    files = tuple(file for p in paths if (file := p.relative_to(root).as_posix()) not in bad)
    if not files:
        raise CannotStart(f"{root} contains no readable image")
    labels = tuple(file.rpartition("/")[0] for file in files)
    return ImageFolder(name, root, files, labels, tuple(sorted((bad if known is None else known).items())))


def _known_skipped(sidecar: Path) -> dict[str, str] | None:
    facts = json.loads(sidecar.read_text(encoding="utf-8"))
    skipped = facts.get("skipped") if isinstance(facts, dict) else None
    return {str(file): str(why) for file, why in skipped} if isinstance(skipped, list) else None


def _inspect(path: Path) -> ImageInfo:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            mode, size = opened.mode, opened.size
            # A photograph with a preview is called "MPO"; it is one picture.
            frames = 1 if opened.format == "MPO" else int(getattr(opened, "n_frames", 1))
            turned = opened.getexif().get(0x0112, 1) != 1
            opened.draft("L", (1, 1))  # a JPEG is read to its end all the same, in less time
            opened.load()
            return ImageInfo(*size, mode, frames, turned, "" if min(opened.size) else "the image has no pixels")
    except _unreadable() as error:
        if isinstance(error, UnidentifiedImageError):
            return ImageInfo(why_unreadable="not an image, or damaged")
        return ImageInfo(why_unreadable=" ".join(str(error).replace(str(path), "the file").split()) or type(error).__name__)


def _unreadable() -> tuple[type[BaseException], ...]:
    from PIL import Image

    return (*_UNREADABLE, Image.DecompressionBombError)


def _square(image: Image.Image, side: int, filter: Filter) -> Image.Image:
    from PIL import Image

    width, height = image.size
    edge = min(width, height)
    left, top = (width - edge) / 2, (height - edge) / 2
    return image.resize((side, side), Image.Resampling[filter.upper()], box=(left, top, left + edge, top + edge))


def _eight_bit(values: np.ndarray, sixteen: bool) -> np.ndarray:
    """Convert to 8 bits: 16-bit values by their high byte, modes without a fixed range by the smallest range that holds the values."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if sixteen or (low >= 0 and 255 < high <= 65_535):
        return (values / 257).round().astype(np.uint8)
    if low >= 0 and 1 < high <= 255:
        return values.round().astype(np.uint8)
    if low >= 0 and high <= 1:
        return (values * 255).round().astype(np.uint8)
    return ((values - low) * (255 / (high - low))).round().astype(np.uint8)


def _each(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Map in order, in threads. Pillow releases the GIL while it decodes."""
    # Pillow warns of odd metadata and of large images, which are read all the same. Filters belong to the process, so not in ``work``.
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore")
        return list(pool.map(work, items))
