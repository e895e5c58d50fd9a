"""Read prepared text files."""

from __future__ import annotations

from myths.lab.data import prepared
from myths.lab.errors import CannotStart


def lines(name: str) -> list[str]:
    """Return the lines of a prepared text without line feeds; for a .jsonl file, one JSON document per line.

    Lines end at line feeds only. Published parallel corpora contain other characters that Python treats as line ends; splitting there
    would misalign the two languages.

    Raises:
        CannotStart: The text is not available, unreadable, not UTF-8, or does not match its hash.
    """
    text = prepared.require_verified(name)
    if text.kind != "text" or text.path is None:
        raise CannotStart(f"{name} is a dataset of kind {text.kind}, not a text")
    try:
        content = text.path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"{text.path} cannot be read as UTF-8 ({error})") from error
    return content.removesuffix("\n").split("\n") if content else []
