"""Multi-query associative recall (Arora et al. 2024, "Zoology"): pairs of a key and a value, then keys whose values are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

PARTS = 3
"""Keys, values and fillers have their own symbols."""


@dataclass(frozen=True, kw_only=True)
class RecallTask:
    """The task: ``pairs`` keys with their values, at least ``gap`` fillers, ``queries`` keys of the pairs in random order.

    The value of a query does not follow it, so that it can be learned from the pair alone.

    Attributes:
        symbols: Number of keys, of values and of fillers.
        pairs: Number of pairs. The keys of a sequence are distinct.
        gap: Number of fillers between the last pair and the first query.
        queries: Number of queries.
    """

    symbols: int
    pairs: int
    gap: int
    queries: int

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return PARTS * self.symbols

    @property
    def length(self) -> int:
        """Number of tokens per sequence."""
        return 2 * self.pairs + self.gap + self.queries

    def draw(
        self, sequences: int, generator: torch.Generator, pairs: int | None = None
    ) -> tuple[Int64[Tensor, "b n"], Int64[Tensor, "b q"]]:
        """Return random sequences and the value of each query.

        Args:
            sequences: Number of sequences.
            generator: Random numbers.
            pairs: Number of pairs. The gap is longer if there are fewer than in the task, so that the length is the same. Default: as in
                the task.
        """
        pairs = self.pairs if pairs is None else pairs
        keys = torch.rand(sequences, self.symbols, generator=generator).argsort(1)[:, :pairs]
        values = self.symbols + torch.randint(self.symbols, (sequences, pairs), generator=generator)
        fillers = 2 * self.symbols + torch.randint(self.symbols, (sequences, self.length - 2 * pairs - self.queries), generator=generator)
        asked = torch.randint(pairs, (sequences, self.queries), generator=generator)
        shown = torch.stack([keys, values], -1).flatten(1)
        return torch.cat([shown, fillers, keys.gather(1, asked)], 1), values.gather(1, asked)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[tuple[Int64[Tensor, "b n"], Int64[Tensor, "b q"]]]:
        """Yield random sequences without end. The number of pairs is drawn for each batch, from 1 to that of the task.

        Sequences with few pairs are learned first.
        """
        while True:
            yield self.draw(size, generator, 1 + int(torch.randint(self.pairs, (1,), generator=generator)))
