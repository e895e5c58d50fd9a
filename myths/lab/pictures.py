"""Render pictures: figures that show images of datasets. They are rendered where the data are available and never published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from myths.lab.errors import CannotStart
from myths.lab.myth import Myth
from myths.lab.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd


def draw(myth: Myth, tables: Mapping[str, pd.DataFrame], store: Store, folder: Path, name: str = "{}") -> list[Path]:
    """Render the pictures of a myth for which results and data are available.

    Args:
        myth: The myth.
        tables: Its tables by name.
        store: Its stored trials and arrays.
        folder: Output folder.
        name: File name without extension; {} is replaced by the name of the picture.

    Returns:
        The files written.

    Raises:
        CannotStart: The folder cannot be written.
    """
    written = []
    for own, picture in myth.pictures.items():
        if (figure := picture(tables, store)) is None:
            continue
        target = folder / f"{name.format(own)}.png"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(target, format="png", dpi=150)
        except OSError as error:
            raise CannotStart(f"Cannot write {target}: {error.strerror}. Free disk space or use a different --results folder") from error
        written.append(target)
    return written
