"""Pictures show images of data sets. They are drawn where the data lie and never published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from myths.lab.errors import CannotStart
from myths.lab.myth import Myth
from myths.lab.store import Store

if TYPE_CHECKING:
    import pandas as pd


def draw(myth: Myth, tables: Mapping[str, pd.DataFrame], store: Store, folder: Path, name: str = "{}") -> list[Path]:
    """Draw the pictures of a myth for which there are results and data.

    Args:
        myth: The myth.
        tables: Its tables, by name.
        store: Its stored trials and their arrays.
        folder: Where the pictures go.
        name: File name without its ending; {} stands for the picture's own name.

    Returns:
        The files that were written.

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
            raise CannotStart(f"cannot write {target}: {error.strerror}; make room or choose another folder with --results") from error
        written.append(target)
    return written
