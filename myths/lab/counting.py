"""Numbers with their nouns."""

from __future__ import annotations


def counted(n: int, noun: str, several: str = "") -> str:
    """Return a number with its noun, as in "1 trial" and "2,000 trials".

    Args:
        n: Number.
        noun: Noun in the singular.
        several: Noun in the plural. Default: with "s", or "es" after an s.
    """
    plural = several or noun + ("es" if noun.endswith("s") else "s")
    return f"{n:,} {noun if n == 1 else plural}"
