"""Parallel corpora as tensors of token ids on a device."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from myths.lab.errors import UsageError
from myths.lab.language.texts import Texts
from myths.lab.language.vocabulary import BOS, EOS, PAD, Subwords, Vocabulary


@dataclass(frozen=True)
class Pairs:
    """Token ids of sentence pairs. ``source`` ends with EOS, ``target`` starts with BOS and ends with EOS; the rest is PAD."""

    source: Int32[Tensor, "pairs n"]
    target: Int32[Tensor, "pairs m"]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def source_lengths(self) -> Int64[Tensor, " pairs"]:
        """Number of tokens of each source, including EOS."""
        return (self.source != PAD).sum(1)

    @property
    def target_lengths(self) -> Int64[Tensor, " pairs"]:
        """Number of tokens of each target, including BOS and EOS."""
        return (self.target != PAD).sum(1)

    def batch(self, bucket: Bucket) -> tuple[Int64[Tensor, "b n"], Int64[Tensor, "b m"]]:
        """Return the source and target of some pairs, trimmed to the longest. Does not wait for the device."""
        source = self.source[:, : bucket.source_length].index_select(0, bucket.indices)
        return source.long(), self.target[:, : bucket.target_length].index_select(0, bucket.indices).long()

    def first(self, n: int) -> Bucket:
        """Return the first ``n`` pairs, or all if there are fewer."""
        indices = torch.arange(min(n, len(self)), device=self.source.device)
        return Bucket(indices, int(self.source_lengths[indices].max()), int(self.target_lengths[indices].max()))


@dataclass(frozen=True)
class Bucket:
    """Pairs of similar length: their indices, on the device of the corpus, and the lengths of the longest source and target."""

    indices: Int64[Tensor, " b"]
    source_length: int
    target_length: int


@functools.lru_cache(maxsize=2)
def learn_subwords(texts: Texts, size: int) -> Subwords:
    """Learn a joint subword vocabulary of both languages. The latest are cached, for the next model on the same corpus."""
    return Subwords.learn([*texts.source, *texts.target], size)


@functools.lru_cache(maxsize=8)
def encode(texts: Texts, vocabulary: Vocabulary, max_length: int, device: str, *, cut: bool = False) -> Pairs:
    """Encode sentence pairs as token ids.

    The latest are cached for the next model on the same corpus. Do not change the tensors.

    Args:
        texts: Sentence pairs.
        vocabulary: The vocabulary.
        max_length: Maximum number of tokens per sentence.
        device: Device of the tensors.
        cut: Whether to truncate longer sentences.

    Raises:
        UsageError: A sentence is longer than ``max_length`` and ``cut`` is False.
    """
    source = [np.append(tokens, EOS) for tokens in vocabulary.encode(texts.source)]
    target = [np.concatenate([[BOS], tokens, [EOS]]) for tokens in vocabulary.encode(texts.target)]
    for side in (source, target):
        for i, tokens in enumerate(side):
            if len(tokens) <= max_length:
                continue
            if not cut:
                raise UsageError(f"Sentence {i + 1} has {len(tokens)} tokens, more than the maximum length {max_length} of the model")
            side[i] = np.append(tokens[: max_length - 1], EOS)
    return Pairs(padded(source, device), padded(target, device))


def padded(sequences: Sequence[np.ndarray], device: str) -> Int32[Tensor, "sequences longest"]:
    """Stack sequences of token ids, padded with PAD."""
    lengths = np.array([len(tokens) for tokens in sequences])
    table = np.full((len(sequences), int(lengths.max(initial=1))), PAD, dtype=np.int32)
    if len(sequences):
        table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate(sequences)
    return torch.from_numpy(table).to(device)
