"""Parallel corpora as text: the same sentences in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from myths.lab.errors import CannotStart

MULTI30K_TESTS = ("test_2016_flickr", "test_2017_flickr", "test_2018_flickr", "test_2017_mscoco")


@dataclass(frozen=True)
class Texts:
    """Sentences and their translations."""

    source: tuple[str, ...]
    target: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)

    def first(self, n: int) -> Texts:
        """Return the first ``n`` pairs, or all if ``n`` is 0."""
        return Texts(self.source[:n], self.target[:n]) if n else self


def prepared_names(dataset: str, source: str, target: str, tests: Sequence[str], *, train: bool = True) -> tuple[str, ...]:
    """Return the names of the prepared texts of a parallel corpus, such as "multi30k.train.de"."""
    splits = (*(("train", "val") if train else ()), *tests)
    return tuple(f"{dataset}.{split}.{language}" for split in splits for language in (source, target))


def read(dataset: str, split: str, source: str, target: str) -> Texts:
    """Read one split of a parallel corpus from two prepared texts with one sentence per line.

    Raises:
        CannotStart: A text is not available, or the numbers of lines differ.
    """
    from myths.lab.data.text_files import lines

    names = [f"{dataset}.{split}.{language}" for language in (source, target)]
    sides = [tuple(line.strip() for line in lines(name)) for name in names]
    if len(sides[0]) != len(sides[1]):
        raise CannotStart(
            f"{names[0]} has {len(sides[0]):,} lines and {names[1]} {len(sides[1]):,}: line i of one is the translation of line i of "
            "the other, so bring both again from one place"
        )
    return Texts(*sides)


def without_empty(texts: Texts) -> Texts:
    """Return the pairs in which neither side is empty."""
    kept = [(s, t) for s, t in zip(texts.source, texts.target, strict=True) if s and t]
    return Texts(tuple(s for s, _ in kept), tuple(t for _, t in kept))


def shuffled_sources(texts: Texts, rng: np.random.Generator) -> Texts:
    """Assign each target the source of a random pair, for a control: such pairs cannot teach translation."""
    order = rng.permutation(len(texts))
    return Texts(tuple(texts.source[i] for i in order), texts.target)
