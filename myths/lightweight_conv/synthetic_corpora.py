"""Synthetic parallel corpora that are translated by a rule. They need no download and test no claim."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from myths.lab.language.texts import Texts

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
ONES = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
N_PAIRS = {"train": 4000, "val": 100, "test": 200}


def dates(part: str) -> Texts:
    """Return written dates and their ISO 8601 form: "the 3rd of march 1984" is "1984-03-03"."""
    return _part(part, _date, 1901)


def numbers(part: str) -> Texts:
    """Return number words and digits: "four hundred and twelve" is "412"."""
    return _part(part, _number, 1902)


GENERATORS: dict[str, Callable[[str], Texts]] = {"dates": dates, "numbers": numbers}


def _part(part: str, draw: Callable[[np.random.Generator], tuple[str, str]], key: int) -> Texts:
    """Return one part of a list of pairs with different sources, so that no test source occurs in training."""
    rng = np.random.Generator(np.random.Philox(key=key))
    pairs: dict[str, str] = {}
    while len(pairs) < sum(N_PAIRS.values()):
        source, target = draw(rng)
        pairs.setdefault(source, target)
    first = dict(zip(N_PAIRS, np.cumsum([0, *N_PAIRS.values()]), strict=False))[part]
    chosen = list(pairs.items())[first : first + N_PAIRS[part]]
    return Texts(tuple(s for s, _ in chosen), tuple(t for _, t in chosen))


def _date(rng: np.random.Generator) -> tuple[str, str]:
    year, month, day = int(rng.integers(1900, 2030)), int(rng.integers(12)), int(rng.integers(1, 29))
    suffix = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    name = MONTHS[month]
    ways = (f"the {day}{suffix} of {name} {year}", f"{name} {day}, {year}", f"{day} {name[:3]} {year}", f"{year}, {name} the {day}{suffix}")
    return ways[int(rng.integers(len(ways)))], f"{year}-{month + 1:02}-{day:02}"


def _number(rng: np.random.Generator) -> tuple[str, str]:
    number = int(rng.integers(1, 1_000_000))
    return number_words(number), str(number)


def number_words(number: int) -> str:
    """Return a number from 1 to 999,999 in English words."""
    thousands, rest = divmod(number, 1000)
    parts = [f"{_below_thousand(thousands)} thousand"] if thousands else []
    if rest:
        parts.append(("and " if thousands and rest < 100 else "") + _below_thousand(rest))
    return " ".join(parts)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens = ONES[rest] if rest < 20 else f"{TENS[rest // 10]}-{ONES[rest % 10]}".removesuffix("-")
    return " and ".join(part for part in (f"{ONES[hundreds]} hundred" if hundreds else "", tens) if part)
