"""Parallel texts: the same sentences in two languages, and as tensors of token numbers on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from myths.lab.data.text import lines
from myths.lab.errors import CannotStart, UsageError
from myths.lab.language.vocabulary import BOS, EOS, PAD, Subwords, Vocabulary

MULTI30K_TESTS = ("test_2016_flickr", "test_2017_flickr", "test_2018_flickr", "test_2017_mscoco")


@dataclass(frozen=True)
class Texts:
    """Sentences and their translations, as many of each."""

    source: tuple[str, ...]
    target: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)

    def first(self, n: int) -> Texts:
        """The first ``n`` pairs; all of them for 0."""
        return Texts(self.source[:n], self.target[:n]) if n else self


@dataclass(frozen=True)
class Pairs:
    """Token numbers on a device: ``source`` ends with EOS, ``target`` begins with BOS and ends with EOS; the rest is PAD."""

    source: Int32[Tensor, "pairs n"]
    target: Int32[Tensor, "pairs m"]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def source_lengths(self) -> Int64[Tensor, " pairs"]:
        """Tokens of each source, EOS included."""
        return (self.source != PAD).sum(1)

    @property
    def target_lengths(self) -> Int64[Tensor, " pairs"]:
        """Tokens of each target, BOS and EOS included."""
        return (self.target != PAD).sum(1)

    def batch(self, indices: Int64[Tensor, " b"]) -> tuple[Int64[Tensor, "b n"], Bool[Tensor, "b n"], Int64[Tensor, "b m"]]:
        """Source, where it is not padding, and target of some pairs, without columns of padding alone."""
        source, target = (_trimmed(side.index_select(0, indices)) for side in (self.source, self.target))
        return source, source != PAD, target


def prepared_names(dataset: str, source: str, target: str, tests: Sequence[str], *, train: bool = True) -> tuple[str, ...]:
    """The prepared texts that a parallel data set is made of, such as "multi30k.train.de"."""
    splits = (*(("train", "val") if train else ()), *tests)
    return tuple(f"{dataset}.{split}.{language}" for split in splits for language in (source, target))


def read(dataset: str, split: str, source: str, target: str) -> Texts:
    """One part of a parallel data set, from two prepared texts with a sentence a line.

    Raises CannotStart when one of them is absent, or they do not have as many lines.
    """
    names = [f"{dataset}.{split}.{language}" for language in (source, target)]
    sides = [tuple(line.strip() for line in lines(name)) for name in names]
    if len(sides[0]) != len(sides[1]):
        raise CannotStart(
            f"{names[0]} has {len(sides[0]):,} lines and {names[1]} {len(sides[1]):,}: line i of one is the translation of line i of "
            "the other, so bring both again from one place"
        )
    return Texts(*sides)


def without_empty(texts: Texts) -> Texts:
    """The pairs of which both sides say something: an empty sentence teaches no translation."""
    kept = [(s, t) for s, t in zip(texts.source, texts.target, strict=True) if s and t]
    return Texts(tuple(s for s, _ in kept), tuple(t for _, t in kept))


def learn_subwords(texts: Texts, size: int) -> Subwords:
    """One subword vocabulary for both languages."""
    return Subwords.learn([*texts.source, *texts.target], size)


def encode(texts: Texts, vocabulary: Vocabulary, longest: int, device: str, *, cut: bool = False) -> Pairs:
    """Token numbers of each pair. A side of more than ``longest`` tokens is cut there if ``cut``.

    Raises UsageError for a longer one otherwise.
    """
    source = [np.append(tokens, EOS) for tokens in vocabulary.encode(texts.source)]
    target = [np.concatenate([[BOS], tokens, [EOS]]) for tokens in vocabulary.encode(texts.target)]
    for side in (source, target):
        for i, tokens in enumerate(side):
            if len(tokens) <= longest:
                continue
            if not cut:
                raise UsageError(f"sentence {i + 1} has {len(tokens)} tokens, but the model is built for at most {longest}")
            side[i] = np.append(tokens[: longest - 1], EOS)
    return Pairs(padded(source, device), padded(target, device))


def padded(sequences: Sequence[np.ndarray], device: str) -> Int32[Tensor, "sequences longest"]:
    """Sequences of token numbers side by side, PAD after the end of each."""
    lengths = np.array([len(tokens) for tokens in sequences])
    table = np.full((len(sequences), int(lengths.max(initial=1))), PAD, dtype=np.int32)
    if len(sequences):
        table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate(sequences)
    return torch.from_numpy(table).to(device)


def shuffled_sources(texts: Texts, rng: np.random.Generator) -> Texts:
    """Each target beside the source of another pair: what a translator cannot learn from, for the control."""
    order = rng.permutation(len(texts))
    return Texts(tuple(texts.source[i] for i in order), texts.target)


def _trimmed(side: Int32[Tensor, "b n"]) -> Int64[Tensor, "b m"]:
    used = max(1, int((side != PAD).sum(1).max())) if len(side) else 1
    return side[:, :used].long()
