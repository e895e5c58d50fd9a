"""Prepared texts."""

from __future__ import annotations

from myths.lab.data import prepared
from myths.lab.errors import CannotStart


def lines(name: str) -> list[str]:
    """The lines of a prepared text, without their line feeds; of a .jsonl file, one JSON text each.

    Split at line feeds only: published parallel texts hold other characters that Python calls line
    ends, and splitting there would shift one language against the other. Raises CannotStart when the text is
    absent, unreadable, not UTF-8, or not what its sidecar says.
    """
    text = prepared.require_verified(name)
    if text.kind != "text" or text.path is None:
        raise CannotStart(f"{name} is a set of {text.kind}, not a text")
    try:
        content = text.path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"{text.path} cannot be read as UTF-8 ({error})") from error
    return content.removesuffix("\n").split("\n") if content else []
